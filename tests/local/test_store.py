"""The store: bounds, waiting and narrowing."""

import threading
from dataclasses import replace

import pytest

from otel_rum_exporter.local.record import Batch, Dropped, Event, Exchange, RefusedRequest
from otel_rum_exporter.local.store import Store

EVENT = Event("e", 1.0, "checkout", {}, {}, "s", "u", "m", "b")
BATCH = Batch("m", {}, "b", "u", "s", None, {}, (EVENT,), 1.0, {}, signed=False, body_bytes=2, raw={})
REFUSAL = RefusedRequest(400, "ValidationException", "BatchId is required", "/appmonitors/m", 1.0)


def _batch(*types: str) -> Batch:
    return replace(BATCH, events=tuple(replace(EVENT, type=name) for name in types))


def test_the_oldest_events_go_out_first() -> None:
    """Only the last `max_events` are kept, and whole batches go when none of theirs is among them."""
    store = Store(max_events=3)
    for batch in (_batch("a", "b"), _batch("c"), _batch("d", "e")):
        store.accept(batch)
    assert [event.type for event in store.events] == ["c", "d", "e"]
    assert len(store.batches) == 2


def test_one_batch_larger_than_the_store_is_cut() -> None:
    """A batch with too many events shows its last ones."""
    store = Store(max_events=2)
    store.accept(_batch("a", "b", "c"))
    assert [event.type for event in store.events] == ["b", "c"]


def test_batches_without_events_are_bounded_too() -> None:
    """Requests whose events were all dropped cannot fill the memory."""
    store = Store(max_events=2)
    for _ in range(5):
        store.accept(_batch(), [Dropped(EVENT, "too large")])
    assert (len(store.batches), len(store.dropped)) == (2, 2)


def test_events_are_narrowed_by_full_or_short_type() -> None:
    """RUM's own types may be given without their prefix."""
    store = Store()
    store.accept(_batch("com.amazon.rum.http_event", "checkout", "com.amazon.rum.http_event"))
    assert len(store.events("http_event")) == len(store.events("com.amazon.rum.http_event")) == 2
    assert [event.type for event in store.events("checkout")] == ["checkout"]
    assert store.events("nothing") == ()


def test_waiting_ends_when_the_last_event_arrives() -> None:
    """A waiting thread gets the events another thread brings."""
    store = Store()
    threads = [threading.Thread(target=store.accept, args=(_batch("a", "b"),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    found = store.wait_for("b", count=2, timeout_seconds=10)
    for thread in threads:
        thread.join()
    assert [event.type for event in found] == ["b", "b"]


def test_waiting_in_vain_tells_what_did_arrive() -> None:
    """The message of the timeout saves a look into the store."""
    store = Store()
    store.accept(_batch("a", "a"), [Dropped(EVENT, "6145 bytes")])
    store.refuse(REFUSAL)
    with pytest.raises(TimeoutError) as caught:
        store.wait_for("b", count=1, timeout_seconds=0)
    assert str(caught.value) == (
        "waited 0 s for 1 x b; arrived: 2 x a; refused: 400 BatchId is required; dropped: checkout: 6145 bytes"
    )


def test_waiting_on_an_empty_store_says_nothing_arrived() -> None:
    """No event, no refusal and no drop are told apart from silence."""
    with pytest.raises(TimeoutError, match="any event; arrived: nothing; refused: nothing; dropped: nothing"):
        Store().wait_for(None, count=1, timeout_seconds=0)


def test_clearing_forgets_everything() -> None:
    """A cleared store counts anew."""
    store = Store(max_events=2)
    store.accept(_batch("a", "b"), [Dropped(EVENT, "too large")])
    store.refuse(REFUSAL)
    store.answered(Exchange("/", {}, signed=False, status=200, batch_id=None, received_at=1.0))
    store.clear()
    assert [store.batches, store.events, store.refused, store.dropped, store.removed, store.requests] == [()] * 6
    store.accept(_batch("c", "d"))
    assert [event.type for event in store.events] == ["c", "d"]


def test_waiting_for_more_than_is_kept_is_told_at_once() -> None:
    """It could only end in a time-out."""
    with pytest.raises(ValueError, match="waiting for 3 events, where only the last 2 are kept"):
        Store(max_events=2).wait_for(None, count=3, timeout_seconds=10)
