"""The street, wired once for a Config: conversion, outbox, delivery, transport.

Only `pipeline` imports it, with the first telemetry: all that is slow to import comes with it.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from typing import TypeAlias

from .._fork import UNFORKED
from .._log import RateLimitedLog
from ..config import Config
from ..delivery.queue import EventQueue
from ..delivery.rate_limiter import RateLimiter
from ..delivery.storage import MemoryStore, Store
from ..delivery.worker import Delivery
from ..ledger import DropReason, Ledger, Tally
from ..mapping.converter import Converted, Converter
from ..mapping.identity import Moment
from ..rum.client import RumClient, Transport
from .metrics import is_enabled, observe

Convert: TypeAlias = Callable[[Converter, Moment], Converted]

RECOVER_SECONDS = 5.0
"""How often to look what dead processes left in the spool."""


class Street:
    """Convert telemetry, and deliver its events. Bound to the process that made it.

    `release` is called when something has waited for its parent for too long, `between` between two steps of the
    delivery; both with no lock held.
    """

    def __init__(
        self,
        config: Config,
        client: RumClient | None,
        *,
        ledger: Ledger,
        log: RateLimitedLog,
        release: Callable[[], None],
        between: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._log = log
        self._release = release
        self._conversion = Converter(
            config,
            new_id=lambda: str(uuid.uuid4()),
            ledger=ledger,
            log=log,
            is_durable=config.spool_directory is not None,
        )
        self.store = _store(config, log)
        self._max_age_ns = config.spool_max_age_seconds * 1_000_000_000
        self._transport = Transport(config, client)
        self.delivery = Delivery(
            send=self._transport.send,
            queue=EventQueue(max_events_per_request=config.max_events_per_request),
            store=self.store,
            rate_limiter=RateLimiter(config.max_requests_per_second, time.monotonic()),
            ledger=ledger,
            log=log,
            max_memory_bytes=config.max_memory_bytes,
            after_step=between,
        )
        if config.spool_directory:
            self.delivery.call_after("recover", 0.0, self._recover)

    def observe(self) -> None:
        """Tell OpenTelemetry's metrics of it, where they are wanted."""
        if is_enabled(os.environ):
            observe(self._ledger, self.delivery)

    def take(self, convert: Convert) -> None:
        """Convert, and give the events to the delivery. Not thread-safe: its owner calls it under a lock."""
        now = Moment(time.time_ns(), time.monotonic_ns())
        converted = convert(self._conversion, now)
        next_release_seconds = self._conversion.next_expiry_seconds(now)
        if next_release_seconds is not None:
            self.delivery.call_after("release", next_release_seconds, self._release)
        if any(converted):
            self.delivery.accept(
                converted.events, now.epoch_ns, provisional=converted.provisional, resolved=converted.resolved
            )

    def close(self, timeout_seconds: float) -> None:
        """Deliver what is stored within the time given, and count the rest as dropped."""
        self.delivery.close(timeout_seconds)
        self._transport.close()

    def _recover(self) -> None:
        """Deliver what dead processes left, and give up what is too old."""
        try:
            queued, lost_events = self.store.recover()
            self._ledger.recover(Tally.total((Tally(lost_events), *(one.tally for one in queued))))
            if lost_events:
                self._ledger.drop(DropReason.DAMAGED, [Tally(lost_events)])
                self._log.add_loss(DropReason.DAMAGED, lost_events, "look at the disk of spool_directory")
            if queued:
                self.delivery.enqueue(queued)
            self.delivery.expire(time.time_ns() - self._max_age_ns)
        finally:
            self.delivery.call_after("recover", RECOVER_SECONDS, self._recover)


def _store(config: Config, log: RateLimitedLog) -> Store:
    if not config.spool_directory:
        return MemoryStore()
    with UNFORKED:
        from ..delivery.spool.directory import Spool

    destination = f"{config.endpoint or ''} {config.region or ''} {config.signing}"
    return Spool(config.spool_directory, destination=destination, max_bytes=config.spool_max_bytes, log=log)
