"""The session list: user, pages, errors and failed requests of each session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .event_fields import Json
from .fact import Fact
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


@dataclass(frozen=True, slots=True)
class Listed:
    """A session in the time range; `facts` None: with all its events."""

    first: float
    last: float
    of: IndexedSession
    facts: list[Fact] | None = None

    @property
    def problems(self) -> int:
        """The number of errors and failed requests in the time range."""
        return self.of.summary.problems if self.facts is None else sum(fact.is_problem for fact in self.facts)

    @property
    def events(self) -> int:
        """The number of events in the time range."""
        return len(self.of.facts if self.facts is None else self.facts)

    def row(self) -> Json:
        """Return its row, with the events in the time range."""
        return row(self.of.key, self.of.summary if self.facts is None else SessionSummary(self.facts))


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
    for session in selection.sessions if scope.has_filters and selection.narrows else selection.index.sessions.values():
        first, last = session.summary.span
        if first >= until or last < since:
            continue
        if since <= first and last < until:
            found.append(Listed(first, last, session))
        elif inside := [fact for fact in session.facts if since <= fact.at < until]:
            times = [fact.at for fact in inside]
            found.append(Listed(min(times), max(times), session, inside))
    # The ids keep the order of sessions that end at the same time.
    return sorted(found, key=lambda each: (-each.last, each.of.key[0], each.of.key[1] or ""))
