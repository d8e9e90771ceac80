"""The consumer in this process, with real brokers on TCP."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from botocore.exceptions import ClientError
from confluent_kafka import Consumer, KafkaError, TopicPartition

from examples.kafka.brokers import HEARTBEAT, INIT_PRODUCER_ID, LEAVE_GROUP, OFFSET_COMMIT, Brokers
from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.exporter import pipeline as pipeline_module
from otel_rum_exporter.exporter.pipeline import Pipeline
from otel_rum_exporter.exporter.registry import SharedPipeline
from otel_rum_exporter.kafka import leaving
from otel_rum_exporter.kafka.commits import OffsetCommits
from otel_rum_exporter.kafka.consumer import FatalError, KafkaConsumer
from otel_rum_exporter.kafka.dead_letters import DeadLetters
from otel_rum_exporter.kafka.health import Health, HealthServer
from otel_rum_exporter.kafka.leaving import leave
from otel_rum_exporter.kafka.message import ConsumedMessage
from otel_rum_exporter.kafka.metrics import exposition
from otel_rum_exporter.kafka.partition import Limits
from otel_rum_exporter.kafka.process import consume
from otel_rum_exporter.kafka.receiver import UndecodableError
from otel_rum_exporter.kafka.settings import KafkaSettings
from otel_rum_exporter.ledger import DropReason
from otel_rum_exporter.otlp import decode_message
from tests.kafka.fleet import committed, consumed, message, produce, reading_offsets
from tests.spans import make_config
from tests.waiting import wait_until

PARTITIONS = 3
REFUSED = "00000000-aaaa-4bbb-8ccc-00000000dead"
FAST = {"heartbeat.interval.ms": "100", "session.timeout.ms": "6000", "topic.metadata.refresh.interval.ms": "200"}
LOG = (
    b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "1795000000000000000", '
    b'"eventName": "exception", "attributes": [{"key": "exception.type", "value": {"stringValue": "E"}}, '
    b'{"key": "session.id", "value": {"stringValue": "s"}}]}]}]}]}'
)


class Rum:
    """RUM as a client. It waits while `is_open` is not set, and refuses one app monitor."""

    def __init__(self) -> None:
        self.is_open = threading.Event()
        self.is_open.set()
        self.ids: list[str] = []

    def put_rum_events(self, **request: Any) -> dict[str, Any]:
        """Accept a request, later or never."""
        self.is_open.wait(60.0)
        if request["Id"] == REFUSED:
            code = {"Error": {"Code": "ResourceNotFoundException"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
            raise ClientError(code, "PutRumEvents")
        self.ids += [event["id"] for event in request["RumEvents"]]
        return {}


class Running:
    """A consumer in a thread, its pipeline, and the error that ended it."""

    def __init__(
        self,
        brokers: Brokers,
        rum: Rum,
        limit: int = 0,
        budget: float = 0.0,
        config: dict[str, Any] | None = None,
        **given: Any,
    ) -> None:
        given = {"properties": FAST, "topics": ("spans",), **given}
        self.settings = KafkaSettings(brokers=brokers.bootstrap, **given)
        self.pipeline = Pipeline(make_config(**{"max_requests_per_second": 0, **(config or {})}), rum)
        self.pipeline.start()
        self.consumer = KafkaConsumer(self.settings, self.pipeline, limit, budget)
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.consumer.run(10.0)
        except Exception as error:  # noqa: BLE001 - the test sees it
            self.error = error

    @property
    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def stop(self) -> None:
        self.consumer.is_stopping = True
        self._thread.join(60.0)
        assert not self._thread.is_alive()
        self.pipeline.close(10.0)


@contextmanager
def running(rum: Rum, **given: Any) -> Iterator[tuple[Brokers, Running]]:
    """Serve brokers with the topics `spans` and `dead`, and run a consumer."""
    with Brokers() as brokers:
        brokers.create_topic("spans", PARTITIONS)
        brokers.create_topic("dead", 1)
        run = Running(brokers, rum, **given)
        try:
            yield brokers, run
        finally:
            rum.is_open.set()
            run.stop()


def wait_until_committed(brokers: Brokers, messages: int) -> None:
    """Wait until the group has committed a number of messages."""
    with reading_offsets(brokers.bootstrap, "spans", PARTITIONS) as read:
        wait_until(lambda: read() == messages)


def test_each_form_of_otlp_is_consumed_and_poison_becomes_dead_letters() -> None:
    """From confluent-kafka and aiokafka. Offsets reach the end, and the metrics count everything."""
    rum = Rum()
    with running(rum, limit=60, dead_letter_topic="dead") as (brokers, run):
        good = [message(number, 5) for number in range(100)]
        produce(brokers.bootstrap, "spans", [*good, gzip.compress(message(1000, 5)), b"poison", b"", b"{"])

        async def produce_async() -> None:
            async with AIOKafkaProducer(bootstrap_servers=brokers.bootstrap, compression_type="gzip") as producer:
                await producer.send_and_wait("spans", LOG, key=b"poison?")
                await producer.send_and_wait("spans", b"\xff\xfe", headers=[("mine", b"1")])

        asyncio.run(produce_async())
        wait_until_committed(brokers, 106)
        assert len(rum.ids) == len(set(rum.ids)) == 506
        letters = consumed(brokers.bootstrap, "dead", 1)
        assert sorted(letter.value() for letter in letters) == [b"poison", b"{", b"\xff\xfe"]
        headers = [dict(letter.headers()) for letter in letters]
        assert all(header["otel_rum.topic"] == b"spans" and header["otel_rum.reason"] for header in headers)
        assert all(header["otel_rum.partition"].isdigit() and header["otel_rum.offset"].isdigit() for header in headers)
        assert [header["mine"] for header in headers if "mine" in header] == [b"1"]
        wait_until(lambda: sum(one.lag or 0 for one in run.consumer.counts.partitions) == 0)
        text = exposition(run.consumer.counts, run.pipeline.ledger.snapshot())
        assert "otel_rum_kafka_messages_total 106\n" in text
        assert "otel_rum_kafka_requests_per_second_limit 60.0\n" in text
        assert run.pipeline._delivery.requests_per_second == 60.0
        assert "otel_rum_kafka_undecodable_total 3\n" in text
        assert "otel_rum_kafka_dead_letters_total 3\n" in text
        assert "otel_rum_events_delivered_total 506\n" in text


def test_the_brokers_of_kafka_4_may_assign() -> None:
    """With the group protocol in which the consumer has no strategy, and brokers have the time of a session."""
    rum = Rum()
    with running(rum, limit=60, properties={"group.protocol": "consumer"}) as (brokers, run):
        produce(brokers.bootstrap, "spans", [message(number) for number in range(30)])
        wait_until_committed(brokers, 30)
        assert len(rum.ids) == len(set(rum.ids)) == 30
        wait_until(lambda: run.consumer.counts.requests_per_second == 60.0)


def test_topics_are_subscribed_by_a_pattern() -> None:
    """Only theirs are the partitions by which the quota is divided."""
    rum = Rum()
    with running(rum, limit=60, topics=("^spa",)) as (brokers, run):
        produce(brokers.bootstrap, "spans", [message(number) for number in range(30)])
        wait_until_committed(brokers, 30)
        assert len(rum.ids) == 30
        assert set(run.consumer._partitions) == {("spans", number) for number in range(PARTITIONS)}
        wait_until(lambda: run.consumer.counts.requests_per_second == 60.0)


def test_consumer_and_dead_letters_ask_for_tokens() -> None:
    """Librdkafka calls while it is polled, and before it connects."""
    regions: list[str] = []

    def token(region: str) -> tuple[str, float]:
        regions.append(region)
        return "token", time.time() + 900.0

    pipeline = Pipeline(make_config(), Rum())
    settings = KafkaSettings(brokers="127.0.0.1:1", msk_region="eu-west-1", dead_letter_topic="dead")
    consumer = KafkaConsumer(settings, pipeline, 0, credentials={"oauth_cb": token})
    try:
        deadline = time.monotonic() + 60.0
        while len(regions) < 2 and time.monotonic() < deadline:
            consumer._step()
    finally:
        consumer._drain(0.0)
        pipeline.close(5.0)
    assert len(regions) == 2


def test_failed_commits_end_neither_the_consumer_nor_the_guarantee() -> None:
    """Another consumer died of REBALANCE_IN_PROGRESS, and its group lost messages."""
    rum = Rum()
    with running(rum) as (brokers, run):
        brokers.fail(OFFSET_COMMIT, *[KafkaError.REBALANCE_IN_PROGRESS] * 3)
        produce(brokers.bootstrap, "spans", [message(number) for number in range(50)])
        wait_until_committed(brokers, 50)
        assert len(set(rum.ids)) == 50
        assert not run.has_ended


def test_a_consumer_ends_if_another_one_has_its_static_id() -> None:
    """The brokers fence it. Otherwise both would consume its partitions."""
    rum = Rum()
    with running(rum, properties=FAST | {"group.instance.id": "one"}) as (brokers, run):
        wait_until(lambda: run.consumer.is_ready)
        brokers.fail(HEARTBEAT, KafkaError.FENCED_INSTANCE_ID)
        wait_until(lambda: run.has_ended)
    assert isinstance(run.error, FatalError)
    assert "fenced" in str(run.error).lower()


@pytest.mark.parametrize(("static", "leaves"), [({"group.instance.id": "one"}, 0), ({}, 1)], ids=["static", "other"])
def test_a_static_member_keeps_its_partitions_when_it_ends(static: dict[str, str], leaves: int) -> None:
    """It does not leave, so that a restart moves none. Its offsets are committed."""
    rum = Rum()
    with running(rum, properties=FAST | static) as (brokers, run):
        produce(brokers.bootstrap, "spans", [message(number) for number in range(30)])
        wait_until(lambda: len(rum.ids) == 30)
        brokers.keep_requests()
        run.stop()
        assert brokers.requests(LEAVE_GROUP) == leaves
        assert committed(brokers.bootstrap, "spans", PARTITIONS) == 30


def test_partitions_that_move_are_committed_before(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Although they are committed rarely. In a callback, librdkafka responds to no commit of another thread."""
    monkeypatch.setattr("otel_rum_exporter.kafka.consumer.COMMIT_SECONDS", 3600.0)
    errors: list[KafkaError | None] = []
    on_commit = OffsetCommits.on_commit

    def recorded(self: OffsetCommits, error: KafkaError | None, offsets: Sequence[TopicPartition]) -> None:
        errors.append(error)
        on_commit(self, error, offsets)

    monkeypatch.setattr(OffsetCommits, "on_commit", recorded)
    # The mock brokers rarely begin another rebalance at once, and refuse the commit. Kafka accepts it.
    for _ in range(5):
        errors.clear()
        moved = _committed_when_a_partition_has_moved()
        assert errors, "no commit was made"
        if errors[0] is None:
            break
        assert errors[0].code() == KafkaError.REBALANCE_IN_PROGRESS
    assert errors[0] is None
    assert moved > 0
    assert "was not committed" not in caplog.text


def _committed_when_a_partition_has_moved() -> int:
    rum = Rum()
    with running(rum) as (brokers, run):
        wait_until(lambda: run.consumer._next_commit > time.monotonic() + 60.0)
        produce(brokers.bootstrap, "spans", [message(number) for number in range(90)])
        wait_until(lambda: len(rum.ids) == 90)
        assert committed(brokers.bootstrap, "spans", PARTITIONS) == 0
        other = Running(brokers, rum)
        try:
            wait_until(lambda: bool(other.consumer._partitions))
            moved = committed(brokers.bootstrap, "spans", PARTITIONS)
        finally:
            other.stop()
    assert not moved or len(rum.ids) == len(set(rum.ids)) == 90
    return moved


def test_a_full_partition_pauses_and_resumes() -> None:
    """RUM does not respond: messages in flight are bounded, and nothing is committed or lost."""
    rum = Rum()
    rum.is_open.clear()
    with running(rum, limits=Limits(20, 10**6)) as (brokers, run):
        produce(brokers.bootstrap, "spans", [message(number) for number in range(600)])
        wait_until(lambda: {one.is_paused for one in run.consumer.counts.partitions} == {True})
        assert committed(brokers.bootstrap, "spans", PARTITIONS) == 0
        rum.is_open.set()
        wait_until_committed(brokers, 600)
        assert len(rum.ids) == len(set(rum.ids)) == 600


def test_a_full_queue_pauses_and_loses_nothing() -> None:
    """The pipeline has no room for more, and no event is evicted."""
    rum = Rum()
    rum.is_open.clear()
    with running(rum, config={"max_memory_bytes": 1024 * 1024}) as (brokers, run):
        produce(brokers.bootstrap, "spans", [message(number, 50) for number in range(80)])
        wait_until(lambda: any(one.is_paused for one in run.consumer.counts.partitions))
        rum.is_open.set()
        wait_until_committed(brokers, 80)
        assert len(rum.ids) == len(set(rum.ids)) == 4000
        assert sum(run.pipeline.ledger.snapshot().dropped.values()) == 0


def test_a_refused_app_monitor_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bound, its messages are dead letters. Then the offsets move on."""
    monkeypatch.setattr(pipeline_module, "EXPIRE_SECONDS", 0.3)
    rum = Rum()
    with running(rum, dead_letter_topic="dead", config={"spool_max_age_seconds": 1}) as (brokers, run):
        refused = message(7, app_monitor=REFUSED)
        produce(brokers.bootstrap, "spans", [refused, *(message(number) for number in range(50))])
        wait_until_committed(brokers, 51)
        assert len(rum.ids) == 50
        (letter,) = consumed(brokers.bootstrap, "dead", 1)
        assert letter.value() == refused
        assert b"RUM refuses the app monitor" in dict(letter.headers())["otel_rum.reason"]
        assert run.pipeline.ledger.snapshot().dropped[DropReason.APP_MONITOR_REFUSED] == 1


def test_a_topic_that_is_created_again_is_consumed_from_its_beginning(caplog: pytest.LogCaptureFixture) -> None:
    """Its offsets begin again, and its messages are not those that were consumed. Nothing is restarted."""
    rum = Rum()
    with running(rum) as (brokers, run):
        wait_until(lambda: len(run.consumer._partitions) == PARTITIONS)
        for partition in list(run.consumer._partitions.values()):
            partition.add(99, ConsumedMessage("spans", partition.number, 99, None, b"", []), 1)
            partition.settle(99)
            partition.committed = 100
        produce(brokers.bootstrap, "spans", [message(number) for number in range(10)])
        wait_until_committed(brokers, 10)
        assert len(rum.ids) == 10
        assert run.consumer.counts.messages == 10
    assert "went back from 100 to 0: the topic was created again" in caplog.text


def test_messages_that_waited_are_handed_over_before_a_topic_begins_again() -> None:
    """They cannot be fetched again, because their topic is gone. Their receipts change nothing afterwards."""
    rum = Rum()
    pipeline = Pipeline(make_config(max_requests_per_second=0), rum)
    consumer = KafkaConsumer(KafkaSettings(brokers="127.0.0.1:1", topics=("spans",)), pipeline, 0)
    try:
        pipeline.start()
        consumer._on_assign(consumer._consumer, [TopicPartition("spans", 0)])
        former = consumer._partitions["spans", 0]
        waiting, first = (ConsumedMessage("spans", 0, at, None, message(at), []) for at in (7, 0))
        former.add(7, waiting, 1)
        former.waiting.append(waiting)
        partition = consumer._begun_again(former, first)
        assert consumer._partitions["spans", 0] is partition is not former
        wait_until(lambda: len(rum.ids) == 1)
        consumer._receiver.settle(5.0)
        assert partition.position == 0
    finally:
        consumer._consumer.close()
        pipeline.close(5.0)


def test_a_dead_letter_that_is_too_large_goes_without_its_value() -> None:
    """It holds up neither its partition nor other dead letters, and its place is known."""
    with Brokers() as brokers:
        brokers.create_topic("dead", 1)
        properties = {"bootstrap.servers": brokers.bootstrap, "message.max.bytes": "2000"}
        letters = DeadLetters("dead", properties, RateLimitedLog())
        acknowledged: list[int] = []
        for offset, size in ((7, 5000), (8, 10)):
            poison = ConsumedMessage("spans", 0, offset, b"key", b"x" * size, [("mine", b"1")])
            letters.send(poison, "no OTLP", partial(acknowledged.append, offset))

        def are_acknowledged() -> bool:
            letters.poll(0.05)
            return len(acknowledged) == 2

        wait_until(are_acknowledged)
        letters.close()
        large, small = sorted(consumed(brokers.bootstrap, "dead", 1), key=lambda letter: letter.value() or b"")
    assert (large.value() or b"", small.value()) == (b"", b"x" * 10)
    assert large.key() == small.key() == b"key"
    headers = dict(large.headers())
    assert headers["mine"] == b"1"
    assert headers["otel_rum.offset"] == b"7"
    assert headers["otel_rum.reason"] == b"no OTLP; its value of 5000 bytes is too large for this topic"


def test_dead_letters_need_no_permission_besides_that_of_their_topic() -> None:
    """An idempotent producer needs one for the cluster, and without it ended the consumer."""
    with Brokers() as brokers:
        brokers.create_topic("dead", 1)
        brokers.fail(INIT_PRODUCER_ID, *[KafkaError.CLUSTER_AUTHORIZATION_FAILED] * 5)
        settings = KafkaSettings(brokers=brokers.bootstrap, dead_letter_topic="dead", properties={"acks": "0"})
        letters = DeadLetters("dead", settings.producer(), RateLimitedLog())
        acknowledged: list[int] = []
        letters.send(ConsumedMessage("spans", 0, 7, None, b"x", []), "no OTLP", partial(acknowledged.append, 7))

        def is_acknowledged() -> bool:
            letters.poll(0.05)
            return acknowledged == [7]

        wait_until(is_acknowledged)
        letters.close()
    assert settings.producer()["acks"] == "all"


def test_without_a_dead_letter_topic_poison_is_skipped() -> None:
    """It is counted and logged."""
    rum = Rum()
    with running(rum) as (brokers, run):
        produce(brokers.bootstrap, "spans", [b"poison", message(1)])
        wait_until_committed(brokers, 2)
        assert run.consumer.counts.undecodable == 1


def test_poison_stops_the_consumer_if_the_user_says_so() -> None:
    """Its offset is not committed."""
    rum = Rum()
    with running(rum, on_undecodable="stop") as (brokers, run):
        produce(brokers.bootstrap, "spans", [b"poison"])
        wait_until(lambda: run.has_ended)
        assert isinstance(run.error, UndecodableError)
        assert committed(brokers.bootstrap, "spans", PARTITIONS) == 0


def test_a_consumer_that_has_left_its_group_has_no_partitions() -> None:
    """It may close then. If it closed during a rebalance, librdkafka deadlocked in two of ninety stops."""
    revoked: list[TopicPartition] = []
    with Brokers() as brokers:
        brokers.create_topic("spans", PARTITIONS)
        consumer = Consumer(KafkaSettings(brokers=brokers.bootstrap, properties=FAST).consumer())
        consumer.subscribe(["spans"], on_revoke=lambda _, partitions: revoked.extend(partitions))
        wait_until(lambda: consumer.poll(0.1) is None and len(consumer.assignment()) == PARTITIONS)
        assert leave(consumer, lambda: len(revoked), RateLimitedLog())
        assert len(revoked) == PARTITIONS
        assert consumer.assignment() == []
        consumer.close()


def test_a_consumer_does_not_wait_for_others_when_it_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A member that is not polled holds a rebalance up, for as long as `max.poll.interval.ms`."""
    monkeypatch.setattr(leaving, "LEAVE_SECONDS", 0.2)

    class InRebalance(Consumer):
        def assignment(self) -> list[TopicPartition]:
            return [TopicPartition("spans", 0)]

        def close(self) -> None:
            raise AssertionError("librdkafka can deadlock here")

    pipeline = Pipeline(make_config(), Rum())
    consumer = KafkaConsumer(KafkaSettings(brokers="127.0.0.1:1"), pipeline, 0)
    consumer._consumer = InRebalance(consumer._settings.consumer())
    try:
        assert not consumer._drain(1.0)
    finally:
        pipeline.close(5.0)
    assert "ends during a rebalance, without leaving its group" in caplog.text


def test_flush_and_settling_share_the_time_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """RUM does not respond: an orchestrator would kill a consumer that takes the time twice."""
    rum = Rum()
    rum.is_open.clear()
    pipeline = Pipeline(make_config(max_requests_per_second=0), rum)
    consumer = KafkaConsumer(KafkaSettings(brokers="127.0.0.1:1", topics=("spans",)), pipeline, 0)
    left_seconds: list[float] = []
    flushed_seconds: list[float] = []

    def release(_: object, seconds: float, **_options: bool) -> bool:
        left_seconds.append(seconds)
        return True

    monkeypatch.setattr(consumer, "_release", release)
    flush = pipeline.final_flush

    def timed_flush(seconds: float) -> None:
        began = time.monotonic()
        flush(seconds)
        flushed_seconds.append(time.monotonic() - began)

    monkeypatch.setattr(pipeline, "final_flush", timed_flush)
    try:
        pipeline.start()
        pipeline.accept_spans(decode_message(message(1)).spans)
        consumer._drain(0.5)
        assert left_seconds[0] <= max(0.0, 0.5 - flushed_seconds[0])
    finally:
        rum.is_open.set()
        pipeline.close(10.0)


def test_a_consumer_ends_although_no_broker_responds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Librdkafka repeats a commit for as long as a session lasts."""
    monkeypatch.setattr("otel_rum_exporter.kafka.consumer.COMMIT_SECONDS", 3600.0)
    monkeypatch.setattr("otel_rum_exporter.kafka.commits.BROKER_SECONDS", 0.5)
    rum = Rum()
    session = {"session.timeout.ms": "600000", "max.poll.interval.ms": "600000"}
    with running(rum, properties=FAST | session) as (brokers, run):
        wait_until(lambda: run.consumer._next_commit > time.monotonic() + 60.0)
        produce(brokers.bootstrap, "spans", [message(number) for number in range(30)])
        wait_until(lambda: len(rum.ids) == 30)
        for broker in range(1, brokers.count + 1):
            brokers.set_down(broker)
        run.stop()
    assert run.error is None


@contextmanager
def assigned(partitions: int, **given: Any) -> Iterator[KafkaConsumer]:
    """Yield a consumer that is not connected, with partitions of a topic."""
    pipeline = Pipeline(make_config(), Rum())
    consumer = KafkaConsumer(KafkaSettings(brokers="127.0.0.1:1", topics=("spans",), **given), pipeline, 50)
    consumer._on_assign(consumer._consumer, [TopicPartition("spans", number) for number in range(partitions)])
    try:
        yield consumer
    finally:
        consumer._consumer.close()
        pipeline.close(5.0)


def test_the_bytes_in_flight_are_bounded_for_the_process() -> None:
    """It may get the partitions of all others, when these have ended."""
    with assigned(100, limits=Limits(20, 1000)) as consumer:
        assert {one.limits for one in consumer._partitions.values()} == {Limits(20, 10)}
        consumer._on_lost(consumer._consumer, [TopicPartition("spans", number) for number in range(98)])
        assert {one.limits for one in consumer._partitions.values()} == {Limits(20, 500)}
        consumer._on_revoke(consumer._consumer, [TopicPartition("spans", 98)])
        assert {one.limits for one in consumer._partitions.values()} == {Limits(20, 1000)}


def test_a_consumer_is_ready_while_it_is_a_member() -> None:
    """Also if it has no room: a rollout would wait for the end of a backlog."""
    with assigned(1) as consumer:
        assert consumer.is_ready
        consumer._on_lost(consumer._consumer, [TopicPartition("spans", 0)])
        assert not consumer.is_ready
        consumer._on_assign(consumer._consumer, [])
        assert consumer.is_ready
        consumer.is_stopping = True
        assert not consumer.is_ready


def test_the_quota_is_divided_again_soon_if_brokers_do_not_respond(monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer that lost partitions had its former share for another minute."""
    monkeypatch.setattr("otel_rum_exporter.kafka.consumer.METADATA_SECONDS", 0.01)
    with assigned(1) as consumer:
        consumer._step()
        assert 0.0 < consumer._next_quota - consumer.ticked_seconds < 10.0


def test_a_partition_that_comes_back_is_consumed_although_it_was_paused() -> None:
    """Librdkafka keeps the pause. A fleet under faults stopped for ever."""
    rum = Rum()
    with Brokers() as brokers:
        brokers.create_topic("spans", 1)
        produce(brokers.bootstrap, "spans", [message(number) for number in range(5)])
        pipeline = Pipeline(make_config(max_requests_per_second=0), rum)
        consumer = KafkaConsumer(KafkaSettings(brokers=brokers.bootstrap, topics=("spans",)), pipeline, 0)
        client, places = consumer._consumer, [TopicPartition("spans", 0, 0)]
        client.incremental_assign(places)
        assert len(client.consume(5, 30.0)) == 5
        client.pause(places)
        client.poll(0.2)
        client.incremental_unassign(places)
        client.poll(0.2)
        client.incremental_assign(places)
        consumer._on_assign(client, places)
        deadline = time.monotonic() + 20.0
        while consumer.counts.messages < 5 and time.monotonic() < deadline:
            consumer._step()
        consumer._drain(10.0)
        pipeline.close(10.0)
    assert len(rum.ids) == 5


def test_the_consumer_has_all_of_the_time_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipeline would take it a second time."""
    left: list[float] = []
    leave = SharedPipeline.leave

    def recorded(shared: SharedPipeline, timeout_seconds: float) -> None:
        left.append(timeout_seconds)
        leave(shared, timeout_seconds)

    monkeypatch.setattr(SharedPipeline, "leave", recorded)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        settings = KafkaSettings(brokers="127.0.0.1:1", properties={"log_level": "0"})
        consume(settings, make_config(), "127.0.0.1", None, lambda _: signal.raise_signal(signal.SIGTERM))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert left == [0.0]


def test_the_budget_of_events_is_divided_as_the_requests_are() -> None:
    """A group of three would have sent three times the budget."""
    rum = Rum()
    with running(rum, limit=60, budget=30.0, config={"max_events_per_second": 30.0}) as (_, run):
        wait_until(lambda: run.consumer.counts.events_per_second == 30.0)
        with run.pipeline._lock:
            del run.consumer._partitions["spans", 0], run.consumer._partitions["spans", 1]
        run.consumer._next_quota = 0.0
        wait_until(lambda: run.consumer.counts.events_per_second == 10.0)
        assert run.pipeline._session_rate._budget.per_second == 10.0
        assert "otel_rum_kafka_events_per_second_limit 10.0\n" in exposition(
            run.consumer.counts, run.pipeline.ledger.snapshot()
        )


@pytest.mark.skipif("LONG_FAULTS" not in os.environ, reason="rebalances take long; LONG_FAULTS=1 runs it")
def test_the_quota_is_divided_by_partitions_and_follows_each_rebalance() -> None:
    """Without coordination, the shares of the group add up to the limit."""
    rum = Rum()
    with running(rum, limit=60) as (brokers, run):
        wait_until(lambda: run.consumer.counts.requests_per_second == 60.0)
        other = Running(brokers, rum, limit=60)
        try:
            counts = (run.consumer.counts, other.consumer.counts)
            wait_until(lambda: sorted(one.requests_per_second for one in counts) == [20.0, 40.0])
            produce(brokers.bootstrap, "spans", [message(number) for number in range(90)])
            wait_until_committed(brokers, 90)
            assert len(rum.ids) == len(set(rum.ids)) == 90
        finally:
            other.stop()
        wait_until(lambda: run.consumer.counts.requests_per_second == 60.0)


def test_health_is_served_over_http() -> None:
    """For orchestrators, without a web framework."""
    state = {"ready": True}
    server = HealthServer("127.0.0.1", 0, Health(lambda: True, lambda: state["ready"], lambda: "otel_rum_x 1\n"))
    server.start()
    try:
        url = f"http://127.0.0.1:{server.port}"
        urllib.request.urlopen(f"{url}/readyz").close()
        with urllib.request.urlopen(f"{url}/metrics") as response:
            assert response.read() == b"otel_rum_x 1\n"
        state["ready"] = False
        for path, status in (("/readyz", 503), ("/else", 404)):
            with pytest.raises(urllib.error.HTTPError, match=str(status)) as error:
                urllib.request.urlopen(url + path)
            error.value.close()
    finally:
        server.close()


def test_a_health_server_that_did_not_start_can_be_closed() -> None:
    """There may be no room for another thread. Closing it waited for ever."""
    HealthServer("127.0.0.1", 0, Health(lambda: True, lambda: True, str)).close()
