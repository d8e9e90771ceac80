"""The start of a session: `session_start_event`, which RUM counts as `SessionCount`."""

from __future__ import annotations

from collections.abc import Iterator

from ..._attributes import PREVIOUS_SESSION, SESSION_ATTRIBUTES
from ...config import Config
from ...rum.event import EventDraft
from ...rum.ids import NIL_UUID
from ..fields import VERSION, VERSION_FIELD
from ..log_view import LogView
from ..record_view import View, identifier

SESSION_START_EVENT = "com.amazon.rum.session_start_event"
SESSION_START_FIELDS = (VERSION_FIELD,)


def session_start(timestamp_ns: int) -> EventDraft:
    """Return the event that starts a session."""
    return (SESSION_START_EVENT, timestamp_ns, {"version": VERSION})


def is_started(view: LogView, _: Config) -> bool:
    """Return whether a `session.start` log record names its session; without it, another session would be started."""
    session = view.identifier(*SESSION_ATTRIBUTES) or identifier(view.resource.attributes, *SESSION_ATTRIBUTES)
    return session not in {None, NIL_UUID}


def previous(view: View) -> str | None:
    """Return the id of the session before the one that a log record starts; None if it is not given."""
    return view.identifier(PREVIOUS_SESSION) if view.name == "session.start" else None


def started(view: LogView, _: Config) -> Iterator[EventDraft]:
    """Yield the event of a session that another SDK started."""
    yield session_start(view.start_ns)
