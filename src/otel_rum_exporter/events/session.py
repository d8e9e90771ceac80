"""The start of a session: `session_start_event`, which RUM counts as SessionCount."""

from __future__ import annotations

from collections.abc import Iterator

from ..config import Config
from ..identity import NIL_UUID, SESSION_ATTRIBUTES
from ..log_record import LogView
from ..view import text
from .rum_event import VERSION, Draft

SESSION_START_EVENT = "com.amazon.rum.session_start_event"


def session_start(timestamp_ns: int) -> Draft:
    """Return the event that opens a session."""
    return Draft(SESSION_START_EVENT, timestamp_ns, {"version": VERSION})


def is_started(view: LogView, _: Config) -> bool:
    """Say whether a log record opens a session; one that does not say which would open another."""
    if view.name != "session.start":
        return False
    session = view.text(*SESSION_ATTRIBUTES) or text(view.resource.attributes, *SESSION_ATTRIBUTES)
    return session not in {None, NIL_UUID}


def started(view: LogView, _: Config) -> Iterator[Draft]:
    """Yield the event of a session that another SDK opened."""
    yield session_start(view.start_ns)
