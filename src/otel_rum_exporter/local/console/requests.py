"""The HTTP view, by URL pattern: results from `http_event`, durations from `performance_resource_event`.

Clients send both events for one call. The view shows one row for it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..session import summary
from .axis import Axis
from .event_fields import HTTP, RESOURCE, Json, row_keys, text
from .fact import Fact
from .received import Received
from .scope import Scope
from .selection import Selection
from .session_row import session_and_user
from .statistics import percentile

_MAX_URLS = 200
_MAX_SAMPLES = 50
_OUTCOMES = ("ok", "4xx", "5xx", "failed")

# Each order with its value of a row. The first order is the default.
_ORDERS: Mapping[str, Callable[[Json], Any]] = {
    "problems": lambda row: (row["problems"], row["calls"]),
    "url": lambda row: row["url"],
    "calls": lambda row: row["calls"],
    "p50_millis": lambda row: row["p50_millis"] or 0,
    "p75_millis": lambda row: row["p75_millis"] or 0,
    "last": lambda row: row["last"],
}


def request_list(received: Received, scope: Scope) -> Json:
    """Return the requested URLs in scope, and the latest calls of the query's `url`."""
    groups: dict[str, list[Fact]] = defaultdict(list)
    selected = Selection(received.index, scope)
    for fact in (*selected.of_type(HTTP), *selected.of_type(RESOURCE)):
        groups[fact.pattern].append(fact)
    asked = scope.query.get("url", "")
    detail = _detail(asked, groups[asked]) if asked in groups else None
    rows = [_row(url, group) for url, group in groups.items()]
    outcomes = {name: sum(row["outcomes"][name] for row in rows) for name in _OUTCOMES}
    wanted = scope.query.get("status", "")
    if wanted in _OUTCOMES:
        rows = [row for row in rows if row["outcomes"][wanted]]
    order, rows = scope.sorted(rows, _ORDERS, by_name="url")
    return {"total": len(rows), "sort": order, "outcomes": outcomes, "urls": rows[:_MAX_URLS], "detail": detail}


def _row(url: str, group: Sequence[Fact]) -> Json:
    # Each event is read once: reading scattered events takes most of the time.
    kinds: Counter[tuple[str, int, str]] = Counter()
    read = [(fact.outcome, fact.status, fact.label, fact.is_second, fact.millis, fact.at) for fact in group]
    kinds.update([kind[:3] for kind in read])
    outcomes: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    for (outcome, status, _), count in kinds.items():
        outcomes[outcome] += count
        if outcome:
            statuses[status] += count
    millis = sorted([one[4] for one in read if one[4] is not None and not one[0]])
    return {
        "url": url,
        "methods": sorted({label for outcome, _, label in kinds if outcome and label}),
        "file_types": sorted({label for outcome, _, label in kinds if not outcome and label}),
        "outcomes": {name: outcomes[name] for name in _OUTCOMES},
        "statuses": [[status, count] for status, count in sorted(statuses.items())],
        "problems": sum(outcomes[name] for name in _OUTCOMES) - outcomes["ok"],
        "calls": sum([not one[3] for one in read]),
        "timed": outcomes[""],
        "p50_millis": percentile(millis, 50),
        "p75_millis": percentile(millis, 75),
        "last": max([one[5] for one in read]),
    }


def _detail(url: str, group: Sequence[Fact]) -> Json:
    # The request stands for a call, its measured duration only without one.
    calls = sorted([fact for fact in group if fact.outcome or not fact.other], key=lambda fact: fact.at, reverse=True)
    calls = calls or list(group)
    axis = Axis.over(calls[-1].at, calls[0].at)
    return {
        **_row(url, group),
        "calls": len(calls),
        "chart": {
            "start": axis.start,
            "step_seconds": axis.step_seconds,
            "timed": axis.counts([fact.at for fact in calls if not fact.outcome]),
            **{name: axis.counts([fact.at for fact in calls if fact.outcome == name]) for name in _OUTCOMES},
        },
        "samples": _samples(calls[:_MAX_SAMPLES]),
    }


def _samples(calls: Sequence[Fact]) -> list[Json]:
    rows = []
    for key, fact in zip(row_keys([fact.event for fact in calls]), calls, strict=True):
        measured = fact.other if fact.outcome and fact.other else fact
        rows.append(
            {
                **session_and_user(fact.event),
                "key": key,
                "event": fact.event.id,
                "timestamp": fact.at,
                "summary": summary(fact.event),
                "outcome": fact.outcome or None,
                "error": text(fact.event.details, "error", "message"),
                "duration_millis": measured.millis,
                "page": fact.page,
            }
        )
    return rows
