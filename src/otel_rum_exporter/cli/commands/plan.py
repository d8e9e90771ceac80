"""`otel-rum plan`: show what a load costs and needs."""

from __future__ import annotations

import dataclasses
import os
import re
from typing import TYPE_CHECKING

import click

from ..._config_fields import amount, reader, share, whole
from .. import LOST, MISUSED, fail
from ..options import Command, Value
from ..output import heading, is_terminal, print_json, print_table

if TYPE_CHECKING:
    from ..plan.model import Profile

MIN_SECONDS = 60.0
"""A shorter file says nothing about the sessions of a day."""

MOST = 1e12
"""Larger figures are mistakes, and products of several would be infinite."""

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def _from(least: float) -> Value:
    """Return the type of an option whose numbers are at least this."""

    @reader("NUMBER")
    def number(value: object) -> float:
        read = amount(value)
        if not least <= read <= MOST:
            raise ValueError(f"is not a number from {least:g} to {MOST:g}")
        return read

    return Value(number)


@reader("TIME")
def _duration(value: object) -> float:
    """Read a time: a number and s, m, h or d."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", str(value).strip())
    if found and (seconds := float(found[1]) * _UNITS[found[2]]) <= MOST:
        return seconds
    raise ValueError("is not a time; use for example 30m, 2h or 1d")


@click.command(cls=Command, short_help="Plan the price, the quota and the machines of a load.")
@click.argument("file", type=click.Path(), required=False)
@click.option("--sessions", type=_from(1), help="Sessions a day. [default: as many as in FILE, for a day]")
@click.option("--requests", type=_from(1), help="Requests served a day; instead of FILE.")
@click.option(
    "--pages", type=Value(share), default=0.5, show_default=True, help="Share of the requests that are pages."
)
@click.option("--spans", type=_from(1), default=8.0, show_default=True, help="Spans of a request, with its own.")
@click.option(
    "--own-spans",
    type=_from(0),
    default=1.0,
    show_default=True,
    help="Those of them that become events besides the request: the application's own, and requests made.",
)
@click.option(
    "--peak", type=_from(1), default=3.0, show_default=True, help="The busiest minute, divided by the average."
)
@click.option("--quota", type=_from(1), default=50.0, show_default=True, help="Your quota, in events per second.")
@click.option("--outage", type=Value(_duration), default="1h", show_default=True, help="An outage to survive.")
@click.option("--processes", type=Value(whole(1, 50)), help="Processes that send. [default: as many as needed]")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object, for scripts.")
def plan(
    file: str | None,
    sessions: float | None,
    requests: float | None,
    processes: int | None,
    *,
    is_json: bool,
    **numbers: float,
) -> None:
    """Show what a load costs and needs: events, quota, price, consumers, memory and disk.

    The load comes from FILE, OTLP as `otel-rum explain` reads it, or from the sessions and requests of a day. Nothing
    is sent. The settings that choose events come from the environment.

    \b
    Examples:
      otel-rum plan --sessions 2000 --requests 20000
      otel-rum plan spans.jsonl --sessions 100000 --outage 4h
      otel-rum plan spans.jsonl --json
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    from ..plan import report
    from ..plan.figures import Figures
    from ..plan.model import Load
    from ..plan.model import plan as plan_of

    if file is None:
        if not (sessions and requests):
            fail("there is no load. To fix: give FILE, or --sessions and --requests", MISUSED)
        of_request = {name: numbers[name] for name in ("pages", "spans", "own_spans")}
        profile = Figures(requests=requests / sessions, **of_request).profile()
    else:
        if requests is not None:
            fail("--requests and FILE exclude each other. To fix: give one of them", MISUSED)
        profile, sessions = _recorded(file, sessions)
    peak, quota, outage = (numbers[name] for name in ("peak", "quota", "outage"))
    load = Load(sessions_per_day=sessions, peak=peak, quota=quota, outage_seconds=outage, processes=processes)
    found = plan_of(profile, load)
    if is_json:
        print_json(dataclasses.asdict(found))
        return
    bars = is_terminal()
    rows = report.event_rows(found)
    print_table(
        ("Events a day", "USD a month", *(["Share"] if bars else []), "Type"),
        [row if bars else (*row[:2], row[3]) for row in rows],
    )
    if bars:
        heading("Load")
        print_table((), report.rate_rows(found), indent="  ")
    else:
        print_table((), [(row[0].strip(), row[2]) for row in report.rate_rows(found)])
    heading("Needs")
    print_table((), list(report.fact_rows(found)), indent="  ")


def _recorded(file: str, sessions: float | None) -> tuple[Profile, float]:
    """Return the profile of a file, and its sessions a day unless they are given."""
    from ...config import ConfigError
    from ...mapping.explain import config_of
    from ..files import READ_ERRORS, opened, why_unread
    from ..plan.model import DAY_SECONDS
    from ..plan.recorded import Recorded

    try:
        recorded = Recorded(config_of(os.environ))
    except ConfigError as error:
        fail(str(error), MISUSED)
    try:
        with opened(file) as content:
            recorded.read(content.stream)
        recorded.finish()
    except READ_ERRORS as error:
        fail(why_unread(file, error), LOST)
    if not recorded.sessions:
        fail(f"{file} has no events. To fix: see otel-rum explain {file}", LOST)
    if sessions is None:
        if recorded.seconds < MIN_SECONDS:
            fail(f"{file} has {recorded.seconds:.3g} seconds. To fix: give --sessions, those of a day", MISUSED)
        sessions = recorded.sessions * DAY_SECONDS / recorded.seconds
    return recorded.profile, sessions
