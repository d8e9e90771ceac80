"""The in-flight window of a partition, and the offset to commit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.kafka.partition import Limits, Partition
from otel_rum_exporter.kafka.quota import MIN_PER_SECOND, share_per_second

OFFSETS = st.lists(st.integers(0, 200), unique=True, max_size=40).map(sorted)


def made(messages: int = 10, size_bytes: int = 1000) -> Partition[str]:
    """Return an empty partition."""
    return Partition("spans", 0, Limits(messages, size_bytes))


@given(OFFSETS, st.data())
def test_the_offset_to_commit_is_that_of_the_first_unsettled_message(offsets: list[int], data: st.DataObject) -> None:
    """In any order of settling, twice or late, with gaps in the offsets. It never goes back."""
    partition = made()
    for offset in offsets:
        assert partition.add(offset, str(offset), 7)
    order = data.draw(
        st.permutations(offsets).flatmap(lambda all_: st.lists(st.sampled_from(all_ or [0]), max_size=60))
    )
    open_, before = set(offsets), partition.position
    for offset in order:
        partition.settle(offset)
        open_.discard(offset)
        expected = min(open_) if open_ else (offsets[-1] + 1 if offsets else None)
        assert partition.position == expected
        assert before is None or (expected is not None and expected >= before)
        assert partition.unsettled == len(open_)
        assert partition.size_bytes == 7 * len(open_)
        before = expected
    assert [partition.message(offset) for offset in offsets] == [
        str(offset) if offset in open_ else None for offset in offsets
    ]


def test_a_message_is_added_once() -> None:
    """A broker may send one again after a seek or an error."""
    partition = made()
    assert partition.add(4, "a", 1)
    assert not partition.add(4, "a", 1)
    assert not partition.add(3, "b", 1)
    partition.settle(4)
    assert not partition.add(4, "a", 1), "it is settled"
    assert partition.position == 5


def test_a_partition_is_behind_until_its_position_is_committed() -> None:
    """Nothing is committed before the first message."""
    partition = made()
    assert not partition.is_behind
    partition.add(7, "a", 1)
    assert partition.is_behind
    partition.committed = 7
    assert not partition.is_behind
    partition.settle(7)
    assert partition.is_behind


@pytest.mark.parametrize("limits", [Limits(10, 10**6), Limits(10**6, 10)], ids=["messages", "bytes"])
def test_a_full_partition_resumes_below_half_of_its_limits(limits: Limits) -> None:
    """Messages count until they are committed, bytes until they are settled. The first offset is not 0."""
    partition: Partition[str] = Partition("spans", 0, limits)
    for offset in range(100, 109):
        partition.add(offset, "", 1)
    assert not partition.is_full
    partition.add(109, "", 1)
    assert partition.is_full
    partition.is_paused = True
    for offset in range(100, 105):
        partition.settle(offset)
        partition.committed = partition.position
        assert partition.is_full
    partition.settle(105)
    partition.committed = partition.position
    assert not partition.is_full


def test_messages_far_from_the_committed_offset_wait() -> None:
    """A kill would deliver them again, also those that are settled."""
    partition = made(messages=10)
    for offset in range(100, 130):
        partition.add(offset, "", 1)
    assert [offset for offset in range(100, 130) if partition.may_hand_over(offset)] == list(range(100, 110))
    for offset in range(100, 110):
        partition.settle(offset)
    assert not partition.may_hand_over(110)
    partition.committed = partition.position
    assert [offset for offset in range(110, 130) if partition.may_hand_over(offset)] == list(range(110, 120))


def test_a_gap_in_the_offsets_does_not_stop_a_partition() -> None:
    """A topic is compacted, or has transactions."""
    partition = made(messages=10)
    partition.add(1, "", 1)
    partition.add(500, "", 1)
    assert not partition.may_hand_over(500)
    partition.settle(1)
    partition.committed = partition.position
    assert partition.committed == 500
    assert partition.may_hand_over(500)


@given(st.integers(1, 10_000), st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_the_shares_of_a_group_add_up_to_its_limit(limit: int, assigned: list[int]) -> None:
    """Whoever comes or goes: every partition has one consumer. A small share is raised to a minimum."""
    shares = [share_per_second(limit, count, sum(assigned)) for count in assigned]
    assert all(share >= MIN_PER_SECOND for share in shares)
    raised = sum(share == MIN_PER_SECOND for share in shares) * MIN_PER_SECOND
    assert limit - 1e-6 <= sum(shares) <= limit + raised + 1e-6


def test_a_consumer_without_partitions_still_sends_what_it_has() -> None:
    """A share of 0 would mean no limit."""
    assert share_per_second(50, 0, 6) == MIN_PER_SECOND
    assert share_per_second(50, 0, 0) == MIN_PER_SECOND
    assert share_per_second(50, 2, 1) == 50.0, "the topics have just got another partition"
    assert share_per_second(0, 3, 6) == 0.0
