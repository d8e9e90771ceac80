"""Sending one batch: what is removed from the store, split and measured."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from otel_rum_exporter.delivery.app_monitor_queue import QueuedBatch
from otel_rum_exporter.delivery.sender import send_batch
from otel_rum_exporter.delivery.storage import MemoryStore, QueuedEvents
from otel_rum_exporter.ledger import Ledger
from otel_rum_exporter.rum.errors import Disposition, Outcome
from tests.delivery.queued import event, ids, queued


class RecordingStore(MemoryStore):
    """A store in memory that records what it removes and adds."""

    def __init__(self) -> None:
        self.removed: list[QueuedEvents] = []
        self.added: list[QueuedEvents] = []

    def remove(self, queued: Sequence[QueuedEvents]) -> None:
        """Record removed events."""
        self.removed.extend(queued)

    def replace(self, replaced: Sequence[QueuedEvents], by: Sequence[QueuedEvents]) -> None:
        """Record replaced events."""
        self.removed.extend(replaced)
        self.added.extend(by)


@pytest.mark.parametrize("disposition", Disposition)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_store_keeps_what_rum_has_not_accepted(disposition: Disposition, count: int) -> None:
    """A delivered batch is removed; a rejected batch of several events is replaced by its halves."""
    store, ledger, requests = RecordingStore(), Ledger(), []
    ledger.observe_request = lambda seconds, reason: requests.append((seconds >= 0, reason))
    batch = QueuedBatch.of([queued("a", *range(count))])
    result = send_batch(batch, send=lambda _: Outcome(disposition, "reason", "message"), store=store, ledger=ledger)
    is_split = disposition is Disposition.SPLIT and count > 1
    assert result.batch is batch
    assert store.removed == (batch.parts if is_split or disposition is Disposition.DELIVERED else [])
    assert [one for half in result.halves for one in half.parts] == store.added
    assert [one.count for one in store.added] == ([count // 2, count - count // 2] if is_split else [])
    assert ids(store.added) == (ids(batch.parts) if is_split else [])
    assert requests == [(True, "reason")]
    names_event = disposition is Disposition.SPLIT and count == 1
    assert result.outcome.message == (f"message (event {event(0).id} of type work)" if names_event else "message")
