"""`otel-rum doctor`: find the causes that keep telemetry of this process from reaching RUM."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from .. import FAILED
from ..options import CommandWithSettings, as_json, rows, takes_settings
from ..output import heading, is_narrow, print_json, print_table

if TYPE_CHECKING:
    from ..doctor import Check, Result

_COLORS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": None}


@click.command(cls=CommandWithSettings, short_help="Find out why no telemetry reaches RUM, and how to fix it.")
@click.option("--send/--no-send", "is_sending", default=True, show_default=True, help="Send a test event to RUM.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object, for scripts.")
@takes_settings
def doctor(given: dict[str, object], *, is_sending: bool, is_json: bool) -> None:
    """Find out why no telemetry reaches RUM, and how to fix it.

    Run it where your application runs: with the same variables, as the same user, in the same container. It shows the
    settings that are given. Then it checks the settings, the exporters, the network, the credentials, the clock and the
    app monitor, and sends one test event. It skips a check that it cannot make, and prints the reason. Each check takes
    at most 20 seconds.

    The exit code is 1 if a check failed.

    \b
    Examples:
      otel-rum doctor
      otel-rum doctor --app-monitor-id 12345678-... --region eu-west-1
      otel-rum doctor --no-send --json
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    from ..doctor import CHECKS, Context, Status, run_checks
    from ..doctor.checks import TEST_EVENT

    context = Context(given, os.environ)
    results = []
    if not is_json:
        heading("Settings (the others have their defaults)")
        print_table((), rows(context.readings, is_only_given=True), indent="  ", otherwise="none is set")
        click.echo()
        heading("Checks")
    for check, result in run_checks(context, [check for check in CHECKS if is_sending or check is not TEST_EVENT]):
        results.append((check, result))
        if not is_json:
            _print(check, result)
    if is_json:
        output = {"settings": as_json(context.readings), "checks": [_as_json(*pair) for pair in results]}
        print_json(output)
    if any(result.status is Status.FAILED for _, result in results):
        raise SystemExit(FAILED)


def _print(check: Check, result: Result) -> None:
    status, (first, *others) = result.status.value, result.message.splitlines() or [""]
    label = f"  {click.style(f'{status:8}', fg=_COLORS[status])} {check.name:16}"
    indent = " " * (4 if is_narrow() else 28)
    click.echo(f"{label.rstrip()}\n{indent}{first}" if is_narrow() else f"{label} {first}")
    for line in others:
        click.echo(f"{indent}{line}")
    for number, line in enumerate(result.fix.splitlines()):
        click.echo(f"{indent}{click.style('To fix: ', bold=True) if number == 0 else ' ' * 8}{line}")


def _as_json(check: Check, result: Result) -> dict[str, str]:
    return {
        "check": check.name,
        "about": check.about,
        "status": result.status.value,
        "message": result.message,
        "fix": result.fix,
    }
