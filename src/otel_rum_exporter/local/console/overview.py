"""The overview: totals, charts over time, web vitals, and the first rows of the other views."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ..record import Event
from .axis import Axis
from .errors import error_list
from .event_fields import PAGE_VIEW, Json, duration_millis, kind, number, outcome
from .pages import page_rows
from .received import Received
from .scope import Scope
from .session_list import ANONYMOUS_USER, in_scope, row
from .statistics import VITALS, apdex, percentile, vital

_ROWS = 5
_RECENT_SECONDS = 3600


def overview(received: Received, scope: Scope) -> Json:
    """Return the totals, charts and first rows of all events in scope."""
    events = [event for event in scope.in_time(received.events) if scope.fits(event)]
    found = in_scope(received.events, scope)
    loads = [(event.timestamp, millis) for event in events if (millis := _load_millis(event)) is not None]
    pages = sorted(page_rows(events), key=lambda page: page["views"], reverse=True)
    values = defaultdict(list)
    for event in events:
        if kind(event) == "vital" and (value := number(event.details, "value")) is not None:
            values[event.type].append(value)
    return {
        "events": len(events),
        "users": len({event.user_id for event in events} - {None, ANONYMOUS_USER}),
        "apdex": apdex([millis for _, millis in loads]),
        "load_p75_millis": percentile([millis for _, millis in loads], 75),
        "vitals": [vital(each, values[each.event_type]) for each in VITALS],
        "chart": _chart(events, [session.first for session in found], loads, scope),
        "sessions": {"total": len(found), "rows": [row(session) for session in found[:_ROWS]]},
        "pages": {"total": len(pages), "rows": pages[:_ROWS]},
        "errors": {**(errors := error_list(received, scope)), "errors": errors["errors"][:_ROWS]},
    }


def _load_millis(event: Event) -> float | None:
    return duration_millis(event) if kind(event) == "load" else None


def _axis(times: Sequence[float], scope: Scope) -> Axis:
    """Return an axis over the requested time, else over the events; it ends now when the latest event is recent."""
    first, latest = min(times, default=scope.now), max(times, default=scope.now)
    end = scope.now if scope.since or scope.now - latest < _RECENT_SECONDS else latest
    start = scope.since or first
    # `until` is exclusive: it is the start of the next step.
    return Axis.over(start, max(start, scope.until - 1e-3 if scope.until else end))


def _chart(
    events: Sequence[Event], session_starts: Iterable[float], loads: Iterable[tuple[float, float]], scope: Scope
) -> Json:
    axis = _axis([event.timestamp for event in events], scope)
    series: dict[str, list[float]] = defaultdict(list)
    for event in events:
        if kind(event) == "http":
            series[outcome(event)].append(event.timestamp)
        elif kind(event) == "error":
            series["errors"].append(event.timestamp)
        elif event.type == PAGE_VIEW:
            series["page_views"].append(event.timestamp)
    by_step: dict[int, list[float]] = defaultdict(list)
    for seconds, millis in loads:
        by_step[axis.index(seconds)].append(millis)
    return {
        "start": axis.start,
        "step_seconds": axis.step_seconds,
        "sessions": axis.counts(session_starts),
        **{name: axis.counts(series[name]) for name in ("page_views", "errors", "4xx", "5xx", "failed")},
        "load_p75_millis": [percentile(by_step[step], 75) for step in range(axis.steps)],
    }
