"""The HTTP view, by URL pattern: results from `http_event`, durations from `performance_resource_event`.

Clients send both events for one call. The view shows one row for it. Requests that the application served are rows of
their own, beside those that it or a browser made.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

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
_DIRECTIONS = ("made", "served")

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
    return request_rows(Selection(received.index, scope))


def request_rows(selected: Selection) -> Json:
    """Return the requested URLs of a selection, and the latest calls of the query's `url`."""
    scope = selected.scope
    results: defaultdict[tuple[str, bool], list[Fact]] = defaultdict(list)
    for fact in selected.of_type(HTTP):
        results[fact.pattern, fact.is_served].append(fact)
    timings: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in selected.of_type(RESOURCE):
        timings[fact.pattern].append(fact)
    keys = dict.fromkeys([*results, *((url, False) for url in timings)])
    groups = {key: _Group(results.get(key, []), [] if key[1] else timings.get(key[0], [])) for key in keys}
    asked = scope.query.get("url", ""), scope.query.get("direction") == "served"
    by_key = {key: _row(*key, group) for key, group in groups.items()}
    detail = {**by_key[asked], **_calls(groups[asked])} if asked in groups else None
    rows = list(by_key.values())
    directions = {name: sum(row["direction"] == name for row in rows) for name in _DIRECTIONS}
    wanted = scope.query.get("direction", "")
    if wanted in _DIRECTIONS:
        rows = [row for row in rows if row["direction"] == wanted]
    outcomes = {name: sum(row["outcomes"][name] for row in rows) for name in _OUTCOMES}
    wanted = scope.query.get("status", "")
    if wanted in _OUTCOMES:
        rows = [row for row in rows if row["outcomes"][wanted]]
    order, rows = scope.sorted(rows, _ORDERS, by_name="url")
    return {
        "total": len(rows),
        "sort": order,
        "outcomes": outcomes,
        "directions": directions,
        "urls": rows[:_MAX_URLS],
        "detail": detail,
    }


@dataclass(slots=True)
class _Group:
    """The events of a row: results of requests, and measured durations."""

    results: list[Fact]
    timings: list[Fact]


def _row(url: str, is_served: bool, group: _Group) -> Json:  # noqa: FBT001 - the members of a key
    outcomes = Counter([fact.outcome for fact in group.results])
    statuses = Counter([fact.status for fact in group.results])
    millis = sorted([fact.millis for fact in group.timings if fact.millis is not None])
    events = (group.results, group.timings)
    return {
        "url": url,
        "direction": "served" if is_served else "made",
        "methods": sorted({fact.label for fact in group.results} - {""}),
        "file_types": sorted({fact.label for fact in group.timings} - {""}),
        "outcomes": {name: outcomes[name] for name in _OUTCOMES},
        "statuses": [[status, count] for status, count in sorted(statuses.items())],
        "problems": len(group.results) - outcomes["ok"],
        "calls": sum(len(facts) - sum([fact.is_second for fact in facts]) for facts in events),
        "timed": len(group.timings),
        "p50_millis": percentile(millis, 50),
        "p75_millis": percentile(millis, 75),
        "last": max(max([fact.at for fact in facts]) for facts in events if facts),
    }


def _calls(group: _Group) -> Json:
    # A call is shown by its request, or by its measured duration when there is no request.
    calls = [*group.results, *(fact for fact in group.timings if not fact.other)]
    calls = sorted(calls or group.timings, key=attrgetter("at"), reverse=True)
    axis = Axis.over(calls[-1].at, calls[0].at)
    times: defaultdict[str, list[float]] = defaultdict(list)
    for fact in calls:
        times[fact.outcome].append(fact.at)
    return {
        "calls": len(calls),
        "chart": {
            "start": axis.start,
            "step_seconds": axis.step_seconds,
            "timed": axis.counts(times[""]),
            **{name: axis.counts(times[name]) for name in _OUTCOMES},
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
                "url": fact.url,
                "status": fact.status,
                "outcome": fact.outcome or None,
                "error": text(fact.event.details, "error", "message"),
                "duration_millis": measured.millis,
                "page": fact.page,
            }
        )
    return rows
