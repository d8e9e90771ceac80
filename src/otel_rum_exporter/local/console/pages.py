"""The page views: number of views, load times, errors and failed requests per page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .event_fields import Json
from .page_totals import LCP
from .received import Received
from .scope import Scope
from .selection import Selection
from .statistics import apdex, percentile, vital

_MAX_PAGES = 200

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
    selected = Selection(received.index, scope)
    order, rows = scope.sorted([_row(name, selected) for name in selected.pages], _ORDERS, by_name="page")
    return {"total": len(rows), "sort": order, "pages": rows[:_MAX_PAGES]}


def most_viewed(selected: Selection, limit: int) -> Json:
    """Return the number of pages in scope, and the rows of the most viewed."""
    pages = selected.pages
    found = sorted(pages, key=lambda name: (-pages[name].views, name))[:limit]
    return {"total": len(pages), "rows": [_row(name, selected) for name in found]}


def _row(name: str, selected: Selection) -> Json:
    totals = selected.pages[name]
    loads = totals.loads
    return {
        "page": name,
        "views": totals.views,
        "sessions": selected.sessions_of_pages[name],
        "loads": len(loads),
        "p50_millis": percentile(loads, 50),
        "p75_millis": percentile(loads, 75),
        "slowest_millis": loads[-1] if loads else None,
        "apdex": apdex(loads),
        "lcp": vital(LCP, totals.paints),
        "errors": totals.errors,
        "failed_requests": totals.failed_requests,
    }
