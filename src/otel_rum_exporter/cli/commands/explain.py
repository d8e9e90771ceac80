"""`otel-rum explain`: show the events that the telemetry in a file is converted to."""

from __future__ import annotations

import os
import time

import click

from .. import LOST, MISUSED, fail
from ..options import Command
from ..output import heading, print_json


@click.command(cls=Command, short_help="Show the RUM events that spans and log records are converted to.")
@click.argument("file", type=click.Path())
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object, for scripts.")
def explain(file: str, *, is_json: bool) -> None:
    """Show the RUM events that the spans and log records in FILE are converted to. Nothing is sent.

    FILE is OTLP in JSON or protobuf: the body of an export request, or a file of the Collector's file exporter. It may
    be compressed with gzip. `-` reads standard input. The settings come from the environment.

    For each record it prints the rule that applies, the session, user and page in RUM, and the events. The last lines
    count the events by type. The exit code is 3 if the file or a part of it could not be read.

    \b
    Examples:
      otel-rum explain traces.json
      OTEL_EXPORTER_AWS_RUM_PAGE_VIEWS=all otel-rum explain --json traces.json.gz
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    from ...config import ConfigError
    from ...mapping import explain as explaining
    from ...otlp import decode_file
    from ..files import READ_ERRORS, opened, why_unread

    try:
        config = explaining.config_of(os.environ)
    except ConfigError as error:
        fail(str(error), MISUSED)
    try:
        with opened(file) as content:
            decoded = decode_file(content.stream.read())
    except READ_ERRORS as error:
        fail(why_unread(file, error), LOST)
    explanation = explaining.explain(decoded, config, time.time_ns())
    if is_json:
        print_json(explaining.as_json(explanation))
    else:
        for line in explaining.text_lines(explanation):
            (click.echo if line.startswith((" ", "note: ")) else heading)(line)
    if decoded.unread:
        raise SystemExit(LOST)
