"""Sends one batch: reads its events, makes one request, and updates the store. Waits for disk and network."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..ledger import Ledger
from ..rum.batch import Batch
from ..rum.encoded_events import by_session_metadata
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
    request = Batch(batch.key, tuple(found for _, found in stored if found is not None))
    if not request.parts:
        return Result(NO_REQUEST, batch, lost=lost)
    start = time.monotonic()
    outcome = send(request)
    seconds = time.monotonic() - start
    ledger.request(seconds, outcome.reason)
    halves: tuple[QueuedBatch, ...] = ()
    if outcome.disposition is Disposition.DELIVERED:
        store.remove(batch.parts)
    elif outcome.disposition is Disposition.SPLIT and batch.count > 1:
        halves = _split(batch, request.events, store)
    elif outcome.disposition is Disposition.SPLIT:
        (event,) = request.events
        outcome = outcome._replace(message=f"{outcome.message} (event {event.id} of type {event.type})")
    return Result(outcome, batch, halves, lost, seconds)


def _split(batch: QueuedBatch, events: tuple[RumEvent, ...], store: Store) -> tuple[QueuedBatch, ...]:
    """Store the halves of a batch in its place."""
    accepted_ns, middle = int(batch.oldest_ns), len(events) // 2
    halves = [
        QueuedBatch.of([QueuedEvents.of(batch.key, group, accepted_ns) for group in by_session_metadata(half)])
        for half in (events[:middle], events[middle:])
    ]
    store.replace(batch.parts, [part for half in halves for part in half.parts])
    return tuple(halves)
