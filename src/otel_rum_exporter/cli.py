"""The `otel-rum` command: what can be typed, and what is printed.

Each subcommand is a plain function that imports what it needs when it runs, so that the base install can still tell
which extra is missing. The work itself is done elsewhere.
"""

from __future__ import annotations

import errno
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

from .version import VERSION

if TYPE_CHECKING:
    import click

_DEFAULT_PORT = 8787
_FAILED, _MISUSED = 1, 2


def main() -> None:
    """Run the command line; the entry point of `otel-rum`."""
    try:
        commands = command_line()
    except ModuleNotFoundError as error:
        _fail(f"{error.name} is not installed: pip install 'otel-rum-exporter[local]'", _MISUSED)
    commands(prog_name="otel-rum")


def command_line() -> click.Group:
    """Declare the commands and their options."""
    import click

    version = click.version_option(VERSION, prog_name="otel-rum")
    local = click.Command(
        "local",
        callback=serve_local,
        params=[
            click.Option(["--host"], default="127.0.0.1", show_default=True, help="Address to listen on."),
            click.Option(
                ["--port"],
                type=click.IntRange(0, 65535),
                default=_DEFAULT_PORT,
                show_default=True,
                help="Port to listen on; 0 takes a free one.",
            ),
        ],
        short_help="Serve a stand-in of RUM's data plane on this computer.",
        help=_LOCAL_HELP,
    )
    return version(click.Group("otel-rum", commands=[local], help=_HELP))


_HELP = """Send OpenTelemetry spans to Amazon CloudWatch RUM.

Start with `otel-rum local`: it takes what an application would send to AWS, checks it as AWS would, and shows it in the
browser. No AWS account is needed.
"""

_LOCAL_HELP = """Serve a stand-in of RUM's data plane on this computer, until Ctrl-C.

It accepts what RUM accepts, refuses what RUM refuses and says why, and lists what RUM would drop without a word. Its
page shows the sessions and events received. Nothing is sent to AWS and nothing is kept after the end.

Set the two variables it prints where your application runs, then use the application.
"""


_WELCOME = """RUM stand-in, with its page at {url}/

OTEL_EXPORTER_AWS_RUM_ENDPOINT={url}
OTEL_EXPORTER_AWS_RUM_SIGNING=none

The two variables above point an application at it. Ctrl-C ends it."""


def serve_local(host: str, port: int) -> None:
    """Serve the stand-in until SIGINT or SIGTERM."""
    try:
        from .local import LocalRum
    except ImportError as error:
        _fail(str(error), _MISUSED)
    import click

    from .local.host import is_loopback

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    rum = LocalRum(host=host, port=port)
    try:
        rum.start()
    except OSError as error:
        _fail(_why_not_started(error, host, port), _FAILED)
    with rum:
        click.echo(_WELCOME.format(url=rum.url))
        if not is_loopback(host):
            click.echo(f"warning: whoever can reach {host} can send to this server and read its page.", err=True)
        # Without a timeout, Windows would not deliver Ctrl-C to a waiting main thread.
        while not stop.wait(timeout=0.5):
            pass


def _why_not_started(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; stop the program that uses it, or choose another with --port"
    return f"cannot listen on port {port} of {host}: {error.strerror}"


def _fail(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"otel-rum: {message}\n")
    raise SystemExit(code)
