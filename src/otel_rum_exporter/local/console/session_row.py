"""The row of one session: its user, its pages, and the numbers of its errors and failed requests."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from ..record import Event
from .event_fields import Json
from .fact import Values
from .indexed_session import Key
from .session_summary import SessionSummary

ANONYMOUS_USER = "00000000-0000-0000-0000-000000000000"
"""The user id that AWS's client sends when it may not store one."""

NO_SESSION = "none"
"""The session id shown when requests have none."""

_JOURNEY_STEPS = 8
_STRIP_STEPS = 32


def row(key: Key, summary: SessionSummary) -> Json:
    """Return the row of a session with these events, at least one."""
    steps = [step for step, _ in groupby(page for _, page in summary.views)]
    first, last = summary.span
    monitor, session_id = key
    return {
        "id": session_id or NO_SESSION,
        "monitor": monitor,
        "user": next(reversed(users(summary)), None),
        "first": first,
        "last": last,
        "events": summary.events,
        "page_views": len(summary.views),
        "journey": steps[:_JOURNEY_STEPS],
        "journey_steps": len(steps),
        "errors": len(summary.times["x"]),
        "failed_requests": len(summary.times["h"]),
        "strip": summary.strip(_STRIP_STEPS),
        **device(summary.values),
    }


def users(summary: SessionSummary) -> list[str]:
    """Return the known users, the latest last. A session has several after a login."""
    return [user for user in summary.users if user and user != ANONYMOUS_USER]


def session_and_user(event: Event) -> Json:
    """Return session, app monitor and user of an event; the user is None when anonymous."""
    return {
        "session": event.session_id or NO_SESSION,
        "monitor": event.app_monitor_id,
        "user": None if event.user_id == ANONYMOUS_USER else event.user_id,
    }


def device(combinations: Iterable[Values]) -> Json:
    """Return browser, operating system, device and country: for each, the last value in the combinations."""
    found = [values.by_name for values in combinations][::-1]
    names = ("browser", "os", "device", "country")
    return {name: next((values[name] for values in found if values[name]), "") for name in names}
