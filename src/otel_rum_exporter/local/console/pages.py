"""The page views: number of views, load times, errors and failed requests per page."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .event_fields import HTTP, JS_ERROR, NAVIGATION, PAGE_VIEW, Json
from .fact import Fact
from .received import Received
from .scope import Scope
from .selection import Selection
from .statistics import VITALS, apdex, percentile, vital

_MAX_PAGES = 200
_LCP = VITALS[0]

# Each order with its value of a row. The first order is the default.
_ORDERS: Mapping[str, Callable[[Json], Any]] = {
    "views": lambda row: row["views"],
    "page": lambda row: row["page"],
    "sessions": lambda row: row["sessions"],
    "p50_millis": lambda row: row["p50_millis"] or 0,
    "p75_millis": lambda row: row["p75_millis"] or 0,
    "slowest_millis": lambda row: row["slowest_millis"] or 0,
    "loads": lambda row: row["apdex"]["score"] if row["loads"] else -1,
    "lcp": lambda row: row["lcp"]["p75"] or 0,
    "errors": lambda row: row["errors"],
    "failed_requests": lambda row: row["failed_requests"],
}


def page_list(received: Received, scope: Scope) -> Json:
    """Return the pages in scope."""
    pages = _Pages(Selection(received.index, scope))
    order, rows = scope.sorted([_row(name, pages) for name in pages.sessions], _ORDERS, by_name="page")
    return {"total": len(rows), "sort": order, "pages": rows[:_MAX_PAGES]}


def most_viewed(selected: Selection, limit: int) -> Json:
    """Return the number of pages in scope, and the rows of the most viewed."""
    pages = _Pages(selected)
    found = sorted(pages.sessions, key=lambda name: (-pages.views[name], name))[:limit]
    return {"total": len(pages.sessions), "rows": [_row(name, pages) for name in found]}


class _Pages:
    """The events in scope by page."""

    def __init__(self, selected: Selection) -> None:
        self.sessions = selected.page_sessions
        self.views = Counter([fact.page for fact in selected.of_type(PAGE_VIEW)])
        self.errors = Counter([fact.page for fact in selected.of_type(JS_ERROR)])
        self.failed_requests = Counter([fact.page for fact in selected.of_type(HTTP) if fact.is_problem])
        self.loads = _millis_by_page(selected.of_type(NAVIGATION))
        self.paints = _millis_by_page(selected.of_type(_LCP.event_type))


def _millis_by_page(facts: Iterable[Fact]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for fact in facts:
        if fact.millis is not None:
            found[fact.page].append(fact.millis)
    return found


def _row(name: str, pages: _Pages) -> Json:
    loads = pages.loads.get(name, [])
    return {
        "page": name,
        "views": pages.views[name],
        "sessions": len(pages.sessions[name]),
        "loads": len(loads),
        "p50_millis": percentile(loads, 50),
        "p75_millis": percentile(loads, 75),
        "slowest_millis": max(loads, default=None),
        "apdex": apdex(loads),
        "lcp": vital(_LCP, pages.paints.get(name, [])),
        "errors": pages.errors[name],
        "failed_requests": pages.failed_requests[name],
    }
