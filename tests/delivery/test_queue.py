"""The queue combines events into batches, orders them and limits their size, without loss or duplicates."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.delivery.app_monitor_queue import ATTEMPTS_IN_A_ROW, FULL_FIRST_SECONDS, QueuedBatch
from otel_rum_exporter.delivery.queue import EventQueue, fair_share
from tests.delivery.queued import batch_key, event, ids, queued


def drain(queue: EventQueue) -> list[tuple[str, list[str]]]:
    """Take all batches, and return their session and event ids."""
    taken: list[tuple[str, list[str]]] = []
    while queue.events:
        batch = queue.take(10.0)
        taken.append((batch.key.session_id, ids(batch.parts)))
    return taken


def add(queue: EventQueue, session: str, *names: object, accepted_ns: int = 0, now_seconds: float = 0.0) -> None:
    """Add events of a session."""
    queue.add(queue.pack({batch_key(session): [event(name) for name in names]}, accepted_ns), now_seconds)


def test_events_of_one_session_are_combined_until_the_batch_is_full() -> None:
    """The quota counts requests."""
    queue = EventQueue(max_events_per_request=3)
    for number in range(4):
        add(queue, "a", number)
        add(queue, "b", f"b{number}")
    assert [(session, len(ids)) for session, ids in drain(queue)] == [("a", 3), ("b", 3), ("a", 1), ("b", 1)]


def test_packed_events_fill_the_open_batch_of_their_session_exactly() -> None:
    """Otherwise every export would leave an almost full batch."""
    queue = EventQueue(max_events_per_request=10)
    add(queue, "a", *range(7))
    add(queue, "a", *range(7, 30))
    assert [len(ids) for _, ids in drain(queue)] == [10, 10, 10]


def test_an_open_batch_that_grows_after_pack_closes_before_it_exceeds_the_limit() -> None:
    """Another thread may add events between pack and add."""
    queue = EventQueue(max_events_per_request=4)
    packed = queue.pack({batch_key("a"): [event(name) for name in range(3)]}, 0)
    add(queue, "a", *"xy")
    queue.add(packed, 0.0)
    assert [len(ids) for _, ids in drain(queue)] == [2, 3]


def test_a_pause_ends_when_the_last_events_of_its_app_monitor_expire() -> None:
    """The queue of an app monitor is deleted when it is empty, since telemetry may name any number of them."""
    queue = EventQueue(max_events_per_request=3)
    add(queue, "a", 1, accepted_ns=1)
    queue.put_back(queue.take(10.0), 99.0)
    queue.pause(batch_key("a"), 99.0)
    assert len(queue.expire(2, queue.app_monitors())) == 1
    add(queue, "a", 2)
    assert queue.ready_at() == -math.inf


def test_put_back_keeps_a_batch_unchanged_and_delays_no_other() -> None:
    """A retry is the same request, even if further events of its session are queued."""
    queue = EventQueue(max_events_per_request=2)
    add(queue, "a", 1)
    batch = queue.take(10.0)
    add(queue, "a", 2)
    queue.put_back(batch, 20.0)
    assert ids(queue.take(10.0).parts) == ids([queued("a", 2)])
    assert queue.take(20.0) is batch
    assert (queue.events, queue.memory_bytes) == (0, 0)


def test_a_batch_that_always_fails_holds_up_no_other() -> None:
    """Each failure pauses its app monitor, and its delay may end with the pause: it would always be the first."""
    queue = EventQueue(max_events_per_request=10)
    add(queue, "failing", 1)
    failing = queue.take(0.0)
    for number in range(2):
        add(queue, f"other {number}", number)
    taken = []
    for _ in range(3 * ATTEMPTS_IN_A_ROW):
        queue.put_back(failing.after_failure(), 0.0)
        batch = queue.take(0.0)
        taken.append(batch.key.session_id)
        failing = batch if taken[-1] == "failing" else queue.take(0.0)
    assert [session for session in taken if session != "failing"] == ["other 0", "other 1"]


def test_put_back_delays_only_the_failed_batch_until_its_time_or_skip_backoff() -> None:
    """Batches of other sessions are sent meanwhile."""
    queue = EventQueue(max_events_per_request=2)
    add(queue, "a", 1)
    failed = queue.take(0.0)
    queue.put_back(failed, 5.0)
    assert queue.ready_at() == 5.0
    add(queue, "b", 2)
    assert queue.take(4.9).key == batch_key("b")
    with pytest.raises(LookupError):
        queue.take(4.9)
    queue.skip_backoff()
    assert queue.take(0.0) is failed


def test_pause_delays_only_one_app_monitor() -> None:
    """Each app monitor has a queue of its own."""
    queue = EventQueue(max_events_per_request=2)
    paused, other = batch_key("a"), batch_key("a", monitor="other")
    queue.add([queued("a", 1), *queue.pack({other: [event(2)]}, 0)], 0.0)
    queue.pause(paused, 60.0)
    assert queue.take(0.0).key == other
    assert queue.ready_at() == 60.0
    assert queue.take(60.0).key == paused
    assert queue.ready_at() == math.inf


def test_app_monitors_take_turns() -> None:
    """Independent of the number of events of each."""
    queue = EventQueue(max_events_per_request=1)
    for number in range(3):
        add(queue, "a", number)
    queue.add(queue.pack({batch_key("a", monitor="other"): [event("x")]}, 0), 0.0)
    assert [queue.take(0.0).key.app_monitor.id for _ in range(4)] == ["m", "other", "m", "m"]


def test_a_full_batch_is_sent_first_unless_an_open_batch_is_much_older() -> None:
    """Ages are measured on the monotonic clock, not by the times of acceptance."""
    queue = EventQueue(max_events_per_request=2)
    add(queue, "old", 1, accepted_ns=10**18)
    add(queue, "full", 2, 3, now_seconds=FULL_FIRST_SECONDS)
    add(queue, "full", 4, 5, now_seconds=FULL_FIRST_SECONDS + 0.1)
    assert [session for session, _ in drain(queue)] == ["full", "old", "full"]


def test_put_first_adds_batches_before_all_others() -> None:
    """The halves of a rejected batch are sent before anything else."""
    queue = EventQueue(max_events_per_request=2)
    add(queue, "a", 1, 2)
    add(queue, "b", 3, 4)
    queue.take(0.0)
    queue.put_first([QueuedBatch.of([queued("a", 1)]), QueuedBatch.of([queued("a", 2)])])
    assert [session for session, _ in drain(queue)] == ["a", "a", "b"]


def test_the_oldest_events_are_evicted_above_the_memory_limit() -> None:
    """Also if they are in a failed batch."""
    queue = EventQueue(max_events_per_request=1)
    for number in range(5):
        add(queue, "a", number, accepted_ns=number)
    oldest = queue.take(0.0)
    queue.put_back(oldest, 0.0)
    room = queue.memory_bytes * 2.1 / 5
    assert ids(queue.evict_from_memory(room)) == ids(queued("a", number) for number in range(3))
    assert queue.events == 2
    assert queue.evict_from_memory(room) == []


def test_events_on_disk_have_a_limit_of_their_own() -> None:
    """They use little memory, and are evicted above the disk limit."""
    queue = EventQueue(max_events_per_request=1)
    for number in range(4):
        stored = queued("a", number, accepted_ns=number)
        stored.location, stored.events = "disk", None
        queue.add([stored], 0.0)
    add(queue, "a", "in memory", accepted_ns=9)
    assert queue.evict_from_disk(queue.disk_bytes) == []
    evicted = queue.evict_from_disk(queue.disk_bytes / 2)
    assert {one.accepted_ns for one in evicted} == {0, 1, 2}
    assert queue.disk_bytes == queued("a", 3).size_bytes
    assert len(queue.evict_from_memory(0)) == 2
    assert (queue.events, queue.memory_bytes, queue.disk_bytes) == (0, 0, 0)


def test_recount_knows_which_events_are_on_disk_now() -> None:
    """A disk that works again took them from memory."""
    queue = EventQueue(max_events_per_request=1)
    add(queue, "a", 1)
    add(queue, "b", 2)
    before, moved = queue.memory_bytes, queue.queued()[0]
    moved.location, moved.events = "disk", None
    queue.recount()
    assert queue.events == 2
    assert 0 < queue.memory_bytes < before
    assert queue.disk_bytes == moved.disk_bytes > 0


def test_expire_removes_batches_with_only_old_events() -> None:
    """A batch with a newer event stays."""
    queue = EventQueue(max_events_per_request=2)
    add(queue, "a", 1, accepted_ns=10)
    add(queue, "b", 2, accepted_ns=10)
    add(queue, "b", 3, accepted_ns=30)
    assert queue.expire(10, queue.app_monitors()) == []
    assert ids(queue.expire(20, queue.app_monitors())) == ids([queued("a", 1)])
    assert queue.oldest_ns() == 10
    assert queue.events == 2


def test_recovered_events_expire_by_their_own_age() -> None:
    """They may be older than the events before them in the queue."""
    queue = EventQueue(max_events_per_request=2)
    add(queue, "a", 1, 2, accepted_ns=30)
    add(queue, "a", 3, 4, accepted_ns=10)
    add(queue, "a", 5, accepted_ns=30)
    add(queue, "a", 6, accepted_ns=20)
    assert queue.oldest_ns() == 10
    assert ids(queue.expire(25, queue.app_monitors())) == ids([queued("a", 3, 4)])
    assert queue.oldest_ns() == 20
    assert ids(queue.evict_from_memory(queue.memory_bytes - 1)) == ids([queued("a", 5, 6)])


def test_an_empty_queue_raises_lookup_error() -> None:
    """Its state says that nothing is planned."""
    queue = EventQueue(max_events_per_request=1)
    assert (queue.ready_at(), queue.oldest_ns(), queue.queued()) == (math.inf, None, [])
    with pytest.raises(LookupError):
        queue.take(10.0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 7)), max_size=20), st.integers(1, 5))
def test_each_event_is_taken_once_in_order_in_batches_within_the_limit(adds: list[tuple[str, int]], limit: int) -> None:
    """For any sequence of events."""
    queue = EventQueue(max_events_per_request=limit)
    expected: dict[str, list[str]] = {}
    for number, (session, count) in enumerate(adds):
        names = [f"{number}/{index}" for index in range(count)]
        add(queue, session, *names)
        expected.setdefault(session, []).extend(event(name).id for name in names)
    found: dict[str, list[str]] = {}
    for session, event_ids in drain(queue):
        assert 1 <= len(event_ids) <= limit
        found.setdefault(session, []).extend(event_ids)
    assert expected == found
    assert (queue.events, queue.memory_bytes, queue.disk_bytes) == (0, 0, 0)


@pytest.mark.parametrize(
    ("sizes", "limit", "share"),
    [
        ([], 10, math.inf),
        ([4, 6], 10, math.inf),
        ([100], 10, 10),
        ([100, 100], 10, 5),
        ([1, 100], 10, 9),
        ([100, 2, 3, 100], 25, 10),
    ],
)
def test_an_app_monitor_that_uses_less_leaves_its_share_to_the_others(
    sizes: list[float], limit: float, share: float
) -> None:
    """Those above the share are reduced to it, and no others."""
    assert fair_share(sizes, limit) == share
    assert sum(min(size, share) for size in sizes) <= limit
