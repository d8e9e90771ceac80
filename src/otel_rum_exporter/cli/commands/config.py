"""`otel-rum config`: show the settings that apply."""

from __future__ import annotations

import os

import click

from .. import MISUSED, fail
from ..options import CommandWithSettings, as_json, option_of, read_config, rows, takes_settings
from ..output import print_json, print_table


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
    from ...config import readings, unknown_variables

    found = readings(given, os.environ, option_of)
    if is_json:
        print_json(as_json(found))
    else:
        print_table(("Setting", "Value", "Source"), rows(found))
    read_config(given, os.environ)
    unknown = unknown_variables(os.environ)
    if unknown:
        fail("; ".join(unknown), MISUSED)
