"""The street, wired once for a Config: conversion, outbox, delivery, transport."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence

from .config import Config
from .conversion import Conversion, Converted
from .delivery import Delivery
from .fork import UNFORKED
from .identity import Moment
from .log_record import LogRecord
from .metrics import is_enabled, observe
from .outbox import Outbox
from .rate import RequestRate
from .span import Span
from .store import MemoryStore, Store
from .telemetry import DropReason, Ledger, Notices, Tally
from .transport import RumClient, Transport

RECOVER_SECONDS = 5.0
"""How often to look what dead processes left in the spool."""


class OutboxFullError(Exception):
    """What was to be accepted is not kept as it should be: there is no room, or the disk fails."""


class Pipeline:
    """Take telemetry in, deliver events. Thread-safe; bound to the process that made it."""

    def __init__(self, config: Config, client: RumClient | None = None) -> None:
        self.ledger = Ledger()
        self._notices = Notices()
        self._timeout_seconds = config.timeout_millis / 1000
        self._lock = threading.RLock()
        self._deferred: deque[Callable[[Moment], Converted]] = deque()
        self._conversion = Conversion(
            config,
            new_id=lambda: str(uuid.uuid4()),
            ledger=self.ledger,
            notices=self._notices,
            holds=config.spool_directory is not None,
        )
        self._store = _store(config, self._notices)
        self._max_age_ns = config.spool_max_age_seconds * 1_000_000_000
        self._transport = Transport(config, client)
        self._delivery = Delivery(
            send=self._transport.send,
            outbox=Outbox(max_events_per_request=config.max_events_per_request),
            store=self._store,
            rate=RequestRate(config.max_requests_per_second, time.monotonic()),
            ledger=self.ledger,
            notices=self._notices,
            max_memory_bytes=config.max_memory_bytes,
            between=self._catch_up,
        )
        self._locks = (self._lock, self._delivery.lock, self.ledger.lock, self._notices.lock, UNFORKED)
        if config.spool_directory:
            self._delivery.call_after("recover", 0.0, self._recover)
        if is_enabled(os.environ):
            observe(self.ledger, self._delivery)

    def start(self) -> None:
        """Start the delivery thread; without it, the first export does."""
        self._delivery.start()

    def export_spans(self, spans: Sequence[Span]) -> None:
        """Accept spans, and wait for their delivery while the load is light; what is left stays stored."""
        if self._accept(lambda now: self._conversion.spans(spans, now)):
            self._delivery.wait(self._timeout_seconds)

    def export_log_records(self, records: Sequence[LogRecord]) -> None:
        """Accept log records, and wait as for spans."""
        if self._accept(lambda now: self._conversion.log_records(records, now)):
            self._delivery.wait(self._timeout_seconds)

    def accept_spans(self, spans: Sequence[Span]) -> None:
        """Accept spans that their sender keeps until this returns, without waiting for delivery.

        Raises:
            OutboxFullError: there is no room, or they are not as safe as the settings ask; the sender shall come again.
        """
        self._accept_safely(lambda now: self._conversion.spans(spans, now))

    def accept_log_records(self, records: Sequence[LogRecord]) -> None:
        """Accept log records, as spans."""
        self._accept_safely(lambda now: self._conversion.log_records(records, now))

    @property
    def has_room(self) -> bool:
        """Whether `accept_spans` would accept something now."""
        return not self._delivery.is_full and not self._store.is_failing

    def release(self) -> None:
        """Convert all that waits for its parents; from now on nothing does."""
        self._accept(self._conversion.close)

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
        self.release()
        self._delivery.close(min(timeout_seconds, self._timeout_seconds))
        self._transport.close()

    def _accept(self, convert: Callable[[Moment], Converted]) -> bool:
        """Convert, and give the events to the delivery.

        False where that must be left for later: a signal handler, or a finalizer that the garbage collector runs, may
        end a span in the midst of our own work, whose halves it would see, and whose locks would have it wait for ever.
        """
        if self._is_amid_work():
            self._deferred.append(convert)
            return False
        with self._lock:
            self._convert(convert)
        self._catch_up()
        return True

    def _is_amid_work(self) -> bool:
        return any(lock._is_owned() for lock in self._locks)  # type: ignore[attr-defined] # noqa: SLF001 - as Condition

    def _catch_up(self) -> None:
        """Do what was left for later: convert, and write log lines."""
        if self._is_amid_work():
            return
        while self._deferred:
            with self._lock:
                if self._deferred:
                    self._convert(self._deferred.popleft())
        self._notices.write()

    def _convert(self, convert: Callable[[Moment], Converted]) -> None:
        now = Moment(time.time_ns(), time.monotonic_ns())
        converted = convert(now)
        next_release_seconds = self._conversion.next_release_seconds(now)
        if next_release_seconds is not None:
            self._delivery.call_after("release", next_release_seconds, self._release)
        if any(converted):
            self._delivery.accept(converted, now.epoch_ns)

    def _release(self) -> None:
        self._accept(self._conversion.release)

    def _accept_safely(self, convert: Callable[[Moment], Converted]) -> None:
        if self._delivery.is_full:
            raise OutboxFullError("there is no room: RUM takes less than what comes in")
        if not self._store.is_failing and not self._delivery.is_closed:
            self._accept(convert)
        # What was kept in spite of it may be delivered twice, which is better than not at all.
        if self._store.is_failing or self._delivery.is_closed:
            raise OutboxFullError("the spool cannot be written, or the pipeline is closed")

    def _recover(self) -> None:
        """Deliver what dead processes left, and give up what is too old."""
        try:
            parcels, lost_events = self._store.recover()
            self.ledger.recover(Tally.total((Tally(lost_events), *(parcel.tally for parcel in parcels))))
            if lost_events:
                self.ledger.drop(DropReason.DAMAGED, [Tally(lost_events)])
                self._notices.warn_of_loss(DropReason.DAMAGED, lost_events, "look at the disk of spool_directory")
            if parcels:
                self._delivery.take_over(parcels)
            self._delivery.expire(time.time_ns() - self._max_age_ns)
        finally:
            self._delivery.call_after("recover", RECOVER_SECONDS, self._recover)


def _store(config: Config, notices: Notices) -> Store:
    if not config.spool_directory:
        return MemoryStore()
    from .spool import Spool

    destination = f"{config.endpoint or ''} {config.region or ''} {config.signing}"
    return Spool(config.spool_directory, destination=destination, max_bytes=config.spool_max_bytes, notices=notices)
