"""Log lines of the exporter: each kind at most once a minute, so that trouble does not flood its host."""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator

from .ledger import DropReason

LOGGER = logging.getLogger("otel_rum_exporter")
QUIET_SECONDS = 60.0
MAX_LINES = 100


def log_line(level: int, message: str, *values: object) -> None:
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


class RateLimitedLog:
    """Log lines about the exporter, each kind at most once a minute, so that trouble does not flood its host.

    Thread-safe. Lines are collected by `warn`, under whatever lock the caller holds, and written by `write`, which
    must be called without one: a log handler may do anything, also end a span, which comes back here.
    """

    def __init__(self, now_seconds: Callable[[], float] = time.monotonic) -> None:
        self._now_seconds = now_seconds
        self.lock = threading.RLock()
        self._due_seconds: dict[str, float] = {}
        self._lost: Counter[DropReason] = Counter()
        self._lines: deque[tuple[str, tuple[object, ...]]] = deque(maxlen=MAX_LINES)

    def add(self, kind: str, message: str, *values: object, is_once: bool = False) -> None:
        """Collect a warning unless its kind was collected within the last minute, or ever where `is_once`."""
        with self.lock:
            if self._is_due(kind, is_once=is_once):
                self._lines.append((message, values))

    def add_loss(self, reason: DropReason, count: int, advice: str) -> None:
        """Collect the loss of events; one line tells all of its reason since the last one."""
        with self.lock:
            self._lost[reason] += count
            if self._is_due(reason.name, is_once=False):
                lost = self._lost.pop(reason)
                self._lines.append(("%d events are lost: %s. To do: %s.", (lost, reason.value, advice)))

    def write(self) -> None:
        """Write what was collected."""
        while self._lines:
            try:
                message, values = self._lines.popleft()
                log_line(logging.WARNING, message, *values)
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
