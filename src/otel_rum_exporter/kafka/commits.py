"""Commits of offsets: up to the first message of each partition that is not settled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from .._log import RateLimitedLog
from .receiver import Assigned

_OUTDATED = frozenset(
    (KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError._STATE)  # noqa: SLF001 - a public constant
)
"""Commits fail so during a rebalance. Those of partitions that stay are repeated."""

_NO_RESPONSE = frozenset(
    (KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._WAIT_COORD)  # noqa: SLF001 - public constants
)
"""Requests fail so while brokers do not respond."""

BROKER_SECONDS = 5.0
"""How long brokers may take to respond before a commit is left out. Librdkafka repeats one for `session.timeout.ms`."""


class OffsetCommits:
    """Commits the offsets of partitions. `assigned` has those of this member; `on_commit` is librdkafka's callback."""

    def __init__(self, assigned: Mapping[tuple[str, int], Assigned], log: RateLimitedLog) -> None:
        self._assigned = assigned
        self._log = log

    def commit(self, consumer: Consumer, partitions: Iterable[Assigned]) -> None:
        """Commit offsets that the brokers do not have yet. `on_commit` gets the result."""
        if offsets := _offsets_behind(partitions):
            try:
                consumer.commit(offsets=offsets, asynchronous=True)
            except KafkaException as error:
                self.on_commit(error.args[0], offsets)

    def commit_and_wait(self, consumer: Consumer, partitions: Iterable[Assigned], *, is_last: bool) -> bool:
        """Commit them and wait for the brokers; false if these do not respond.

        A commit has no limit of time, so a request that has one, to the same broker, is made before the last commit.
        """
        if offsets := _offsets_behind(partitions):
            if is_last and not self._is_answered(consumer, offsets):
                return False
            try:
                self.on_commit(None, consumer.commit(offsets=offsets, asynchronous=False))
            except KafkaException as error:
                self.on_commit(error.args[0], offsets)
        return True

    def _is_answered(self, consumer: Consumer, offsets: list[TopicPartition]) -> bool:
        """Return whether brokers respond to a request for offsets; if not, the offsets are not committed."""
        try:
            consumer.committed(offsets, timeout=BROKER_SECONDS)
        except KafkaException as error:
            if error.args[0].code() in _NO_RESPONSE:
                self.on_commit(error.args[0], offsets)
                return False
        return True

    def on_commit(self, error: KafkaError | None, offsets: Sequence[TopicPartition]) -> None:
        """Note what the brokers have, and log what failed."""
        for one in offsets:
            fault = error or one.error
            partition = self._assigned.get((one.topic, one.partition))
            if fault is None:
                if partition is not None:
                    partition.committed = one.offset
            elif fault.code() not in _OUTDATED:
                self._log.add(
                    "commit",
                    "an offset of %s was not committed (%s); it is committed later, or messages are consumed again. "
                    "To fix: nothing, unless it continues.",
                    one.topic,
                    fault.str(),
                )


def _offsets_behind(partitions: Iterable[Assigned]) -> list[TopicPartition]:
    behind = ((one, one.position) for one in partitions if one.is_behind)
    return [TopicPartition(one.topic, one.number, at) for one, at in behind if at is not None]
