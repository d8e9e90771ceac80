"""The profile of a session from a recorded file: what the exporter makes of it, and how it would store that."""

from __future__ import annotations

import math

from ...config import Config
from ...delivery.queue import EventQueue
from ...delivery.spool.record import encode_record
from ...mapping.outcome import Converted
from ..dry_run import DryRun
from .model import MAX_EVENTS_PER_REQUEST, Profile


class Recorded(DryRun):
    """The sessions of OTLP files. Each body is taken for one export.

    `seconds` is the time between the first and the last record.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._queue = EventQueue(max_events_per_request=MAX_EVENTS_PER_REQUEST)
        self._sessions: set[tuple[str, str]] = set()
        self._records = self._exports = self._memory_bytes = self._disk_bytes = 0
        self._first_ns, self._last_ns = math.inf, -math.inf

    @property
    def sessions(self) -> int:
        """The number of sessions with events."""
        return len(self._sessions)

    @property
    def seconds(self) -> float:
        return max(0.0, (self._last_ns - self._first_ns) / 1e9)

    @property
    def profile(self) -> Profile:
        """The average session."""
        sessions = max(1, self.sessions)
        return Profile(
            events={kind: count / sessions for kind, count in self.events.most_common()},
            spans=self._records / sessions,
            exports=self._exports / sessions,
            memory_bytes=self._memory_bytes / sessions,
            disk_bytes=self._disk_bytes / sessions,
        )

    def count(self, converted: Converted) -> None:
        super().count(converted)
        self._records += converted.records
        for queued in self._queue.pack(converted.events, 0):
            self._sessions.add((queued.key.app_monitor.id, queued.key.session_id))
            self._exports += 1
            self._memory_bytes += queued.memory_bytes
            self._disk_bytes += len(encode_record(1, 0, (), queued, queued.events.encode() if queued.events else b""))
        times = [view.start_ns for outcome in converted.outcomes if (view := outcome.view) is not None]
        if times:
            self._first_ns, self._last_ns = min(self._first_ns, *times), max(self._last_ns, *times)
