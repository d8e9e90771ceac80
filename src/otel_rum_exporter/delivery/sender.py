"""Sends one batch: reads its events, makes one request, and updates the store. Waits for disk and network."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from ..ledger import Ledger
from ..rum.batch import Batch
from ..rum.errors import Disposition, Outcome
from ..rum.event import RumEvent
from .app_monitor_queue import QueuedBatch
from .result import NO_REQUEST, Result
from .storage import QueuedEvents, Store


def send_batch(batch: QueuedBatch, *, send: Callable[[Batch], Outcome], store: Store, ledger: Ledger) -> Result:
    """Send a batch once. Removes it from the store if RUM accepted it, and splits it if RUM rejected it."""
    stored = [(queued, store.events(queued)) for queued in batch.parts]
    lost = tuple(queued for queued, found in stored if found is None)
    if lost:
        batch = batch.with_parts([queued for queued, found in stored if found is not None])
    events = tuple(event for _, found in stored for event in found or ())
    if not events:
        return Result(NO_REQUEST, batch, lost=lost)
    start = time.monotonic()
    outcome = send(Batch(batch.key, events))
    seconds = time.monotonic() - start
    ledger.request(seconds, outcome.reason)
    halves: tuple[QueuedBatch, ...] = ()
    if outcome.disposition is Disposition.DELIVERED:
        store.remove(batch.parts)
    elif outcome.disposition is Disposition.SPLIT and len(events) > 1:
        halves = _split(batch, events, store)
    elif outcome.disposition is Disposition.SPLIT:
        (event,) = events
        outcome = replace(outcome, message=f"{outcome.message} (event {event.id} of type {event.type})")
    return Result(outcome, batch, halves, lost, seconds)


def _split(batch: QueuedBatch, events: tuple[RumEvent, ...], store: Store) -> tuple[QueuedBatch, ...]:
    """Store the halves of a batch in its place."""
    accepted_ns, middle = int(batch.oldest_ns), len(events) // 2
    halves = [QueuedEvents.of(batch.key, half, accepted_ns) for half in (events[:middle], events[middle:])]
    store.replace(batch.parts, halves)
    return tuple(map(QueuedBatch.of, halves))
