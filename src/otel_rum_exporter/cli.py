"""The `otel-rum` command: what can be typed, and what is printed.

Each subcommand is a plain function that imports what it needs when it runs, so that the base install can still tell
which extra is missing. The work itself is done elsewhere.
"""

from __future__ import annotations

import errno
import gzip
import io
import os
import signal
import sys
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .version import VERSION

if TYPE_CHECKING:
    import click

_DEFAULT_PORT = 8787
_FAILED, _MISUSED = 1, 2
_GZIP = b"\x1f\x8b"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def main() -> None:
    """Run the command line; the entry point of `otel-rum`."""
    try:
        commands = command_line()
    except ModuleNotFoundError as error:
        extra = "local" if "local" in sys.argv[1:2] else "cli"
        _fail(f"{error.name} is not installed: pip install 'otel-rum-exporter[{extra}]'", _MISUSED)
    commands(prog_name="otel-rum")


def command_line() -> click.Group:
    """Declare the commands and their options."""
    import click

    from .gateway import settings as gateway_settings

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
    explain = click.Command(
        "explain",
        callback=explain_file,
        params=[
            click.Argument(["file"]),
            click.Option(["--json", "is_json"], is_flag=True, help="Print one JSON object, for machines."),
        ],
        short_help="Tell what becomes of spans and log records in RUM.",
        help=_EXPLAIN_HELP,
    )
    gateway = click.Command(
        "gateway",
        callback=serve_gateway,
        params=[
            click.Option([f"--{name.replace('_', '-')}"], help=f"{setting.help} [default: {setting.default}]")
            for name, setting in gateway_settings.table().items()
            if not setting.secret
        ],
        short_help="Receive OTLP over HTTP and gRPC for RUM.",
        help=_GATEWAY_HELP,
    )
    return version(click.Group("otel-rum", commands=[local, explain, gateway], help=_HELP))


_HELP = """Send OpenTelemetry spans to Amazon CloudWatch RUM.

Start with `otel-rum local`: it takes what an application would send to AWS, checks it as AWS would, and shows it in the
browser. No AWS account is needed. `otel-rum explain` tells what becomes of each span in a file.
"""

_LOCAL_HELP = """Serve a stand-in of RUM's data plane on this computer, until Ctrl-C.

It accepts what RUM accepts, refuses what RUM refuses and says why, and lists what RUM would drop without a word. Its
page shows the sessions and events received. Nothing is sent to AWS and nothing is kept after the end.

Set the variables it prints where your application runs, then use the application.
"""

_EXPLAIN_HELP = """Tell what becomes in RUM of the spans and log records in FILE, without sending anything.

FILE is OTLP in JSON: the body of an export request, or one on each line as the Collector's file exporter writes them;
compressed by gzip or not; `-` reads standard input. The settings are those of the environment.

For each record it prints the rule that decides, session, user and page as RUM will show them, and the events; at the
end the number of events by type.
"""


_GATEWAY_HELP = """Receive OTLP over HTTP and gRPC, and send it to RUM, until Ctrl-C or SIGTERM.

Collectors, services in any language and pages in browsers send to it. An option is also the variable
OTEL_RUM_GATEWAY_... of its name; the token is only that, OTEL_RUM_GATEWAY_TOKEN, since others see a command's options.
Where and how telemetry goes to RUM is said by the variables of the exporter, OTEL_EXPORTER_AWS_RUM_...
"""

_WELCOME = """RUM stand-in, with its page at {url}/

OTEL_EXPORTER_AWS_RUM_ENDPOINT={url}
OTEL_EXPORTER_AWS_RUM_SIGNING=none
OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID=00000000-1111-4222-8333-444444444444
OTEL_TRACES_EXPORTER=aws_rum

The variables above point an application at it; the app monitor may be any UUID. Ctrl-C ends it."""


def serve_local(host: str, port: int) -> None:
    """Serve the stand-in until SIGINT or SIGTERM."""
    try:
        from .local import LocalRum
    except ImportError as error:
        _fail(str(error), _MISUSED)
    import click

    from .local.host import is_loopback

    # A list, since a handler interrupts anything, also itself: whatever takes a lock could wait for it for ever.
    received: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signal_number, _: received.append(signal_number))
    rum = LocalRum(host=host, port=port)
    try:
        rum.start()
    except OSError as error:
        _fail(_why_not_started(error, host, port), _FAILED)
    with rum:
        click.echo(_WELCOME.format(url=rum.url))
        if not is_loopback(host):
            click.echo(f"warning: whoever can reach {host} can send to this server and read its page.", err=True)
        while not received:
            time.sleep(0.2)


def serve_gateway(**given: str | None) -> None:
    """Serve the gateway until SIGINT or SIGTERM."""
    import click

    from .config import ConfigError
    from .gateway.settings import GatewaySettings

    try:
        from .gateway.server import serve
    except ModuleNotFoundError as error:
        _fail(f"{error.name} is not installed: pip install 'otel-rum-exporter[gateway]'", _MISUSED)

    def announce(bound: GatewaySettings) -> None:
        click.echo(f"OTLP over HTTP on http://{bound.host}:{bound.http_port}")
        if bound.grpc:
            click.echo(f"OTLP over gRPC on {bound.host}:{bound.grpc_port}")
        if bound.token is None and bound.host not in _LOOPBACK:
            click.echo(f"warning: whoever can reach {bound.host} can send telemetry; set a token.", err=True)

    try:
        serve(GatewaySettings.read(given, os.environ), os.environ, announce)
    except ConfigError as error:
        _fail(str(error), _MISUSED)
    except OSError as error:
        _fail(str(error), _FAILED)


def explain_file(file: str, *, is_json: bool) -> None:
    """Print what becomes of the telemetry in a file."""
    import click
    import orjson

    from . import explain
    from .config import ConfigError
    from .otlp import OtlpError, decode_json_file

    try:
        config = explain.config_of(os.environ)
        explanation = explain.explain(decode_json_file(_content(file)), config, time.time_ns())
    except ConfigError as error:
        _fail(str(error), _MISUSED)
    except OtlpError as error:
        _fail(f"{file} is no OTLP: {error}", _FAILED)
    except (OSError, EOFError, zlib.error) as error:
        _fail(f"cannot read {file}: {getattr(error, 'strerror', None) or error}", _FAILED)
    if is_json:
        click.echo(orjson.dumps(explain.as_json(explanation), option=orjson.OPT_INDENT_2))
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    for line in explain.text_lines(explanation):
        click.echo(line)


def _content(file: str) -> bytes:
    """Return what is in a file, or in standard input, decompressed where it is compressed."""
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    return gzip.decompress(content) if content.startswith(_GZIP) else content


def _why_not_started(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; stop the program that uses it, or choose another with --port"
    return f"cannot listen on port {port} of {host}: {error.strerror}"


def _fail(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"otel-rum: {message}\n")
    raise SystemExit(code)
