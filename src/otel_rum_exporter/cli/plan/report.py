"""A plan as lines and bars for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...config import variable
from ...mapping.event_types import PREFIX
from ...rum.price import PRICE_DATE, PRICE_PAGE, usd
from ...rum.quota import QUOTA_CODE, QUOTA_NAME
from .model import DAYS_PER_MONTH, Plan

BUDGET = variable("max_events_per_second")
REQUESTS = variable("max_requests_per_second")
DEFAULT_REQUESTS = 50
BAR_CHARS = 24
_UNITS = ((86_400.0, "days"), (3600.0, "hours"), (60.0, "minutes"))
_SIZES = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"))


def event_rows(plan: Plan) -> list[tuple[str, str, str, str]]:
    """Return the events by type: a day, their price a month, a bar, the type."""
    most = max(plan.events_per_day.values(), default=0.0)
    return [
        (f"{number(count):>11}", f"{usd_text(usd(count * DAYS_PER_MONTH)):>12}", bar(count, most), _short(kind))
        for kind, count in sorted(plan.events_per_day.items(), key=lambda item: -item[1])
        if count
    ]


def rate_rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Return the events per second beside the quota: a number, a bar, what it is."""
    rates = (
        (plan.events_per_second, "events/s on average"),
        (plan.peak_events_per_second, "events/s at the peak"),
        (plan.quota, f"events/s of the quota {QUOTA_CODE} ({QUOTA_NAME})"),
    )
    most = max(value for value, _ in rates)
    return [(f"{number(value):>11}", bar(value, most), name) for value, name in rates]


def fact_rows(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield what the load needs, by name."""
    sharing, divided = plan.processes, ""
    if plan.is_group and plan.processes > 1:
        sharing, divided = 1, ", which they divide among them"
    yield "requests/s at the peak", number(plan.peak_requests_per_second)
    yield "spans/s at the peak", number(plan.peak_spans_per_second)
    yield "price a month", f"{usd_text(plan.usd_per_month)} at list price ({PRICE_DATE}, {PRICE_PAGE})"
    if plan.peak_events_per_second > plan.quota:
        yield "quota to ask for", f"{plan.quota_to_ask:,.0f} events/s, {QUOTA_CODE} ({QUOTA_NAME})"
        yield "without it", f"{percent(plan.sample_rate)} of the sessions at the peak"
        yield "  price a month", f"at most {usd_text(plan.usd_per_month_sampled)}"
        yield "  each process", f"{BUDGET}={setting_text(plan.quota / sharing)}{divided}"
    else:
        yield "quota to ask for", f"none: {number(plan.quota)} events/s are enough"
    yield "processor", f"{plan.cores:.2g} cores at the peak"
    yield "consumers of Kafka", f"{plan.consumers}, with {plan.partitions} partitions"
    limit = math.ceil(plan.peak_requests_per_second / sharing)
    setting = f": {REQUESTS}={limit}{divided}" if limit > DEFAULT_REQUESTS else ""
    requests = number(plan.requests_per_process)
    yield "processes that send", f"{plan.processes}, each with {requests} requests/s at the peak{setting}"
    yield f"an outage of {time(plan.outage_seconds)}", f"{number(plan.outage_events)} events wait"
    yield "  in memory", f"{size(plan.outage_memory_bytes)}; all processes are full after {time(plan.memory_seconds)}"
    yield "  with a spool", f"{size(plan.outage_disk_bytes)} on disk; it is full after {time(plan.disk_seconds)}"
    yield "  delivered afterwards in", time(plan.catch_up_seconds)


def bar(value: float, most: float) -> str:
    """Return a bar for a value. The largest has the full width."""
    eighths = round(value / most * BAR_CHARS * 8) if most else 0
    full, rest = divmod(eighths, 8)
    return ("█" * full + (chr(0x2590 - rest) if rest else "")).ljust(BAR_CHARS)


def number(value: float) -> str:
    """Return a number as text, without a false precision."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def percent(share: float) -> str:
    """Return a share in percent."""
    return f"{100 * share:.{2 if share < 0.99 else 3}g} %"


def setting_text(value: float) -> str:
    """Return a number as the value of a variable."""
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def usd_text(value: float) -> str:
    """Return a price."""
    return f"{value:,.2f} USD" if value < 1000 else f"{value:,.0f} USD"


def size(value: float) -> str:
    """Return a size in bytes as text."""
    for unit, name in _SIZES:
        if value >= unit:
            return f"{value / unit:.3g} {name}"
    return f"{value / 1024:.3g} KiB"


def time(seconds: float) -> str:
    """Return a time as text."""
    if math.isinf(seconds):
        return "no time that ends, because the peak uses the whole quota"
    for unit, name in _UNITS:
        if seconds >= unit:
            count = seconds / unit
            return f"{count:.3g} {name if count != 1 else name[:-1]}"
    return f"{seconds:.3g} seconds"


def _short(kind: str) -> str:
    return kind.removeprefix(PREFIX)
