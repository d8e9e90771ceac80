"""`otel-rum explain`: show the events that the telemetry in a file is converted to."""

from __future__ import annotations

import gzip
import io
import os
import sys
import time
import zlib
from pathlib import Path

import click

from .. import LOST, MISUSED, fail

_GZIP = b"\x1f\x8b"


@click.command(short_help="Show the RUM events that spans and log records are converted to.")
@click.argument("file")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object, for scripts.")
def explain(file: str, *, is_json: bool) -> None:
    """Show the RUM events that the spans and log records in FILE are converted to. Nothing is sent.

    FILE is OTLP in JSON or protobuf: the body of an export request, or a file of the Collector's file exporter. It may
    be compressed with gzip. `-` reads standard input. The settings come from the environment.

    For each record it prints the rule that applies, the session, user and page in RUM, and the events. The last lines
    count the events by type. The exit code is 3 if the file or a record in it could not be read.

    \b
    Examples:
      otel-rum explain traces.json
      OTEL_EXPORTER_AWS_RUM_PAGE_VIEWS=all otel-rum explain --json traces.json.gz
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    import orjson

    from ...config import ConfigError
    from ...mapping import explain as explaining
    from ...otlp import OtlpError, decode_file

    try:
        config = explaining.config_of(os.environ)
        decoded = decode_file(_content(file))
        explanation = explaining.explain(decoded, config, time.time_ns())
    except ConfigError as error:
        fail(str(error), MISUSED)
    except OtlpError as error:
        fail(f"{file} is not OTLP: {error}", LOST)
    except (OSError, EOFError, zlib.error) as error:
        fail(f"cannot read {file}: {getattr(error, 'strerror', None) or error}", LOST)
    if is_json:
        click.echo(orjson.dumps(explaining.as_json(explanation), option=orjson.OPT_INDENT_2))
    else:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        for line in explaining.text_lines(explanation):
            click.echo(line)
    if decoded.rejected or (decoded.failures and not decoded.records):
        raise SystemExit(LOST)


def _content(file: str) -> bytes:
    """Return the content of a file or of standard input, decompressed."""
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    return gzip.decompress(content) if content.startswith(_GZIP) else content
