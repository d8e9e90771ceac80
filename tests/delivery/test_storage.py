"""Provisional events by handle."""

from __future__ import annotations

import math
from collections.abc import Sequence

from otel_rum_exporter.delivery.storage import MemoryStore, ProvisionalEvents, QueuedEvents
from tests.delivery.queued import batch_key, event, ids, queued


class RecordingStore(MemoryStore):
    """A store in memory that records its steps, as ids of removed and added events."""

    def __init__(self) -> None:
        self.steps: list[tuple[list[str], list[str]]] = []

    def replace(self, replaced: Sequence[QueuedEvents], by: Sequence[QueuedEvents]) -> None:
        """Record a step."""
        self.steps.append((ids(replaced), ids(by)))


def test_provisional_events_are_replaced_by_their_final_events_in_one_step() -> None:
    """Otherwise a kill between two steps would lose or duplicate them. A handle is resolved once."""
    store = RecordingStore()
    provisional = ProvisionalEvents(store)
    provisional.store([queued("a", 1)], {7: {batch_key("b"): [event(2)], batch_key("c"): [event(3)]}}, (), 0)
    provisional.store([], {8: {batch_key("b"): [event(4)]}}, (), 0)
    provisional.store([queued("a", 5)], {}, (7, 9), 0)
    provisional.store([], {}, (7, 8), 0)
    one, two, three, four, five = (event(number).id for number in range(1, 6))
    assert store.steps == [([], [one, two, three]), ([], [four]), ([two, three], [five]), ([four], [])]


def test_a_pending_record_without_events_stores_none() -> None:
    """Its handle is resolved as any other."""
    store = RecordingStore()
    provisional = ProvisionalEvents(store)
    provisional.store([], {7: {batch_key("b"): []}}, (), 0)
    provisional.store([queued("a", 1)], {}, (7,), 0)
    assert store.steps == [([], []), ([], [event(1).id])]


def test_memory_does_not_fail_and_has_nothing_on_disk() -> None:
    """An exporter whose store fails reports that it is not ready."""
    store = MemoryStore()
    assert not store.is_failing
    assert (store.recover(), store.persist(), store.disk_limit_bytes()) == (((), 0), False, math.inf)
