"""`otel-rum local`: the stand-in, until somebody ends it."""

from __future__ import annotations

import errno
import signal
import time

import click

from . import MISUSED, fail

_WELCOME = """RUM stand-in, with its page at {url}/

OTEL_EXPORTER_AWS_RUM_ENDPOINT={url}
OTEL_EXPORTER_AWS_RUM_SIGNING=none
OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID=00000000-1111-4222-8333-444444444444
OTEL_TRACES_EXPORTER=aws_rum

The variables above point an application at it; the app monitor may be any UUID. Ctrl-C ends it."""


@click.command(short_help="Serve a stand-in of RUM's data plane on this computer.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8787,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
def local(host: str, port: int) -> None:
    """Serve a stand-in of RUM's data plane on this computer, until Ctrl-C.

    It accepts what RUM accepts, refuses what RUM refuses and says why, and lists what RUM would drop without a word.
    Its page shows the sessions and events received. Nothing is sent to AWS and nothing is kept after the end.

    Set the variables it prints where your application runs, then use the application.
    """
    try:
        from ..local import LocalRum
    except ImportError as error:
        fail(str(error), MISUSED)
    from ..local.host import is_loopback

    # A list, since a handler interrupts anything, also itself: whatever takes a lock could wait for it for ever.
    received: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signal_number, _: received.append(signal_number))
    rum = LocalRum(host=host, port=port)
    try:
        rum.start()
    except OSError as error:
        fail(_why_not_started(error, host, port))
    with rum:
        click.echo(_WELCOME.format(url=rum.url))
        if not is_loopback(host):
            click.echo(f"warning: whoever can reach {host} can send to this server and read its page.", err=True)
        while not received:
            time.sleep(0.2)


def _why_not_started(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; stop the program that uses it, or choose another with --port"
    return f"cannot listen on port {port} of {host}: {error.strerror}"
