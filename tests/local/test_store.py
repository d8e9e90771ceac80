"""The store: limits, waiting and filters."""

import threading
from dataclasses import replace

import pytest

from otel_rum_exporter.local import store as store_module
from otel_rum_exporter.local.record import Batch, Dropped, Event, Exchange, RefusedRequest
from otel_rum_exporter.local.store import Store

EVENT = Event("e", 1.0, "checkout", {}, {}, "s", "u", "m", "b")
BATCH = Batch("m", {}, "b", "u", "s", None, {}, (EVENT,), 1.0, {}, signed=False, body_bytes=2, raw={})
REFUSED = RefusedRequest(400, "ValidationException", "BatchId is required", "/appmonitors/m", 1.0)


def _batch(*types: str) -> Batch:
    return replace(BATCH, events=tuple(replace(EVENT, type=name) for name in types))


def test_store_removes_the_oldest_events_first() -> None:
    """A batch is removed when none of its events remains."""
    store = Store(max_events=3)
    for batch in (_batch("a", "b"), _batch("c"), _batch("d", "e")):
        store.accept(batch)
    assert [event.type for event in store.events] == ["c", "d", "e"]
    assert len(store.batches) == 2


def test_batch_larger_than_the_store_keeps_its_last_events() -> None:
    """The limit applies within a batch."""
    store = Store(max_events=2)
    store.accept(_batch("a", "b", "c"))
    assert [event.type for event in store.events] == ["b", "c"]


def test_number_of_batches_without_events_is_limited() -> None:
    """Requests with dropped events only cannot fill the memory."""
    store = Store(max_events=2)
    for _ in range(5):
        store.accept(_batch(), [Dropped(EVENT, "too large")])
    assert (len(store.batches), len(store.dropped)) == (2, 2)


def test_counts_of_events_are_limited_and_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load test may run for days."""
    monkeypatch.setattr(store_module, "_MAX_COUNTED_EVENTS", 100)
    store = Store(max_events=3)
    ids = [f"event {number}" for number in range(1000)]
    for number, event_id in enumerate(ids, 1):
        store.accept(replace(BATCH, events=(replace(EVENT, id=event_id),) * 2))
        assert list(store.event_counts) == ids[max(number - 100, 0) : number]
    assert set(store.event_counts.values()) == {2}


def test_bytes_of_refused_requests_are_limited_and_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body may have megabytes. Without one, a request takes no room."""
    monkeypatch.setattr(store_module, "_MAX_REFUSED_BYTES", 1000)
    store = Store()
    bodies = [{"RumEvents": "x" * size} for size in (300, 300, 300, 900)]
    for count in (1, 2, 3, 1):
        store.refuse(replace(REFUSED, raw=bodies.pop(0)))
        store.refuse(REFUSED)
        assert len([one for one in store.refused if one.raw]) == count
    store.clear()
    for _ in range(3):
        store.refuse(replace(REFUSED, raw={"RumEvents": "x" * 300}))
    assert len(store.refused) == store.received["refused"] == 3


def test_types_of_removed_events_take_no_memory() -> None:
    """An application may put an id into the names of its events."""
    store = Store(max_events=3)
    for number in range(100):
        store.accept(_batch(f"type {number}", "checkout"))
    assert set(store._types) == {"type 98", "type 99", "checkout"}


def test_events_are_filtered_by_full_or_short_type() -> None:
    """RUM's prefix is optional."""
    store = Store()
    store.accept(_batch("com.amazon.rum.http_event", "checkout", "com.amazon.rum.http_event"))
    assert len(store.events("http_event")) == len(store.events("com.amazon.rum.http_event")) == 2
    assert [event.type for event in store.events("checkout")] == ["checkout"]
    assert store.events("nothing") == ()


def test_wait_for_returns_when_the_last_event_arrives() -> None:
    """Events come from other threads."""
    store = Store()
    threads = [threading.Thread(target=store.accept, args=(_batch("a", "b"),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    found = store.wait_for("b", count=2, timeout_seconds=10)
    for thread in threads:
        thread.join()
    assert [event.type for event in found] == ["b", "b"]


def test_wait_for_timeout_has_the_summary() -> None:
    """The message has accepted, refused and dropped events."""
    store = Store()
    store.accept(_batch("a", "a"), [Dropped(EVENT, "6145 bytes")])
    store.refuse(REFUSED)
    with pytest.raises(TimeoutError) as caught:
        store.wait_for("b", count=1, timeout_seconds=0)
    assert str(caught.value) == (
        "waited 0 s for 1 x b; accepted: 2 x a; refused: 400 BatchId is required; dropped: checkout: 6145 bytes"
    )


def test_wait_for_timeout_of_an_empty_store_lists_none() -> None:
    """For each kind of record."""
    with pytest.raises(TimeoutError, match="any event; accepted: none; refused: none; dropped: none"):
        Store().wait_for(None, count=1, timeout_seconds=0)


def test_clear_removes_all_records() -> None:
    """The limit starts at zero again."""
    store = Store(max_events=2)
    store.accept(_batch("a", "b"), [Dropped(EVENT, "too large")])
    store.refuse(REFUSED)
    store.answered(Exchange("/", {}, signed=False, status=200, batch_id=None, received_at=1.0))
    store.clear()
    assert [store.batches, store.events, store.refused, store.dropped, store.removed, store.requests] == [()] * 6
    store.accept(_batch("c", "d"))
    assert [event.type for event in store.events] == ["c", "d"]


def test_wait_for_more_than_the_limit_raises() -> None:
    """It could only time out."""
    with pytest.raises(ValueError, match="cannot wait for 3 events: only the latest 2 are kept"):
        Store(max_events=2).wait_for(None, count=3, timeout_seconds=10)
