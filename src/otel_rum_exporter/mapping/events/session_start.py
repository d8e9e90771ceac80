"""The start of a session: `session_start_event`, which RUM counts as SessionCount."""

from __future__ import annotations

from collections.abc import Iterator

from ..._attributes import SESSION_ATTRIBUTES
from ...config import Config
from ...rum.event import EventDraft
from ...rum.ids import NIL_UUID
from ..fields import VERSION, VERSION_FIELD
from ..log_view import LogView
from ..record_view import View, text

SESSION_START_EVENT = "com.amazon.rum.session_start_event"
SESSION_START_FIELDS = (VERSION_FIELD,)


def session_start(timestamp_ns: int) -> EventDraft:
    """Return the event that opens a session."""
    return EventDraft(SESSION_START_EVENT, timestamp_ns, {"version": VERSION})


def is_started(view: LogView, _: Config) -> bool:
    """Say whether a log record `session.start` says which; one that does not would open another."""
    session = view.text(*SESSION_ATTRIBUTES) or text(view.resource.attributes, *SESSION_ATTRIBUTES)
    return session not in {None, NIL_UUID}


def previous(view: View) -> str | None:
    """Return the session that ended before the one that a log record opens; None where it does not say."""
    return view.text("session.previous_id") if view.name == "session.start" else None


def started(view: LogView, _: Config) -> Iterator[EventDraft]:
    """Yield the event of a session that another SDK opened."""
    yield session_start(view.start_ns)
