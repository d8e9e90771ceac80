"""The view of all sessions: who was here, where they went, and how it went."""

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
"""The user id of AWS's client for someone it may not know."""

NO_SESSION = "none"
"""What stands for the id of a session whose requests gave none."""

_PAGE_LENGTH = 50
_JOURNEY_STEPS = 8
_STRIP_STEPS = 32
_STRIP_MARKS = {"error": "x", "http": "h", "page": "p"}


def session_list(received: Received, scope: Scope) -> Json:
    """Tell the sessions that have an event in scope, the one with the latest event first."""
    found = in_scope(received.events, scope)
    if scope.query.get("only") == "problems":
        found = [session for session in found if any(map(is_problem, session.events))]
    offset, limit = scope.number("offset", 0, 10**9), scope.number("limit", _PAGE_LENGTH, MAX_ROWS)
    return {
        "total": len(found),
        "offset": offset,
        "limit": limit,
        "sessions": [row(session) for session in found[offset : offset + limit]],
    }


def in_scope(events: Iterable[Event], scope: Scope) -> list[Session]:
    """Return whole sessions, of the time span, in which one event fits."""
    return [session for session in sessions(scope.in_time(events)) if any(map(scope.fits, session.events))]


def row(session: Session) -> Json:
    """Tell a session in one line."""
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
    """Tell the session and the known user of an event."""
    return {
        "session": event.session_id or NO_SESSION,
        "monitor": event.app_monitor_id,
        "user": None if event.user_id == ANONYMOUS_USER else event.user_id,
    }


def device(events: Iterable[Event]) -> Json:
    """Tell the browser, system, device and country that the events know, the first to know one decides."""
    told = {"browser": "browserName", "os": "osName", "device": "deviceType", "country": "countryCode"}
    found = dict.fromkeys(told, "")
    for event in events:
        for name, key in told.items():
            found[name] = found[name] or text(event.metadata, key)
        if all(found.values()):
            break
    return found


def strip(events: tuple[Event, ...]) -> str:
    """Draw a session's course with one character a step: `x` an error, `h` a failed request, `p` a page, `e` others."""
    axis = Axis(events[0].timestamp, (events[-1].timestamp - events[0].timestamp) / _STRIP_STEPS or 1, _STRIP_STEPS)
    marks = [" "] * _STRIP_STEPS
    rank = " ephx"
    for event in events:
        mark = _STRIP_MARKS.get(kind(event), "e")
        mark = "e" if mark == "h" and not is_problem(event) else mark
        index = axis.index(event.timestamp)
        marks[index] = max(marks[index], mark, key=rank.index)
    return "".join(marks)
