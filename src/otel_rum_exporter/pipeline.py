"""The street, wired once for a Config: conversion, outbox, delivery, transport."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence

from .config import Config
from .conversion import Conversion, Events
from .delivery import Delivery
from .log_record import LogRecord
from .outbox import MemoryOutbox
from .rate import RequestRate
from .span import Span
from .telemetry import Ledger, Notices
from .transport import RumClient, Transport

NS_PER_SECOND = 1_000_000_000


class Pipeline:
    """Take telemetry in, deliver events. Thread-safe; bound to the process that made it."""

    def __init__(
        self, config: Config, client: RumClient | None = None, *, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        notices = Notices()
        self.ledger = Ledger()
        self._now_ns = now_ns
        self._timeout_seconds = config.timeout_millis / 1000
        self._lock = threading.Lock()
        self._conversion = Conversion(config, new_id=lambda: str(uuid.uuid4()), ledger=self.ledger, notices=notices)
        self._delivery = Delivery(
            send=Transport(config, client).send,
            outbox=MemoryOutbox(
                max_events_per_request=config.max_events_per_request, max_bytes=config.max_memory_bytes
            ),
            rate=RequestRate(config.max_requests_per_second, time.monotonic()),
            ledger=self.ledger,
            notices=notices,
        )

    def start(self) -> None:
        """Start the delivery thread; without it, the first export does."""
        self._delivery.start()

    def export_spans(self, spans: Sequence[Span]) -> None:
        """Accept spans, and wait for their delivery as long as there is progress; what is left stays stored."""
        self._deliver(lambda now_ns: self._conversion.spans(spans, now_ns))

    def export_log_records(self, records: Sequence[LogRecord]) -> None:
        """Accept log records, and wait as for spans."""
        self._deliver(lambda now_ns: self._conversion.log_records(records, now_ns))

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything accepted is delivered or dropped; false when time ran out."""
        self._accept(lambda now_ns: self._conversion.release(now_ns, everything=True))
        return self._delivery.flush(timeout_seconds)

    def close(self, timeout_seconds: float) -> None:
        """Deliver what is stored within the time given and the time-out set, and count the rest as dropped."""
        self._accept(lambda now_ns: self._conversion.release(now_ns, everything=True))
        self._delivery.close(min(timeout_seconds, self._timeout_seconds))

    def _deliver(self, convert: Callable[[int], Events]) -> None:
        ticket = self._accept(convert)
        if ticket is not None:
            self._delivery.wait(ticket, self._timeout_seconds)

    def _accept(self, convert: Callable[[int], Events]) -> int | None:
        """Convert, give the events to the delivery, and return its ticket; None where there are none."""
        with self._lock:
            now_ns = self._now_ns()
            events = convert(now_ns)
            next_release_ns = self._conversion.next_release_ns
            if next_release_ns is not None:
                self._delivery.call_after((next_release_ns - now_ns) / NS_PER_SECOND, self._release)
            return self._delivery.accept(events) if events else None

    def _release(self) -> None:
        self._accept(self._conversion.release)
