"""The page views: number of views, load times, errors and failed requests per page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ..record import Event
from .event_fields import NAVIGATION, PAGE_VIEW, Json, duration_millis, is_problem, kind, number, page
from .received import Received
from .scope import Scope
from .statistics import VITALS, apdex, percentile, vital

_MAX_PAGES = 200
_LCP = VITALS[0]
_ORDERS = ("views", "p75_millis", "errors", "failed_requests", "page")


def page_list(received: Received, scope: Scope) -> Json:
    """Return the pages in scope."""
    order = scope.query.get("sort", "")
    order = order if order in _ORDERS else _ORDERS[0]
    rows = page_rows(event for event in scope.in_time(received.events) if scope.fits(event))
    if order != "page":
        rows.sort(key=lambda row: (row[order] or 0, row["views"]), reverse=True)
    return {"total": len(rows), "sort": order, "pages": rows[:_MAX_PAGES]}


def page_rows(events: Iterable[Event]) -> list[Json]:
    """Return one row per page, ordered by name."""
    groups: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if name := page(event):
            groups[name].append(event)
    return [_row(name, group) for name, group in sorted(groups.items())]


def _row(name: str, group: Sequence[Event]) -> Json:
    loads = [millis for one in group if one.type == NAVIGATION and (millis := duration_millis(one)) is not None]
    paints = [
        value for one in group if one.type == _LCP.event_type and (value := number(one.details, "value")) is not None
    ]
    return {
        "page": name,
        "views": sum(event.type == PAGE_VIEW for event in group),
        "sessions": len({(event.app_monitor_id, event.session_id) for event in group}),
        "loads": len(loads),
        "p50_millis": percentile(loads, 50),
        "p75_millis": percentile(loads, 75),
        "slowest_millis": max(loads, default=None),
        "apdex": apdex(loads),
        "lcp": vital(_LCP, paints),
        "errors": sum(kind(event) == "error" for event in group),
        "failed_requests": sum(kind(event) == "http" and is_problem(event) for event in group),
    }
