"""The consumer: a loop that hands messages over, commits what is settled, and follows rebalances.

Everything runs in the thread of `run`, also the callbacks of librdkafka.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from .._log import LOGGER, RateLimitedLog
from ..exporter.pipeline import Pipeline
from .commits import OffsetCommits
from .dead_letters import DeadLetters
from .leaving import leave
from .message import ConsumedMessage
from .metrics import Counts, PartitionState
from .partition import Partition
from .quota import share_per_second
from .receiver import Assigned, Receiver
from .settings import KafkaSettings

BATCH_MESSAGES = 50
"""Most messages of one fetch. A rebalance waits until they are handed over, and each may have thousands of records."""

POLL_SECONDS = 0.1
COMMIT_SECONDS = 1.0
"""The interval at which offsets are committed. While a partition is paused, with each poll: it may wait for that."""

QUOTA_SECONDS = 60.0
"""The interval at which the partitions of the topics are counted, beside each rebalance."""

QUOTA_RETRY_SECONDS = 5.0
"""The same after brokers did not respond."""

SETTLE_SECONDS = 5.0
"""The time that a rebalance waits for messages in flight: the group waits too. The rest is consumed again by others."""

METADATA_SECONDS = 3.0


class FatalError(Exception):
    """The consumer cannot go on, for example because another one has its static id."""


class KafkaConsumer:
    """A member of a consumer group.

    `limit` is the request rate of the whole group, `budget` its events per second; 0 means no limit.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        pipeline: Pipeline,
        limit: int,
        budget: float = 0.0,
        *,
        credentials: dict[str, Any] | None = None,
    ) -> None:
        self.counts = Counts()
        self.is_stopping = False
        self._is_member = False
        self.ticked_seconds = time.monotonic()
        self._settings = settings
        self._pipeline = pipeline
        self._limit = limit
        self._budget = budget
        self._log = RateLimitedLog()
        own: dict[str, Any] = {"error_cb": self._on_error, "logger": LOGGER, **(credentials or {})}
        topic = settings.dead_letter_topic
        self._dead_letters = DeadLetters(topic, {**settings.producer(), **own}, self._log) if topic else None
        stops = settings.on_undecodable == "stop"
        self._receiver = Receiver(pipeline, self._dead_letters, self.counts, self._log, stops=stops)
        self._partitions: dict[tuple[str, int], Assigned] = {}
        self._commits = OffsetCommits(self._partitions, self._log)
        self._consumer = Consumer({**settings.consumer(), **own, "on_commit": self._commits.on_commit})
        self._next_commit = self._next_quota = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether it is a member of the group. One without room for more is, too: it delivers."""
        return self._is_member and not self.is_stopping

    def run(self, drain_seconds: float) -> bool:
        """Consume until `is_stopping`, then deliver what is in flight within some seconds, and leave the group.

        Returns whether it left. If not, the end of this object, and so of the interpreter, would wait for librdkafka.

        Raises:
            UndecodableError: if a message cannot be decoded, and the settings say to stop.
            FatalError: if librdkafka cannot go on.
        """
        self._consumer.subscribe(
            list(self._settings.topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        try:
            while not self.is_stopping:
                self._step()
        finally:
            has_left = self._drain(drain_seconds)
        return has_left

    def _step(self) -> None:
        for message in self._consumer.consume(BATCH_MESSAGES, POLL_SECONDS):
            self._take(message)
            self._settle_and_commit()
        self._settle_and_commit()
        for partition in self._partitions.values():
            self._hand_over(partition)
        self._pause_and_resume()
        if self.ticked_seconds >= self._next_quota:
            is_divided = self._divide_quota()
            self._next_quota = self.ticked_seconds + (QUOTA_SECONDS if is_divided else QUOTA_RETRY_SECONDS)
        self._log.write()

    def _settle_and_commit(self) -> None:
        self._receiver.settle()
        now = self.ticked_seconds = time.monotonic()
        if now >= self._next_commit:
            is_paused = any(one.is_paused for one in self._partitions.values())
            self._next_commit = now + (POLL_SECONDS if is_paused else COMMIT_SECONDS)
            self._commits.commit(self._consumer, self._partitions.values())
            self._observe()

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            self._on_error(error)
            return
        consumed = ConsumedMessage.of(message)
        partition = self._partitions.get((consumed.topic, consumed.partition))
        if partition is None:  # revoked between the fetch and now
            return
        if not partition.add(consumed.offset, consumed, consumed.size_bytes):
            partition = self._begun_again(partition, consumed)
        self.counts.messages += 1
        partition.waiting.append(consumed)
        self._hand_over(partition)

    def _begun_again(self, former: Assigned, first: ConsumedMessage) -> Assigned:
        """Replace a partition whose offsets went back. Its topic was created again, or a broker lost messages."""
        while former.waiting and self._receiver.receive(former, former.waiting[0]):
            former.waiting.popleft()
        self._log.add(
            f"begins again {former.topic} {former.number}",
            "the offsets of %s[%d] went back from %d to %d: the topic was created again, or a broker lost messages. "
            "They are consumed from there, without %d messages before. To fix: nothing.",
            *(former.topic, former.number, former.next_offset, first.offset, len(former.waiting)),
        )
        partition: Assigned = Partition(former.topic, former.number, former.limits)
        partition.is_paused = former.is_paused
        partition.add(first.offset, first, first.size_bytes)
        self._partitions[former.topic, former.number] = partition
        return partition

    def _hand_over(self, partition: Assigned) -> None:
        waiting = partition.waiting
        while waiting and partition.may_hand_over(waiting[0].offset) and self._receiver.receive(partition, waiting[0]):
            waiting.popleft()

    def _pause_and_resume(self) -> None:
        changed: dict[bool, list[TopicPartition]] = {True: [], False: []}
        for partition in self._partitions.values():
            is_paused = partition.is_full or bool(partition.waiting)
            if is_paused is not partition.is_paused:
                partition.is_paused = is_paused
                changed[is_paused].append(TopicPartition(partition.topic, partition.number))
        if changed[True]:
            self._consumer.pause(changed[True])
        if changed[False]:
            self._consumer.resume(changed[False])

    def _on_assign(self, _: Consumer, assigned: Sequence[TopicPartition]) -> None:
        for one in assigned:
            partition: Assigned = Partition(one.topic, one.partition, self._settings.limits)
            # librdkafka keeps the pause of a partition that was assigned before. The next step resumes it.
            partition.is_paused = True
            self._partitions[one.topic, one.partition] = partition
        self._rebalanced(is_member=True)

    def _on_revoke(self, _: Consumer, revoked: Sequence[TopicPartition]) -> None:
        self._release([(one.topic, one.partition) for one in revoked], SETTLE_SECONDS)
        self._rebalanced(is_member=True)

    def _on_lost(self, _: Consumer, lost: Sequence[TopicPartition]) -> None:
        """Forget partitions that others may have already: their offsets cannot be committed."""
        for one in lost:
            self._partitions.pop((one.topic, one.partition), None)
        self._rebalanced(is_member=False)

    def _rebalanced(self, *, is_member: bool) -> None:
        """Divide the bytes in flight among the assigned partitions now, and the quota with the next step."""
        self._is_member = is_member
        self.counts.rebalances += 1
        self._next_quota = 0.0
        limits = self._settings.limits
        for partition in self._partitions.values():
            partition.limits = replace(limits, size_bytes=max(1, limits.size_bytes // len(self._partitions)))

    def _release(self, keys: Sequence[tuple[str, int]], seconds: float, *, is_last: bool = False) -> bool:
        """Wait for the messages in flight of partitions, commit, and forget the partitions.

        Returns false if the brokers do not respond.
        """
        released = [self._partitions[key] for key in keys if key in self._partitions]
        deadline = time.monotonic() + seconds
        while any(one.unsettled > len(one.waiting) for one in released) and time.monotonic() < deadline:
            self._receiver.settle(POLL_SECONDS / 2)
        self._receiver.settle()
        is_committed = self._commits.commit_and_wait(self._consumer, released, is_last=is_last)
        for key in keys:
            self._partitions.pop(key, None)
        return is_committed

    def _drain(self, seconds: float) -> bool:
        """Deliver what is in flight, commit and leave the group; false if brokers or other members take too long."""
        deadline = time.monotonic() + seconds
        has_left = True
        try:
            self._pipeline.release()
            self._pipeline.final_flush(seconds)
            has_left = self._release(list(self._partitions), max(0.0, deadline - time.monotonic()), is_last=True)
        finally:
            if self._dead_letters is not None:
                self._dead_letters.close()
            has_left = has_left and self._leave()
            self._observe()
            self._log.write()
        return has_left

    def _leave(self) -> bool:
        with suppress(KafkaException, FatalError):  # of callbacks; the process ends anyway
            is_static = self._settings.is_static  # such a member keeps its partitions
            if not (is_static or leave(self._consumer, lambda: self.counts.rebalances, self._log)):
                return False
        with suppress(KafkaException, FatalError):
            self._consumer.close()
        return True

    def _divide_quota(self) -> bool:
        """Limit requests and events to the share of the assigned partitions; false if brokers do not respond."""
        if not (self._limit or self._budget):
            return True
        try:
            topics = self._consumer.list_topics(timeout=METADATA_SECONDS).topics
        except KafkaException as error:
            self._on_error(error.args[0])
            return False
        partitions = sum(len(topic.partitions) for name, topic in topics.items() if self._is_subscribed(name))
        rate, budget = (
            share_per_second(whole, len(self._partitions), partitions) for whole in (self._limit, self._budget)
        )
        self._pipeline.limit_requests(rate)
        if budget:
            self._pipeline.limit_events(budget)
        self.counts.requests_per_second = rate
        self.counts.events_per_second = budget
        return True

    def _is_subscribed(self, name: str) -> bool:
        return any(
            re.match(topic, name) is not None if topic.startswith("^") else topic == name
            for topic in self._settings.topics
        )

    def _observe(self) -> None:
        self.counts.partitions = [
            PartitionState(one.topic, one.number, self._lag(one), one.unsettled, one.is_paused)
            for one in self._partitions.values()
        ]
        if self._dead_letters is not None:
            self.counts.dead_letters = self._dead_letters.acknowledged

    def _lag(self, partition: Assigned) -> int | None:
        """Return the number of messages behind the offset to commit; None before the first message."""
        if partition.position is None:
            return None
        place = TopicPartition(partition.topic, partition.number)
        _, end = self._consumer.get_watermark_offsets(place, cached=True) or (0, 0)
        return max(0, end - partition.position)

    def _on_error(self, error: KafkaError) -> None:
        # As a message, a fatal error has a code of its own and no mark.
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - a public constant
            fix = "start the consumer again; its group.instance.id, if it has one, must be its own"
            raise FatalError(f"Kafka: {error.str()}. To fix: {fix}")
        self._log.add(
            f"kafka {error.name()}",
            "Kafka: %s; the consumer waits, retrying. To fix: check --brokers, the topics and the permissions.",
            error.str(),
        )
