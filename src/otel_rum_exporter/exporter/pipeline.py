"""The stages of one pipeline, wired for one Config: converter, queue, delivery, client.

Its imports are slow, so `registry` imports it with the first telemetry.
"""

from __future__ import annotations

import itertools
import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from .._fork import UNFORKED
from .._locks import DeferringLock, call_unlocked
from .._log import RateLimitedLog
from .._receipt import Receipt
from ..config import Config
from ..delivery.queue import EventQueue
from ..delivery.rate_limiter import RateLimiter
from ..delivery.storage import MemoryStore, Store
from ..delivery.worker import Delivery
from ..ledger import DropReason, Ledger, Tally
from ..mapping.app_monitor import app_monitor_id
from ..mapping.converter import Converter
from ..mapping.identity import Moment
from ..mapping.log_view import LogRecord
from ..mapping.outcome import Converted
from ..mapping.span_view import Span
from ..mapping.urls import scrub
from ..rum.account import Credentials, credentials_in
from ..rum.client import RumClient, Transport
from .cost import Cost
from .metrics import is_enabled, observe
from .session_rate import SessionRate

Convert: TypeAlias = Callable[[Converter, Moment], Converted]

RECOVER_SECONDS = 5.0
"""The interval at which the spool is searched for events of processes that have ended."""

EXPIRE_SECONDS = 60.0
"""The interval at which events in memory are searched for those that are too old."""


STEP_RECORDS = 4096
"""Records of a message that are converted in one step. Events take more memory than records, and others wait."""


class QueueFullError(Exception):
    """Records cannot be stored as safely as the settings require: there is no room, or the disk fails."""


class Pipeline:
    """Convert telemetry to events and deliver them. Thread-safe; bound to the process that made it."""

    def __init__(self, config: Config, client: RumClient | None = None) -> None:
        self.ledger = Ledger()
        self._log = RateLimitedLog()
        self._config = config
        self._timeout_seconds = config.timeout_millis / 1000
        self._max_age_ns = config.spool_max_age_seconds * 1_000_000_000
        self._is_spooled = config.spool_directory is not None
        self._lock = DeferringLock()
        self._converter = Converter(
            config,
            new_id=lambda: str(uuid.uuid4()),
            ledger=self.ledger,
            log=self._log,
            is_durable=self._is_spooled,
            keeps_outcomes=False,
        )
        self.cost = Cost(self._log, config.cost_warning_usd_per_day, time.monotonic())
        self._session_rate = SessionRate(config, self._converter.sampling, self.ledger, self._log, time.monotonic())
        self._store = _store(config, self._log)
        self._transport = Transport(config, client)
        self._rate_limiter = RateLimiter(config.max_requests_per_second, time.monotonic())
        self._delivery = Delivery(
            send=self._transport.send,
            queue=EventQueue(max_events_per_request=config.max_events_per_request),
            store=self._store,
            rate_limiter=self._rate_limiter,
            ledger=self.ledger,
            log=self._log,
            max_memory_bytes=config.max_memory_bytes,
            after_step=self._log.write,
        )

    def start(self) -> None:
        """Deliver the events that earlier processes left in the spool; register the metrics.

        Call it without a lock: a meter provider has locks of its own, and calls functions that may export spans.
        """
        if self._is_spooled:
            self._delivery.call_after("recover", 0.0, self._recover)
            self._delivery.start()
        else:
            self._delivery.call_after("expire queued", EXPIRE_SECONDS, self._expire_queued)
        if is_enabled(os.environ):
            observe(self.ledger, self._delivery, self.cost)

    def add_spans(self, spans: Sequence[Span], receipt: Receipt | None = None) -> None:
        """Convert spans, and queue their events."""
        self._add(lambda converter, now: converter.spans(spans, now, receipt))

    def add_log_records(self, records: Sequence[LogRecord], receipt: Receipt | None = None) -> None:
        """Convert log records, and queue their events."""
        self._add(lambda converter, now: converter.log_records(records, now, receipt))

    def accept(self, spans: Sequence[Span], log_records: Sequence[LogRecord], receipt: Receipt | None = None) -> None:
        """Add the records of a message, all or none, that its sender can send again.

        The receipt is held until their events are delivered, dropped or on disk.

        Raises:
            QueueFullError: they are not stored safely, and must be sent again.
        """
        records: list[Span | LogRecord] = [*spans, *log_records]
        if not records:
            return
        resources = {id(record.resource): record.resource for record in records}.values()
        named = {app_monitor_id(resource, self._config) for resource in resources}
        if self._delivery.is_full([name for name in named if name]):
            raise QueueFullError("there is no room: RUM accepts fewer events than arrive")
        if self._is_safe:
            for start in range(0, len(spans), STEP_RECORDS):
                self.add_spans(spans[start : start + STEP_RECORDS], receipt)
            for start in range(0, len(log_records), STEP_RECORDS):
                self.add_log_records(log_records[start : start + STEP_RECORDS], receipt)
        # A sender may send again what was stored nevertheless: it is better delivered twice than never.
        if not self._is_safe:
            raise QueueFullError("the spool cannot be written, or the pipeline is closed")

    def accept_spans(self, spans: Sequence[Span]) -> None:
        """Add spans that their sender can send again; see `accept`."""
        self.accept(spans, ())

    def accept_log_records(self, records: Sequence[LogRecord]) -> None:
        """Add log records that their sender can send again; see `accept`."""
        self.accept((), records)

    @property
    def has_room(self) -> bool:
        """Whether `accept_spans` would accept spans now, of an app monitor that RUM accepts."""
        return self._delivery.has_room and not self._store.is_failing

    def limit_requests(self, per_second: float) -> None:
        """Change the limit of requests per second; 0 means no limit."""
        with self._delivery.lock:
            self._rate_limiter.set_limit(per_second, time.monotonic())

    def limit_events(self, per_second: float) -> None:
        """Change the budget of events per second, if the settings have one."""
        with self._lock:
            self._session_rate.limit(per_second)

    def wait(self, timeout_seconds: float) -> None:
        """Wait for the delivery of accepted events while the load is light; what is left stays queued."""
        self._delivery.wait(timeout_seconds)

    def resolve_pending(self) -> None:
        """Convert every pending record now; later ones may be pending again."""
        call_unlocked(lambda: self._add(lambda converter, now: converter.resolve(now)))

    def release(self) -> None:
        """Convert every pending record now; from now on no record waits for its parent."""
        call_unlocked(lambda: self._add(lambda converter, now: converter.close(now)))

    def flush(self, timeout_seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Wait until every accepted event is delivered or dropped, or `until` is true; return false if some are left.

        Pending records stay pending: their session and user are not known yet.
        """
        return self._delivery.flush(timeout_seconds, until)

    def final_flush(self, timeout_seconds: float) -> None:
        """Send the queued events at once, within the timeout given and the configured one."""
        self._delivery.final_flush(min(timeout_seconds, self._timeout_seconds))

    def close(self, timeout_seconds: float) -> None:
        """Send the queued events within the timeout given and the configured one; count the others as dropped."""
        self.release()
        self._delivery.close(min(timeout_seconds, self._timeout_seconds))
        self._transport.close()

    def abandon(self) -> None:
        """Close without sending, and without log lines: the endpoint is gone on purpose."""
        self._log.is_muted = True
        self.close(0.0)

    def _add(self, convert: Convert) -> None:
        with self._lock:
            now = Moment(time.time_ns(), time.monotonic_ns())
            converted = convert(self._converter, now)
            next_expiry_seconds = self._converter.next_expiry_seconds(now)
            if next_expiry_seconds is not None:
                self._delivery.call_after("expire", next_expiry_seconds, self._expire_pending)
                self._delivery.start()
            events, provisional, resolved = converted.events, converted.provisional, converted.resolved
            self.cost.add(itertools.chain.from_iterable(events.values()), now.monotonic_ns / 1e9)
            self._session_rate.move(converted, self._delivery, now.monotonic_ns / 1e9)
            if events or provisional or resolved:
                self._delivery.accept(
                    events, now.epoch_ns, provisional=provisional, resolved=resolved, receipts=converted.receipts
                )
            converted.release_receipts()
        self._log.write()

    @property
    def _is_safe(self) -> bool:
        return not (self._store.is_failing or self._delivery.is_closed)

    def _expire_pending(self) -> None:
        """Convert the records that have waited long enough for their parents."""
        self._add(lambda converter, now: converter.expire(now))

    def _expire_queued(self) -> None:
        """Drop queued events that are too old; in memory, only those of app monitors that RUM refuses."""
        self._delivery.expire(time.time_ns() - self._max_age_ns, is_durable=self._is_spooled)
        if not self._is_spooled:
            self._delivery.call_after("expire queued", EXPIRE_SECONDS, self._expire_queued)

    def _recover(self) -> None:
        """Queue the events that processes left in the spool when they ended; drop those that are too old."""
        try:
            self._delivery.persist()
            queued, lost_events = self._store.recover()
            self.ledger.recover(Tally.total((Tally(lost_events), *(one.tally for one in queued))))
            if lost_events:
                self.ledger.drop(DropReason.DAMAGED, [Tally(lost_events)])
                self._log.add_loss(DropReason.DAMAGED, lost_events, "check the disk of spool_directory")
            if queued:
                self._delivery.enqueue(queued)
            self._expire_queued()
        finally:
            self._delivery.call_after("recover", RECOVER_SECONDS, self._recover)


def _store(config: Config, log: RateLimitedLog) -> Store:
    if not config.spool_directory:
        return MemoryStore()
    with UNFORKED:
        from ..delivery.spool.directory import Spool

    return Spool(
        config.spool_directory,
        destination=spool_destination(config, os.environ),
        max_bytes=config.spool_max_bytes,
        log=log,
        former_destination=f"{config.endpoint or ''} {config.region or ''} {config.signing}",
    )


def spool_destination(config: Config, environment: Mapping[str, str]) -> str:
    """Return where the events of a spool are sent and with whose permission, without secrets."""
    is_own = config.signing != "none" and config.identity_pool_id is None
    credentials = credentials_in(environment) if is_own else Credentials(None, None)
    parts = (
        ("app monitor", config.app_monitor_id),
        ("in", config.region),
        ("at", config.endpoint and scrub(config.endpoint)),
        ("of account", credentials.account),
        ("with profile", credentials.profile),
        ("for identity pool", config.identity_pool_id),
        ("and role", config.guest_role_arn),
        ("without signatures", config.signing == "none" or None),
    )
    return " ".join(name if value is True else f"{name} {value}" for name, value in parts if value)
