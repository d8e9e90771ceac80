"""The session list: user, pages, errors and failed requests of each session."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from ..record import Event
from ..session import Session
from .axis import Axis
from .event_fields import PAGE_VIEW, Json, is_problem, kind, page, text
from .index import Fact, IndexedSession
from .received import Received
from .scope import MAX_ROWS, Scope
from .selection import Selection

ANONYMOUS_USER = "00000000-0000-0000-0000-000000000000"
"""The user id that AWS's client sends when it may not store one."""

NO_SESSION = "none"
"""The session id shown when requests have none."""

_PAGE_LENGTH = 50
_JOURNEY_STEPS = 8
_STRIP_STEPS = 32
_STRIP_CHARACTERS = {"error": "x", "http": "h", "page": "p"}


def session_list(received: Received, scope: Scope) -> Json:
    """Return the sessions with an event in scope, the latest event first."""
    found = in_scope(Selection(received.index, scope))
    if scope.query.get("only") == "problems":
        found = [each for each in found if each.has_problems]
    limit = scope.number("limit", _PAGE_LENGTH, MAX_ROWS)
    offset = scope.offset(len(found), limit)
    return {
        "total": len(found),
        "offset": offset,
        "limit": limit,
        "sessions": [
            {**row(each.session()), "forgotten": each.of.forgotten} for each in found[offset : offset + limit]
        ],
    }


@dataclass(frozen=True, slots=True)
class Listed:
    """A session in the time range; `facts` None: with all its events."""

    first: float
    last: float
    of: IndexedSession
    facts: list[Fact] | None = None

    @property
    def has_problems(self) -> bool:
        """Whether it has errors or failed requests in the time range."""
        return any(fact.is_problem for fact in self.facts) if self.facts is not None else self.of.problems > 0

    def session(self) -> Session:
        """Return the session with its events in the time range."""
        return self.of.session(self.facts)


def in_scope(selection: Selection) -> list[Listed]:
    """Return the sessions in the time range with at least one matching event, the latest event first."""
    scope = selection.scope
    since, until = scope.since or float("-inf"), scope.until or float("inf")
    fitting = selection.sessions if scope.has_filters else None
    found = []
    for session in selection.index.sessions.values():
        first, last = session.span()
        if first >= until or last < since or (fitting is not None and session not in fitting):
            continue
        if since <= first and last < until:
            found.append(Listed(first, last, session))
        elif inside := [fact for fact in session.facts if since <= fact.at < until]:
            times = [fact.at for fact in inside]
            found.append(Listed(min(times), max(times), session, inside))
    # The ids keep the order of sessions that end at the same time.
    return sorted(found, key=lambda each: (-each.last, each.of.key[0], each.of.key[1] or ""))


def row(session: Session) -> Json:
    """Return the row of a session."""
    pages = [page(event) for event in session.events if event.type == PAGE_VIEW]
    steps = [step for step, _ in groupby(pages)]
    return {
        "id": session.id or NO_SESSION,
        "monitor": session.app_monitor_id,
        "user": next((user for user in reversed(session.user_ids) if user != ANONYMOUS_USER), None),
        "first": session.first,
        "last": session.last,
        "events": len(session.events),
        "page_views": len(pages),
        "journey": steps[:_JOURNEY_STEPS],
        "journey_steps": len(steps),
        "errors": sum(kind(event) == "error" for event in session.events),
        "failed_requests": sum(kind(event) == "http" and is_problem(event) for event in session.events),
        "strip": strip(session.events),
        **device(session.events),
    }


def session_and_user(event: Event) -> Json:
    """Return session, app monitor and user of an event; the user is None when anonymous."""
    return {
        "session": event.session_id or NO_SESSION,
        "monitor": event.app_monitor_id,
        "user": None if event.user_id == ANONYMOUS_USER else event.user_id,
    }


def device(events: Iterable[Event]) -> Json:
    """Return browser, operating system, device and country: for each, the first value in the events."""
    keys = {"browser": "browserName", "os": "osName", "device": "deviceType", "country": "countryCode"}
    found = dict.fromkeys(keys, "")
    for event in events:
        for name, key in keys.items():
            found[name] = found[name] or text(event.metadata, key)
        if all(found.values()):
            break
    return found


def strip(events: tuple[Event, ...]) -> str:
    """Return a session as one character per time step: `x` error, `h` failed request, `p` page, `e` any other event."""
    axis = Axis(events[0].timestamp, (events[-1].timestamp - events[0].timestamp) / _STRIP_STEPS or 1, _STRIP_STEPS)
    cells = [" "] * _STRIP_STEPS
    rank = " ephx"
    for event in events:
        character = _STRIP_CHARACTERS.get(kind(event), "e")
        character = "e" if character == "h" and not is_problem(event) else character
        index = axis.index(event.timestamp)
        cells[index] = max(cells[index], character, key=rank.index)
    return "".join(cells)
