"""The session of the process: of telemetry for which no other session is known."""

from __future__ import annotations

from collections.abc import Callable

from ..config import SESSION_SILENCE_NS


class ProcessSession:
    """A session with a random id, renewed after 30 minutes without an event. Not thread-safe.

    `new_id` returns a new session id, a UUID.
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._id = ""
        self._last_ns = -1

    def id_at(self, now_ns: int) -> str:
        """Return the session's id for an event at `now_ns`, in nanoseconds since the epoch."""
        if now_ns > self._last_ns:
            self._id = self._new_id()
        self._last_ns = now_ns + SESSION_SILENCE_NS
        return self._id
