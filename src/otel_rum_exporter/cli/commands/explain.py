"""`otel-rum explain`: what becomes of the telemetry in a file."""

from __future__ import annotations

import gzip
import io
import os
import sys
import time
import zlib
from pathlib import Path

import click

from .. import MISUSED, fail

_GZIP = b"\x1f\x8b"


@click.command(short_help="Tell what becomes of spans and log records in RUM.")
@click.argument("file")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object, for machines.")
def explain(file: str, *, is_json: bool) -> None:
    """Tell what becomes in RUM of the spans and log records in FILE, without sending anything.

    FILE is OTLP in JSON or protobuf: the body of an export request, or many of them as the Collector's file exporter
    writes them; compressed by gzip or not; `-` reads standard input. The settings are those of the environment.

    For each record it prints the rule that decides, session, user and page as RUM will show them, and the events; at
    the end the number of events by type.

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
        explanation = explaining.explain(decode_file(_content(file)), config, time.time_ns())
    except ConfigError as error:
        fail(str(error), MISUSED)
    except OtlpError as error:
        fail(f"{file} is no OTLP: {error}")
    except (OSError, EOFError, zlib.error) as error:
        fail(f"cannot read {file}: {getattr(error, 'strerror', None) or error}")
    if is_json:
        click.echo(orjson.dumps(explaining.as_json(explanation), option=orjson.OPT_INDENT_2))
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    for line in explaining.text_lines(explanation):
        click.echo(line)


def _content(file: str) -> bytes:
    """Return what is in a file, or in standard input, decompressed where it is compressed."""
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    return gzip.decompress(content) if content.startswith(_GZIP) else content
