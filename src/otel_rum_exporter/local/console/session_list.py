"""The session list: user, pages, errors and failed requests of each session."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from .event_fields import Json
from .indexed_session import IndexedSession
from .received import Received
from .scope import MAX_ROWS, Scope
from .selection import Selection
from .session_row import row
from .session_summary import SessionSummary

_PAGE_LENGTH = 50


def session_list(received: Received, scope: Scope) -> Json:
    """Return the sessions with an event in scope, the latest event first."""
    found = in_scope(Selection(received.index, scope))
    if scope.query.get("only") == "problems":
        found = [each for each in found if each.problems]
    order, found = scope.sorted(found, _ORDERS)
    limit = scope.number("limit", _PAGE_LENGTH, MAX_ROWS)
    offset = scope.offset(len(found), limit)
    return {
        "total": len(found),
        "sort": order,
        "offset": offset,
        "limit": limit,
        "sessions": [{**each.row(), "forgotten": each.of.forgotten} for each in found[offset : offset + limit]],
    }


class Listed(NamedTuple):
    """A session in the time range, from `first` to `last`; its events are not read before its row is made.

    In ascending order, the latest is the last one. Sessions that end together have an order that does not depend on
    events that were forgotten.
    """

    last: float
    order: tuple[str, bool, str]
    first: float
    of: IndexedSession

    @property
    def problems(self) -> int:
        """The number of errors and failed requests in the time range."""
        return self._count("h") + self._count("x")

    @property
    def events(self) -> int:
        """The number of events in the time range."""
        return self._count("e")

    def _count(self, character: str) -> int:
        times = self.of.summary.times[character]
        return bisect_right(times, self.last) - bisect_left(times, self.first)

    def row(self) -> Json:
        """Return its row, with the events in the time range."""
        is_whole = self.events == self.of.summary.events
        inside = () if is_whole else [fact for fact in self.of.facts if self.first <= fact.at <= self.last]
        return row(self.of.key, self.of.summary if is_whole else SessionSummary(inside))


# Each order with its value of a session. The first order is the default.
_ORDERS: Mapping[str, Callable[[Listed], Any]] = {
    "last": lambda each: each.last,
    "duration": lambda each: each.last - each.first,
    "events": lambda each: each.events,
    "problems": lambda each: each.problems,
}


def in_scope(selection: Selection) -> list[Listed]:
    """Return the sessions in the time range with at least one matching event, the latest event first."""
    scope = selection.scope
    since, until = scope.since or float("-inf"), scope.until or float("inf")
    found = []
    sessions: Iterable[IndexedSession] = selection.index.sessions.values()
    if scope.has_filters and selection.narrows:
        sessions = filter(selection.sessions.__contains__, sessions)
    for session in sessions:
        first, last = session.first, session.last
        if since <= first and last < until:
            found.append(Listed(last, session.order, first, session))
        elif since <= last and first < until:
            times = session.summary.times["e"]
            if (begin := bisect_left(times, since)) < (end := bisect_left(times, until)):
                found.append(Listed(times[end - 1], session.order, times[begin], session))
    return sorted(found, reverse=True)
