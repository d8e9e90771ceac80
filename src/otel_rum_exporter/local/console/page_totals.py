"""The figures of one page, kept while events arrive and leave."""

from __future__ import annotations

from bisect import bisect_left, insort

from .event_fields import HTTP, JS_ERROR, NAVIGATION, PAGE_VIEW
from .fact import Fact
from .statistics import VITALS

LCP = VITALS[0]


class PageTotals:
    """Counts of a page's views, errors and failed requests; sorted durations of its loads, and values of its LCP."""

    __slots__ = ("errors", "failed_requests", "loads", "paints", "views")

    def __init__(self) -> None:
        self.views = self.errors = self.failed_requests = 0
        self.loads: list[float] = []
        self.paints: list[float] = []

    def add(self, fact: Fact) -> None:
        """Add an event of the page."""
        self._count(fact, 1)
        if fact.millis is not None and (millis := self._millis_of(fact)) is not None:
            insort(millis, fact.millis)

    def remove(self, fact: Fact) -> None:
        """Remove an event of the page."""
        self._count(fact, -1)
        if fact.millis is not None and (millis := self._millis_of(fact)) is not None:
            del millis[bisect_left(millis, fact.millis)]

    def _count(self, fact: Fact, by: int) -> None:
        if fact.type == PAGE_VIEW:
            self.views += by
        elif fact.type == JS_ERROR:
            self.errors += by
        elif fact.type == HTTP:
            self.failed_requests += by * fact.is_problem

    def _millis_of(self, fact: Fact) -> list[float] | None:
        if fact.type == NAVIGATION:
            return self.loads
        return self.paints if fact.type == LCP.event_type else None
