"""The session list: user, pages, errors and failed requests of each session."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from ..record import Event
from ..session import Session, sessions
from .axis import Axis
from .event_fields import PAGE_VIEW, Json, is_problem, kind, page, text
from .received import Received
from .scope import MAX_ROWS, Scope

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
    found = in_scope(received.events, scope)
    if scope.query.get("only") == "problems":
        found = [session for session in found if any(map(is_problem, session.events))]
    limit = scope.number("limit", _PAGE_LENGTH, MAX_ROWS)
    offset = scope.offset(len(found), limit)
    return {
        "total": len(found),
        "offset": offset,
        "limit": limit,
        "sessions": [row(session) for session in found[offset : offset + limit]],
    }


def in_scope(events: Iterable[Event], scope: Scope) -> list[Session]:
    """Return the sessions in the time range with at least one matching event."""
    return [session for session in sessions(scope.in_time(events)) if any(map(scope.fits, session.events))]


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
