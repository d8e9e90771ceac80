"""A page's own view: what the overview shows, of one page, with its requests and the pages before and after it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from heapq import nsmallest

from .event_fields import NAVIGATION, Json
from .overview import overview_of
from .received import Received
from .requests import request_rows
from .scope import Scope
from .selection import Selection
from .statistics import percentile

_MAX_REQUESTS = 10
_MAX_NEIGHBOURS = 8
EDGE = ""
"""The place before the first and after the last page of a session."""


def page_detail(received: Received, scope: Scope) -> Json | None:
    """Return the page with the query's `name`; None when no stored event has it."""
    name = scope.query.get("name", "")
    if name not in received.index.page_sessions or not name:
        return None
    own = replace(scope, wanted={**scope.wanted, "page": name})
    selected = Selection(received.index, own)
    shown = overview_of(selected)
    loads = selected.millis_of(NAVIGATION)
    requests = request_rows(selected)
    return {
        **shown,
        "name": name,
        "load_millis": {str(percent): percentile(loads, percent) for percent in (50, 75, 95)},
        "requests": {"total": requests["total"], "urls": requests["urls"][:_MAX_REQUESTS]},
        **_neighbours(name, selected),
    }


def _neighbours(name: str, selected: Selection) -> Json:
    """Return the pages before and after the page's views, in the sessions with an event in scope."""
    before: list[str] = []
    after: list[str] = []
    for session in selected.sessions:
        pages = [page for _, page in session.summary.views]
        for position, page in enumerate(pages):
            if page == name:
                before.append(pages[position - 1] if position else EDGE)
                after.append(pages[position + 1] if position + 1 < len(pages) else EDGE)
    return {
        direction: nsmallest(_MAX_NEIGHBOURS, Counter(pages).items(), key=lambda item: (-item[1], item[0]))
        for direction, pages in (("before", before), ("after", after))
    }
