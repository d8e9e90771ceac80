"""`otel-rum doctor`: what stands between this process and RUM."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from .. import FAILED
from ..options import CommandWithSettings, as_json, lines, takes_settings

if TYPE_CHECKING:
    from ..doctor import Check, Finding

_COLORS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": None}


@click.command(cls=CommandWithSettings, short_help="Find what keeps telemetry from reaching RUM, and what mends it.")
@click.option("--send/--no-send", "is_sending", default=True, show_default=True, help="Send a test event to RUM.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object, for machines.")
@takes_settings
def doctor(given: dict[str, object], *, is_sending: bool, is_json: bool) -> None:
    """Find what keeps telemetry from reaching RUM, and tell what mends it.

    Run it where the application runs: with its variables, as its user, in its container. It shows the settings that
    apply, and checks them, the network, the credentials, the clock and the app monitor; last, it sends one event. What
    it may not look at, it skips and says so. Each check takes at most 20 seconds.

    The exit code is 1 when a check failed.

    \b
    Examples:
      otel-rum doctor
      otel-rum doctor --app-monitor-id 12345678-... --region eu-west-1
      otel-rum doctor --no-send --json
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    import orjson

    from ..doctor import CHECKS, Status, Subject, diagnose
    from ..doctor.checks import SENDING

    subject = Subject(given, os.environ)
    found = []
    if not is_json:
        for line in ("Settings", *(f"  {line}" for line in lines(subject.readings)), "", "Checks"):
            click.echo(line)
    for check, finding in diagnose(subject, [check for check in CHECKS if is_sending or check is not SENDING]):
        found.append((check, finding))
        if not is_json:
            _show(check, finding)
    if is_json:
        told = {"settings": as_json(subject.readings), "checks": [_as_json(*pair) for pair in found]}
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    if any(finding.status is Status.FAILED for _, finding in found):
        raise SystemExit(FAILED)


def _show(check: Check, finding: Finding) -> None:
    status, (first, *others) = finding.status.value, finding.told.splitlines() or [""]
    click.echo(f"  {click.style(f'{status:8}', fg=_COLORS[status])} {check.name:16} {first}")
    for line in others:
        click.echo(f"{'':28}{line}")
    for number, line in enumerate(finding.fix.splitlines()):
        click.echo(f"{'to do: ' if number == 0 else '':>35}{line}")


def _as_json(check: Check, finding: Finding) -> dict[str, str]:
    return {
        "check": check.name,
        "about": check.about,
        "status": finding.status.value,
        "told": finding.told,
        "fix": finding.fix,
    }
