"""The street, wired once for a Config: conversion, outbox, delivery, transport."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence

from .config import Config
from .conversion import Conversion, Events
from .delivery import Delivery
from .identity import Moment
from .log_record import LogRecord
from .outbox import MemoryOutbox, OutboxFullError
from .rate import RequestRate
from .span import Span
from .telemetry import Ledger, Notices
from .transport import RumClient, Transport


class Pipeline:
    """Take telemetry in, deliver events. Thread-safe; bound to the process that made it."""

    def __init__(self, config: Config, client: RumClient | None = None) -> None:
        self.ledger = Ledger()
        self._notices = Notices()
        self._timeout_seconds = config.timeout_millis / 1000
        # Reentrant, since a signal handler may end a span while its thread converts others.
        self._lock = threading.RLock()
        self._conversion = Conversion(
            config, new_id=lambda: str(uuid.uuid4()), ledger=self.ledger, notices=self._notices
        )
        self._delivery = Delivery(
            send=Transport(config, client).send,
            outbox=MemoryOutbox(
                max_events_per_request=config.max_events_per_request, max_bytes=config.max_memory_bytes
            ),
            rate=RequestRate(config.max_requests_per_second, time.monotonic()),
            ledger=self.ledger,
            notices=self._notices,
        )

    def start(self) -> None:
        """Start the delivery thread; without it, the first export does."""
        self._delivery.start()

    def export_spans(self, spans: Sequence[Span]) -> None:
        """Accept spans, and wait for their delivery while the load is light; what is left stays stored."""
        self._accept(lambda now: self._conversion.spans(spans, now))
        self._delivery.wait(self._timeout_seconds)

    def export_log_records(self, records: Sequence[LogRecord]) -> None:
        """Accept log records, and wait as for spans."""
        self._accept(lambda now: self._conversion.log_records(records, now))
        self._delivery.wait(self._timeout_seconds)

    def accept_spans(self, spans: Sequence[Span]) -> None:
        """Accept spans of which the sender keeps a copy until this returns.

        Raises:
            OutboxFullError: none was accepted; the sender shall come again.
        """
        self._require_room()
        self._accept(lambda now: self._conversion.spans(spans, now))

    def accept_log_records(self, records: Sequence[LogRecord]) -> None:
        """Accept log records, as spans."""
        self._require_room()
        self._accept(lambda now: self._conversion.log_records(records, now))

    @property
    def has_room(self) -> bool:
        """Whether telemetry would be accepted now."""
        return not self._delivery.is_full

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until every event accepted is delivered or dropped; false when time ran out.

        A span that waits for its parent goes on waiting: nobody knows yet whose it is.
        """
        return self._delivery.flush(timeout_seconds)

    def farewell(self, timeout_seconds: float) -> None:
        """Try at once to deliver what is stored, within the time given and the time-out set."""
        self._delivery.farewell(min(timeout_seconds, self._timeout_seconds))

    def close(self, timeout_seconds: float) -> None:
        """Deliver what is stored within the time given and the time-out set, and count the rest as dropped."""
        self._accept(self._conversion.close)
        self._delivery.close(min(timeout_seconds, self._timeout_seconds))

    def _require_room(self) -> None:
        if not self.has_room:
            raise OutboxFullError("the outbox is full: RUM takes less than what comes in")

    def _accept(self, convert: Callable[[Moment], Events]) -> None:
        """Convert, and give the events to the delivery."""
        with self._lock:
            now = Moment(time.time_ns(), time.monotonic_ns())
            events = convert(now)
            next_release_seconds = self._conversion.next_release_seconds(now)
            if next_release_seconds is not None:
                self._delivery.call_after(next_release_seconds, lambda: self._accept(self._conversion.release))
            if events:
                self._delivery.accept(events)
        self._notices.write()
