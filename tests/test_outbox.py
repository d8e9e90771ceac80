"""The outbox: coalescing, order, bounds; nothing lost, nothing doubled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.batch import AppMonitor, BatchKey
from otel_rum_exporter.events.rum_event import RumEvent, event_id
from otel_rum_exporter.outbox import MemoryOutbox


def key(session: str) -> BatchKey:
    """Name a session."""
    return BatchKey(AppMonitor("m", None, None, None), session, "u")


def event(name: object, size: int = 2) -> RumEvent:
    """Make an event of some size."""
    return RumEvent(event_id(str(name)), 1, "work", "x" * size, "{}", "{}")


def drain(outbox: MemoryOutbox) -> list[tuple[str, list[str]]]:
    """Take all, as session and event ids."""
    taken = []
    while outbox:
        batch = outbox.take(10.0)
        taken.append((batch.key.session_id, [one.id for one in batch.events]))
    return taken


def test_events_of_one_session_coalesce_until_the_batch_is_full() -> None:
    """Requests are what the quota counts."""
    outbox = MemoryOutbox(max_events_per_request=3, max_bytes=10**6)
    for number in range(4):
        outbox.add(key("a"), [event(number)])
        outbox.add(key("b"), [event(f"b{number}")])
    assert [(session, len(ids)) for session, ids in drain(outbox)] == [("a", 3), ("b", 3), ("a", 1), ("b", 1)]


def test_what_comes_back_is_unchanged_and_holds_up_nothing() -> None:
    """A retry is the same request, though more events of its session wait; it takes turns with the others."""
    outbox = MemoryOutbox(max_events_per_request=2, max_bytes=10**6)
    outbox.add(key("a"), [event(1)])
    batch = outbox.take(10.0)
    outbox.add(key("a"), [event(2)])
    outbox.add(key("b"), [event(3), event(4)])
    outbox.put_back(batch, 5.0)
    assert outbox.take(10.0) is batch
    outbox.put_back(batch, 5.0)
    assert outbox.take(10.0).key == key("b")
    assert outbox.take(10.0) is batch
    assert len(outbox) == 1
    outbox.put_first(*batch.halves())
    outbox.clear()
    assert not outbox


def test_a_pause_holds_one_batch_and_no_other() -> None:
    """Until its time has come, or everybody is in a hurry."""
    outbox = MemoryOutbox(max_events_per_request=2, max_bytes=10**6)
    outbox.add(key("a"), [event(1)])
    failed = outbox.take(0.0)
    outbox.put_back(failed, 5.0)
    assert outbox.ready_at() == 5.0
    outbox.add(key("b"), [event(2)])
    assert outbox.ready_at() < 0.0
    assert outbox.take(4.9).key == key("b")
    with pytest.raises(LookupError):
        outbox.take(4.9)
    outbox.hurry()
    assert outbox.take(0.0) is failed


def test_above_its_bound_the_oldest_leave() -> None:
    """What is freshest tells most of the trouble."""
    outbox = MemoryOutbox(max_events_per_request=1, max_bytes=2 * event(0, size=1000).size_bytes)
    outbox.add(key("a"), [event(number, size=1000) for number in range(5)])
    removed = [one.id for batch in outbox.overflow() for one in batch.events]
    assert removed == [event_id(str(number)) for number in range(3)]
    assert len(drain(outbox)) == 2
    assert outbox.overflow() == []


def test_an_empty_outbox_has_nothing_to_take() -> None:
    """And says so."""
    with pytest.raises(LookupError):
        MemoryOutbox(max_events_per_request=1, max_bytes=1).take(10.0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 7)), max_size=20), st.integers(1, 5))
def test_every_event_leaves_once_in_order_within_the_limit(adds: list[tuple[str, int]], limit: int) -> None:
    """Whatever comes in which order."""
    outbox = MemoryOutbox(max_events_per_request=limit, max_bytes=10**9)
    expected: dict[str, list[str]] = {}
    for number, (session, count) in enumerate(adds):
        events = [event(f"{number}/{index}") for index in range(count)]
        outbox.add(key(session), events)
        expected.setdefault(session, []).extend(one.id for one in events)
    found: dict[str, list[str]] = {}
    for session, ids in drain(outbox):
        assert 1 <= len(ids) <= limit
        found.setdefault(session, []).extend(ids)
    assert expected == found
