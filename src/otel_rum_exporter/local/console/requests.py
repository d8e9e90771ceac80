"""The HTTP view, by URL pattern: results from `http_event`, durations from `performance_resource_event`.

Clients send both events for one call. The view shows one row for it. Requests that the application served are rows of
their own, beside those that it or a browser made.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from .axis import Axis
from .event_fields import HTTP, RESOURCE, Json, row_keys, text
from .fact import Fact, Group
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
    found = _rows(selected)
    by_key = {key: row.shown(*key) for key, row in found.items()}
    asked = scope.query.get("url", ""), scope.query.get("direction") == "served"
    detail = {**by_key[asked], **_calls(selected, *asked)} if asked in by_key else None
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
class _Row:
    """The times of a row's requests and measured durations, in groups; the durations; and the number of pairs."""

    results: dict[Group, list[float]] = field(default_factory=dict)
    timings: dict[Group, list[float]] = field(default_factory=dict)
    millis: list[float] = field(default_factory=list)
    pairs: int = 0

    def shown(self, url: str, is_served: bool) -> Json:  # noqa: FBT001 - the members of a key
        outcomes: Counter[str] = Counter()
        statuses: Counter[int] = Counter()
        for group, times in self.results.items():
            outcomes[group.outcome] += len(times)
            statuses[group.status] += len(times)
        timed = sum(map(len, self.timings.values()))
        return {
            "url": url,
            "direction": "served" if is_served else "made",
            "methods": sorted({group.label for group in self.results} - {""}),
            "file_types": sorted({group.label for group in self.timings} - {""}),
            "outcomes": {name: outcomes[name] for name in _OUTCOMES},
            "statuses": [[status, count] for status, count in sorted(statuses.items())],
            "problems": outcomes.total() - outcomes["ok"],
            "calls": outcomes.total() + timed - self.pairs,
            "timed": timed,
            "p50_millis": percentile(self.millis, 50),
            "p75_millis": percentile(self.millis, 75),
            "last": max(map(max, (*self.results.values(), *self.timings.values()))),
        }


def _rows(selected: Selection) -> Mapping[tuple[str, bool], _Row]:
    """Return the rows by pattern and whether the requests were served."""
    found: defaultdict[tuple[str, bool], _Row] = defaultdict(_Row)
    results: defaultdict[tuple[Group, bool], list[float]] = defaultdict(list)
    for group, at, fact in selected.columns(HTTP, "groups", "at", "facts"):
        results[group, fact.is_served].append(at)
    for (group, is_served), times in results.items():
        found[group.pattern, is_served].results[group] = times
    for group, times in _by_group(selected.columns(RESOURCE, "groups", "at")).items():
        found[group.pattern, False].timings[group] = times
    for group, millis in _by_group(selected.measured(RESOURCE, "groups")).items():
        found[group.pattern, False].millis += millis
    requests = set(selected.of_type(HTTP))
    for group, fact in selected.columns(RESOURCE, "groups", "facts"):
        other = fact.other
        if other in requests and other.group.pattern == group.pattern:
            found[group.pattern, False].pairs += 1
    return found


def _by_group(values: Iterable[tuple[Any, ...]]) -> Mapping[Group, list[float]]:
    found: defaultdict[Group, list[float]] = defaultdict(list)
    for group, value in values:
        found[group].append(value)
    return found


def _calls(selected: Selection, url: str, is_served: bool) -> Json:  # noqa: FBT001 - the members of a key
    """Return the latest calls of a row. A call is shown by its request, else by its measured duration."""
    of_url = [fact for group, fact in selected.columns(HTTP, "groups", "facts") if group.pattern == url]
    requests = {fact for fact in of_url if fact.is_served is is_served}
    timings = [] if is_served else selected.columns(RESOURCE, "groups", "facts")
    measured = [fact for group, fact in timings if group.pattern == url]
    calls = [fact for fact in of_url if fact in requests] + [fact for fact in measured if fact.other not in requests]
    calls.sort(key=attrgetter("at"), reverse=True)
    axis = Axis.over(calls[-1].at, calls[0].at)
    times: defaultdict[str, list[float]] = defaultdict(list)
    for fact in calls:
        times[fact.group.outcome].append(fact.at)
    return {
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
        measured = fact.other if fact.group.outcome and fact.other else fact
        rows.append(
            {
                **session_and_user(fact.event),
                "key": key,
                "event": fact.event.id,
                "timestamp": fact.at,
                "url": fact.url,
                "status": fact.group.status,
                "outcome": fact.group.outcome or None,
                "error": text(fact.event.details, "error", "message"),
                "duration_millis": measured.millis,
                "page": fact.page,
            }
        )
    return rows
