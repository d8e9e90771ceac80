"""What the exporter says about itself: a ledger of events, and log lines at most once a minute."""

from __future__ import annotations

import enum
import logging
import math
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator

LOGGER = logging.getLogger("otel_rum_exporter")
QUIET_SECONDS = 60.0
MAX_LINES = 100


def say(level: int, message: str, *values: object) -> None:
    """Log a line, with who speaks before it; on stderr too where it would reach nothing but OTel's own handler.

    OTel's logging instrumentation gives the root logger a handler, so that Python's last resort no longer shows
    warnings: that telemetry is lost would then be told by telemetry alone.
    """
    LOGGER.log(level, f"CloudWatch RUM: {message}", *values)  # noqa: G004 - the speaker, before every message
    heard_by = list(_handlers(LOGGER))
    if heard_by and all(type(handler).__module__.startswith("opentelemetry.") for handler in heard_by):
        sys.stderr.write(f"CloudWatch RUM: {message % values}\n")


def _handlers(logger: logging.Logger | None) -> Iterator[logging.Handler]:
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


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

    `waiting` counts spans and log records that wait for their parents, and are no events yet. One that could
    become no event counts as one event, accepted and dropped; those that the mapping leaves out on purpose are
    counted apart, as filtered.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.accepted = 0
        self.delivered = 0
        self.filtered = 0
        self.waiting = 0
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
    """Log lines about the exporter, each kind at most once a minute, so that trouble does not flood its host.

    Thread-safe. Lines are collected by `warn`, under whatever lock the caller holds, and written by `write`, which
    must be called without one: a log handler may do anything, also end a span, which comes back here.
    """

    def __init__(self, now_seconds: Callable[[], float] = time.monotonic) -> None:
        self._now_seconds = now_seconds
        self._lock = threading.Lock()
        self._due_seconds: dict[str, float] = {}
        self._lost: Counter[DropReason] = Counter()
        self._lines: deque[tuple[str, tuple[object, ...]]] = deque(maxlen=MAX_LINES)

    def warn(self, kind: str, message: str, *values: object, is_once: bool = False) -> None:
        """Collect a warning unless its kind was collected within the last minute, or ever where `is_once`."""
        with self._lock:
            if self._is_due(kind, is_once=is_once):
                self._lines.append((message, values))

    def warn_of_loss(self, reason: DropReason, count: int, advice: str) -> None:
        """Collect the loss of events; one line tells all of its reason since the last one."""
        with self._lock:
            self._lost[reason] += count
            if self._is_due(reason.name, is_once=False):
                lost = self._lost.pop(reason)
                self._lines.append(("%d events are lost: %s. To do: %s.", (lost, reason.value, advice)))

    def write(self) -> None:
        """Write what was collected."""
        while self._lines:
            try:
                message, values = self._lines.popleft()
                say(logging.WARNING, message, *values)
            except IndexError:
                return
            except Exception:  # noqa: BLE001 - a broken log handler is not the telemetry's trouble
                return

    def _is_due(self, kind: str, *, is_once: bool) -> bool:
        now = self._now_seconds()
        if now < self._due_seconds.get(kind, 0.0):
            return False
        self._due_seconds[kind] = math.inf if is_once else now + QUIET_SECONDS
        return True
