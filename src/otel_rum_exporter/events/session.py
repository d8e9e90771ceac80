"""The start of a session that was minted here: `session_start_event`, which RUM counts as SessionCount."""

from __future__ import annotations

from .rum_event import VERSION, Draft

SESSION_START_EVENT = "com.amazon.rum.session_start_event"


def session_start(timestamp_ns: int) -> Draft:
    """Return the event that opens a session."""
    return Draft(SESSION_START_EVENT, timestamp_ns, {"version": VERSION})
