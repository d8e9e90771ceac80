"""The overview: totals, charts over time, web vitals, and the first rows of the other views."""

from __future__ import annotations

from collections.abc import Sequence

from ..session import short_type
from .axis import Axis
from .errors import most_frequent
from .event_fields import JS_ERROR, NAVIGATION, PAGE_VIEW, SESSION_START, Json
from .pages import most_viewed
from .received import Received
from .scope import Scope
from .selection import Selection
from .session_list import Listed, in_scope
from .session_row import ANONYMOUS_USER
from .statistics import VITALS, apdex, percentile, vital

USD_PER_EVENT = 1 / 100_000
"""AWS's list price in November 2026: https://aws.amazon.com/cloudwatch/pricing/"""

_ROWS = 5
_TYPES = 30
_RECENT_SECONDS = 3600
_DOCTOR = "otel_rum_doctor"


def overview(received: Received, scope: Scope) -> Json:
    """Return the totals, charts and first rows of all events in scope."""
    return overview_of(Selection(received.index, scope))


def overview_of(selected: Selection) -> Json:
    """Return the totals, charts and first rows of a selection."""
    events = sum(selected.type_counts.values())
    found = in_scope(selected)
    loads = selected.millis_of(NAVIGATION)
    return {
        "events": events,
        "usd": events * USD_PER_EVENT,
        "types": _types(selected),
        "users": len(selected.users - {None, ANONYMOUS_USER}),
        "apdex": apdex(loads),
        "load_p75_millis": percentile(loads, 75),
        "vitals": [vital(each, selected.millis_of(each.event_type)) for each in VITALS],
        "chart": _chart(selected, found),
        "sessions": {
            "started": selected.type_counts.get(SESSION_START, 0),
            "total": len(found),
            "rows": [each.row() for each in _latest(found)],
        },
        "pages": most_viewed(selected, _ROWS),
        "errors": most_frequent(selected, _ROWS),
    }


def _latest(found: Sequence[Listed]) -> list[Listed]:
    """Return the first sessions, those of only doctor's test events last."""
    first: list[Listed] = []
    of_doctor: list[Listed] = []
    for each in found:
        (of_doctor if all(fact.type == _DOCTOR for fact in each.of.facts) else first).append(each)
        if len(first) == _ROWS:
            break
    return (first + of_doctor)[:_ROWS]


def _types(selected: Selection) -> Json:
    """Return the number of events of the most frequent types, and what they cost at list price."""
    counts = sorted(selected.type_counts.items(), key=lambda item: (-item[1], item[0]))
    rows = [{"name": short_type(name), "count": count, "usd": count * USD_PER_EVENT} for name, count in counts]
    return {"total": len(rows), "rows": rows[:_TYPES]}


def _axis(selected: Selection, found: Sequence[Listed]) -> Axis:
    """Return an axis over the requested time, else over the sessions; it ends now when the latest event is recent."""
    scope = selected.scope
    first = min((each.first for each in found), default=scope.now)
    latest = max((each.last for each in found), default=scope.now)
    end = scope.now if scope.since or scope.now - latest < _RECENT_SECONDS else latest
    start = scope.since or first
    # `until` is exclusive: it is the start of the next step.
    return Axis.over(start, max(start, scope.until - 1e-3 if scope.until else end))


def _chart(selected: Selection, found: Sequence[Listed]) -> Json:
    axis = _axis(selected, found)
    series = {
        "sessions": selected.times(SESSION_START),
        "page_views": selected.times(PAGE_VIEW),
        "errors": selected.times(JS_ERROR),
        **selected.problem_times(),
    }
    by_step: list[list[float]] = [[] for _ in range(axis.steps)]
    loads = [(at, millis) for at, millis in selected.columns(NAVIGATION, "at", "millis") if millis is not None]
    for step, (_, millis) in zip(axis.steps_of([at for at, _ in loads]), loads, strict=True):
        by_step[step].append(millis)
    return {
        "start": axis.start,
        "step_seconds": axis.step_seconds,
        **{name: axis.counts_of_sorted(times) for name, times in series.items()},
        "load_p75_millis": [percentile(some, 75) for some in by_step],
    }
