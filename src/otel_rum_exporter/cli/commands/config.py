"""`otel-rum config`: show the settings that apply."""

from __future__ import annotations

import os

import click

from .. import MISUSED, fail
from ..options import CommandWithSettings, as_json, lines, takes_settings


@click.command(cls=CommandWithSettings, short_help="Show the settings that apply and their sources.")
@click.option("--json", "is_json", is_flag=True, help="Print a JSON list, for scripts.")
@takes_settings
def config(given: dict[str, object], *, is_json: bool) -> None:
    """Show every setting with its value and its source: option, variable or default.

    Secrets are not shown. Wrong settings are printed after the table, and the exit code is then 2.

    \b
    Examples:
      otel-rum config
      OTEL_EXPORTER_AWS_RUM_REGION=eu-west-1 otel-rum config --json
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    import orjson

    from ...config import Config, ConfigError, readings, unknown_variables

    found = readings(given, os.environ)
    if is_json:
        click.echo(orjson.dumps(as_json(found), option=orjson.OPT_INDENT_2))
    else:
        for line in lines(found):
            click.echo(line)
    try:
        Config.read(given, os.environ)
    except ConfigError as error:
        fail("; ".join(error.faults), MISUSED)
    unknown = unknown_variables(os.environ)
    if unknown:
        fail("; ".join(unknown), MISUSED)
