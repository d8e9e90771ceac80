"""What the exporter says about itself: a ledger of events, and log lines at most once a minute."""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

LOGGER = logging.getLogger("otel_rum_exporter")
QUIET_SECONDS = 60.0


class DropReason(enum.Enum):
    """Why an event, or a span before it became one, did not reach RUM: the whole list."""

    NO_APP_MONITOR = "neither the configuration nor the resource names an app monitor"
    UNMAPPABLE = "a span or log record could not be read"
    TOO_LARGE = "the event exceeds RUM's 6 KB even after trimming"
    REFUSED = "RUM refused the event"
    OUTBOX_FULL = "the outbox reached max_memory_bytes, and the oldest events left"
    SHUTDOWN = "the process ended before RUM could take the event"


class Ledger:
    """Count events: accepted = delivered + still stored + dropped, always. Thread-safe.

    A span or log record that could become no event counts as one event, accepted and dropped; those that the
    mapping leaves out on purpose are counted apart, as filtered.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.accepted = 0
        self.delivered = 0
        self.filtered = 0
        self.dropped: Counter[DropReason] = Counter()

    def accept(self, events: int) -> None:
        with self._lock:
            self.accepted += events

    def filter(self, records: int) -> None:
        with self._lock:
            self.filtered += records

    def deliver(self, events: int) -> None:
        with self._lock:
            self.delivered += events

    def drop(self, reason: DropReason, events: int) -> None:
        with self._lock:
            self.dropped[reason] += events

    @property
    def stored(self) -> int:
        """The events accepted whose fate is open."""
        with self._lock:
            return self.accepted - self.delivered - sum(self.dropped.values())

    def __repr__(self) -> str:
        drops = {reason.name: count for reason, count in self.dropped.items()}
        return f"Ledger(accepted={self.accepted}, delivered={self.delivered}, stored={self.stored}, dropped={drops})"


class Notices:
    """Write log lines, each kind at most once a minute: an exporter in trouble must not flood its host. Thread-safe."""

    def __init__(self, now_seconds: Callable[[], float] = time.monotonic) -> None:
        self._now_seconds = now_seconds
        self._lock = threading.Lock()
        self._written: dict[str, float] = {}

    def warn(self, kind: str, message: str, *values: object, is_once: bool = False) -> None:
        """Log a warning unless its kind was logged within the last minute, or ever where `is_once`."""
        now = self._now_seconds()
        with self._lock:
            before = self._written.get(kind)
            if before is not None and (is_once or now - before < QUIET_SECONDS):
                return
            self._written[kind] = now
        LOGGER.warning(message, *values)

    def warn_of_loss(self, reason: DropReason, count: int, advice: str) -> None:
        """Log the loss of events, unless one for the same reason was logged within the last minute."""
        self.warn(f"lost {reason.name}", "%d events are lost: %s. To do: %s.", count, reason.value, advice)
