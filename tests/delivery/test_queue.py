"""The outbox: coalescing, order, bounds; nothing lost, nothing doubled."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.delivery.queue import FULL_FIRST_SECONDS, Outbox, Shipment
from tests.delivery.queued import batch_key, event, ids, parcel


def drain(outbox: Outbox) -> list[tuple[str, list[str]]]:
    """Take all, as session and event ids."""
    taken = []
    while outbox.events:
        shipment = outbox.take(10.0)
        taken.append((shipment.key.session_id, ids(shipment.parcels)))
    return taken


def give(outbox: Outbox, session: str, *names: object, accepted_ns: int = 0, now_seconds: float = 0.0) -> None:
    """Pack and add events of a session."""
    outbox.add(outbox.pack({batch_key(session): [event(name) for name in names]}, accepted_ns), now_seconds)


def test_events_of_one_session_coalesce_until_the_batch_is_full() -> None:
    """Requests are what the quota counts."""
    outbox = Outbox(max_events_per_request=3)
    for number in range(4):
        give(outbox, "a", number)
        give(outbox, "b", f"b{number}")
    assert [(session, len(ids)) for session, ids in drain(outbox)] == [("a", 3), ("b", 3), ("a", 1), ("b", 1)]


def test_parcels_fill_the_open_batch_of_their_session_exactly() -> None:
    """Otherwise every export would leave a batch that is almost full."""
    outbox = Outbox(max_events_per_request=10)
    give(outbox, "a", *range(7))
    give(outbox, "a", *range(7, 30))
    assert [len(ids) for _, ids in drain(outbox)] == [10, 10, 10]


def test_an_open_batch_that_grew_meanwhile_closes_before_it_is_too_large() -> None:
    """Between packing and adding, others may add."""
    outbox = Outbox(max_events_per_request=4)
    packed = outbox.pack({batch_key("a"): [event(name) for name in range(3)]}, 0)
    give(outbox, "a", *"xy")
    outbox.add(packed, 0.0)
    assert [len(ids) for _, ids in drain(outbox)] == [2, 3]


def test_an_app_monitor_of_which_nothing_waits_is_forgotten() -> None:
    """Telemetry may name any number of them; also one that was paused when its last events left."""
    outbox = Outbox(max_events_per_request=3)
    give(outbox, "a", 1, accepted_ns=1)
    outbox.put_back(outbox.take(10.0), 99.0)
    outbox.pause(batch_key("a"), 99.0)
    assert len(outbox.expire(2)) == 1
    assert not outbox._lanes


def test_what_comes_back_is_unchanged_and_holds_up_nothing() -> None:
    """A retry is the same request, though more events of its session wait."""
    outbox = Outbox(max_events_per_request=2)
    give(outbox, "a", 1)
    shipment = outbox.take(10.0)
    give(outbox, "a", 2)
    outbox.put_back(shipment, 20.0)
    assert ids(outbox.take(10.0).parcels) == ids([parcel("a", 2)])
    assert outbox.take(20.0) is shipment
    assert (outbox.events, outbox.memory_bytes) == (0, 0)


def test_a_pause_holds_one_shipment_and_no_other() -> None:
    """Until its time has come, or everybody is in a hurry."""
    outbox = Outbox(max_events_per_request=2)
    give(outbox, "a", 1)
    failed = outbox.take(0.0)
    outbox.put_back(failed, 5.0)
    assert outbox.ready_at() == 5.0
    give(outbox, "b", 2)
    assert outbox.take(4.9).key == batch_key("b")
    with pytest.raises(LookupError):
        outbox.take(4.9)
    outbox.hurry()
    assert outbox.take(0.0) is failed


def test_a_paused_app_monitor_holds_up_no_other() -> None:
    """One that refuses everybody has its own lane."""
    outbox = Outbox(max_events_per_request=2)
    ours, theirs = batch_key("a"), batch_key("a", monitor="other")
    outbox.add([parcel("a", 1), *outbox.pack({theirs: [event(2)]}, 0)], 0.0)
    outbox.pause(ours, 60.0)
    assert outbox.take(0.0).key == theirs
    assert outbox.ready_at() == 60.0
    assert outbox.take(60.0).key == ours
    assert outbox.ready_at() == math.inf


def test_app_monitors_take_turns() -> None:
    """However much one of them has."""
    outbox = Outbox(max_events_per_request=1)
    for number in range(3):
        give(outbox, "a", number)
    outbox.add(outbox.pack({batch_key("a", monitor="other"): [event("x")]}, 0), 0.0)
    assert [outbox.take(0.0).key.app_monitor.id for _ in range(4)] == ["m", "other", "m", "m"]


def test_a_full_batch_goes_first_but_starves_no_old_one() -> None:
    """Full ones save requests; whoever waits for long enough goes before them, whatever the wall's clock says."""
    outbox = Outbox(max_events_per_request=2)
    give(outbox, "old", 1, accepted_ns=10**18)
    give(outbox, "full", 2, 3, now_seconds=FULL_FIRST_SECONDS)
    give(outbox, "full", 4, 5, now_seconds=FULL_FIRST_SECONDS + 0.1)
    assert [session for session, _ in drain(outbox)] == ["full", "old", "full"]


def test_halves_go_first() -> None:
    """What was refused as a whole is settled before anything else."""
    outbox = Outbox(max_events_per_request=2)
    give(outbox, "a", 1, 2)
    give(outbox, "b", 3, 4)
    outbox.take(0.0)
    outbox.put_first(Shipment.of(parcel("a", 1)), Shipment.of(parcel("a", 2)))
    assert [session for session, _ in drain(outbox)] == ["a", "a", "b"]


def test_above_its_bound_the_oldest_leave() -> None:
    """What is freshest tells most of the trouble, also where some failed before."""
    outbox = Outbox(max_events_per_request=1)
    for number in range(5):
        give(outbox, "a", number, accepted_ns=number)
    oldest = outbox.take(0.0)
    outbox.put_back(oldest, 0.0)
    room = outbox.memory_bytes * 2.1 / 5
    assert ids(outbox.evict_from_memory(room)) == ids(parcel("a", number) for number in range(3))
    assert outbox.events == 2
    assert outbox.evict_from_memory(room) == []


def test_what_is_on_disk_has_a_bound_of_its_own() -> None:
    """It weighs little in memory, and leaves only where the disk is full."""
    outbox = Outbox(max_events_per_request=1)
    for number in range(4):
        stored = parcel("a", number, accepted_ns=number)
        stored.place, stored.events = "disk", None
        outbox.add([stored], 0.0)
    give(outbox, "a", "in memory", accepted_ns=9)
    assert outbox.evict_from_disk(outbox.disk_bytes) == []
    evicted = outbox.evict_from_disk(outbox.disk_bytes / 2)
    assert {one.accepted_ns for one in evicted} == {0, 1, 2}
    assert outbox.disk_bytes == parcel("a", 3).size_bytes
    assert len(outbox.evict_from_memory(0)) == 2
    assert (outbox.events, outbox.memory_bytes, outbox.disk_bytes) == (0, 0, 0)


def test_what_is_too_old_expires() -> None:
    """And nothing younger with it, though it may be in the same batch."""
    outbox = Outbox(max_events_per_request=2)
    give(outbox, "a", 1, accepted_ns=10)
    give(outbox, "b", 2, accepted_ns=10)
    give(outbox, "b", 3, accepted_ns=30)
    assert outbox.expire(10) == []
    assert ids(outbox.expire(20)) == ids([parcel("a", 1)])
    assert outbox.oldest_ns() == 10
    assert outbox.events == 2


def test_what_another_process_left_may_be_older_than_what_came_before_it() -> None:
    """It expires at its own time: not after what stands before it, and nothing younger with it."""
    outbox = Outbox(max_events_per_request=2)
    give(outbox, "a", 1, 2, accepted_ns=30)
    give(outbox, "a", 3, 4, accepted_ns=10)
    give(outbox, "a", 5, accepted_ns=30)
    give(outbox, "a", 6, accepted_ns=20)
    assert outbox.oldest_ns() == 10
    assert ids(outbox.expire(25)) == ids([parcel("a", 3, 4)])
    assert outbox.oldest_ns() == 20
    assert ids(outbox.evict_from_memory(outbox.memory_bytes - 1)) == ids([parcel("a", 5, 6)])


def test_an_empty_outbox_has_nothing_to_take() -> None:
    """And says so."""
    outbox = Outbox(max_events_per_request=1)
    assert (outbox.ready_at(), outbox.oldest_ns(), outbox.parcels()) == (math.inf, None, [])
    with pytest.raises(LookupError):
        outbox.take(10.0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 7)), max_size=20), st.integers(1, 5))
def test_every_event_leaves_once_in_order_within_the_limit(adds: list[tuple[str, int]], limit: int) -> None:
    """Whatever comes in which order."""
    outbox = Outbox(max_events_per_request=limit)
    expected: dict[str, list[str]] = {}
    for number, (session, count) in enumerate(adds):
        names = [f"{number}/{index}" for index in range(count)]
        give(outbox, session, *names)
        expected.setdefault(session, []).extend(event(name).id for name in names)
    found: dict[str, list[str]] = {}
    for session, event_ids in drain(outbox):
        assert 1 <= len(event_ids) <= limit
        found.setdefault(session, []).extend(event_ids)
    assert expected == found
    assert (outbox.events, outbox.memory_bytes, outbox.disk_bytes) == (0, 0, 0)
