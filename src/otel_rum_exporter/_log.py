"""Log lines of the exporter, each kind at most once a minute, so that a lasting fault does not flood the log."""

from __future__ import annotations

import logging
import math
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence

from ._locks import DeferringLock
from ._secrets import without_secrets
from .ledger import DropReason

LOGGER = logging.getLogger("otel_rum_exporter")
QUIET_SECONDS = 60.0
MAX_LINES = 100

_VALUE = re.compile(r"(%[.\d]*[a-z])( \w+s\b)?")
"""A value in a message, with the noun in the plural that may follow."""


def log_line(level: int, message: str, *values: object) -> None:
    """Log a line at once. Write it to stderr too if only OpenTelemetry's own handlers receive it.

    OpenTelemetry's logging instrumentation adds a handler to the root logger, which disables Python's handler of last
    resort. Without stderr, only telemetry would report that telemetry is lost. Secrets in values are removed.
    """
    message = _in_number(message, values)
    values = tuple(without_secrets(str(value)) if isinstance(value, (str, Exception)) else value for value in values)
    LOGGER.log(level, f"CloudWatch RUM: {message}", *values)  # noqa: G004 - the same prefix for every message
    handlers = list(_handlers(LOGGER))
    if handlers and all(type(handler).__module__.startswith("opentelemetry.") for handler in handlers):
        sys.stderr.write(f"CloudWatch RUM: {message % values}\n")


def _in_number(message: str, values: Sequence[object]) -> str:
    """Return a message with its nouns in the singular after the value 1."""
    left = iter(values)

    def counted(found: re.Match[str]) -> str:
        value, noun = found.groups("")
        return value + (noun.removesuffix("s") if next(left, None) == 1 else noun)

    return _VALUE.sub(counted, message)


def _handlers(logger: logging.Logger | None) -> Iterator[logging.Handler]:
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


class RateLimitedLog:
    """Warnings of the exporter, each kind at most once a minute. Thread-safe.

    `add` and `add_loss` collect lines, and may be called under any lock. `write` logs them, and must be called without
    one: a log handler may do anything, also end a span, which is exported.
    """

    def __init__(self, now_seconds: Callable[[], float] = time.monotonic) -> None:
        self._now_seconds = now_seconds
        self._lock = DeferringLock()
        self._due_seconds: dict[str, float] = {}
        self._lost: Counter[DropReason] = Counter()
        self._lines: deque[tuple[str, tuple[object, ...]]] = deque(maxlen=MAX_LINES)
        self.is_muted = False

    def add(self, kind: str, message: str, *values: object, is_once: bool = False) -> None:
        """Collect a warning unless its kind was collected within the last minute; with `is_once`, ever."""
        with self._lock:
            if self._is_due(kind, is_once=is_once):
                self._lines.append((message, values))

    def add_loss(self, reason: DropReason, count: int, advice: str) -> None:
        """Collect a loss of events; one line has the sum of all losses for this reason since its last line."""
        with self._lock:
            self._lost[reason] += count
            if self._is_due(reason.name, is_once=False):
                lost = self._lost.pop(reason)
                self._lines.append(("%d events dropped: %s. To fix: %s.", (lost, reason.value, advice)))

    def write(self) -> None:
        """Log the collected lines."""
        while self._lines:
            try:
                message, values = self._lines.popleft()
                if not self.is_muted:
                    log_line(logging.WARNING, message, *values)
            except IndexError:  # another thread was faster
                return
            except Exception:  # noqa: BLE001 - a broken log handler must not stop telemetry
                return

    def _is_due(self, kind: str, *, is_once: bool) -> bool:
        now = self._now_seconds()
        if now < self._due_seconds.get(kind, 0.0):
            return False
        self._due_seconds[kind] = math.inf if is_once else now + QUIET_SECONDS
        return True
