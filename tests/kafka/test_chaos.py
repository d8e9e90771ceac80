"""Fleets under faults: consumers and brokers end, commits fail, RUM is slow and throttles, and messages are poison.

No record is lost, none is delivered more often than redelivery explains, and the dead letters are exactly the poison.
KAFKA_SEEDS sets the seeds, for example `1-200`.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka import KafkaError
from typing_extensions import Self

from examples.kafka.brokers import OFFSET_COMMIT, Brokers
from tests.kafka.counting_rum import CountingRum
from tests.kafka.fleet import consumed, consumer_environment, message, produce, reading_offsets, wait_until_committed
from tests.kafka.forks import ConsumerForks, ForkedConsumer
from tests.kafka.producers import produce_elsewhere

pytestmark = [
    pytest.mark.skipif("LONG_FAULTS" not in os.environ, reason="takes long; LONG_FAULTS=1 runs it"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="consumers are forked"),
]
PARTITIONS = 6
POISON = 7
COMMIT_ERRORS = (KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID)
AT_ONCE = 20
"""Fleets mostly wait: for sessions of the group that end, and for faults that do."""

FAST = ("--property", "session.timeout.ms=2000", "--property", "heartbeat.interval.ms=100")


class Load(NamedTuple):
    """What a fleet consumes; `in_flight` is the most messages of a partition, `slow_seconds` a time of slowness."""

    messages: int
    spans: int
    in_flight: int
    slow_seconds: float


SMALL = Load(messages=250, spans=20, in_flight=3, slow_seconds=0.5)
LARGE = Load(messages=2000, spans=50, in_flight=20, slow_seconds=2.0)


def _seeds() -> list[int]:
    first, _, last = os.environ.get("KAFKA_SEEDS", "1-20").partition("-")
    return list(range(int(first), int(last or first) + 1))


class Fleet:
    """Consumers in processes, which are killed and replaced."""

    def __init__(self, brokers: Brokers, rum: CountingRum, load: Load, start: Callable[..., ForkedConsumer]) -> None:
        self.brokers = brokers
        self.rum = rum
        self.load = load
        self.kills = 0
        self._start = start
        self._consumers: list[ForkedConsumer] = []

    def start(self) -> None:
        """Start a consumer."""
        options = ("--brokers", self.brokers.bootstrap, "--dead-letter-topic", "dead", *FAST)
        in_flight = ("--max-in-flight", str(self.load.in_flight))
        self._consumers.append(self._start(("kafka", *options, *in_flight), consumer_environment(self.rum.url)))

    def kill(self) -> None:
        """Kill the oldest consumer."""
        self._consumers.pop(0).kill()
        self.kills += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End all consumers."""
        for consumer in self._consumers:
            consumer.terminate()
        for consumer in self._consumers:
            consumer.wait()


@contextmanager
def _consumer_forks(log: Path) -> Iterator[Callable[..., ForkedConsumer]]:
    """Yield what starts a consumer, from any thread."""
    lock = threading.Lock()
    with ConsumerForks() as forks:

        def start(options: tuple[str, ...], environment: dict[str, str]) -> ForkedConsumer:
            with lock:
                return forks.start(options, environment, log)

        yield start


def test_a_fleet_under_faults_loses_nothing(tmp_path: Path) -> None:
    """100,000 spans at once, of producers in processes of their own."""
    with _consumer_forks(tmp_path / "log") as start:
        _run(1, LARGE, start, partial(produce_elsewhere, "confluent-kafka"), partial(produce_elsewhere, "aiokafka"))


def test_small_fleets_under_other_faults_lose_nothing(tmp_path: Path) -> None:
    """100,000 spans in 20 orders of faults."""
    with _consumer_forks(tmp_path / "log") as start, ThreadPoolExecutor(AT_ONCE) as threads:
        runs = {seed: threads.submit(_run, seed, SMALL, start) for seed in _seeds()}
    failed = {seed: error for seed, run in runs.items() if (error := run.exception())}
    assert not failed


def _run(
    seed: int,
    load: Load,
    start: Callable[..., ForkedConsumer],
    first: Callable[[str, str, Sequence[bytes]], None] = produce,
    second: Callable[[str, str, Sequence[bytes]], None] = produce,
) -> None:
    """Produce a half of the messages with each producer. Faults are between the two."""
    source = random.Random(seed)
    values = [message(number, load.spans) for number in range(load.messages)]
    poison = [b"poison %d" % number for number in range(POISON)]
    for one in poison:
        values.insert(source.randrange(len(values)), one)
    with Brokers() as brokers, CountingRum() as rum:
        brokers.create_topic("otlp_spans", PARTITIONS)
        brokers.create_topic("otlp_logs", 1)
        brokers.create_topic("dead", 1)
        offsets = reading_offsets(brokers.bootstrap, "otlp_spans", PARTITIONS)
        with Fleet(brokers, rum, load, start) as fleet, offsets as read:
            fleet.start()
            fleet.start()
            first(brokers.bootstrap, "otlp_spans", values[: load.messages // 2])
            for step in source.sample(STEPS, len(STEPS)):
                _wait_until_moved(read)
                step(fleet, source)
            second(brokers.bootstrap, "otlp_spans", values[load.messages // 2 :])
            wait_until_committed(read, len(values), 300.0)
        delivered = rum.accepted
        letters = Counter(letter.value() for letter in consumed(brokers.bootstrap, "dead", 1))
    assert len(delivered) == load.messages * load.spans, "spans are lost"
    redelivered = sum(delivered.values()) - len(delivered)
    # A kill, and each commit error that makes a consumer join again, may redeliver what is in flight.
    rejoins = fleet.kills + len(COMMIT_ERRORS)
    assert redelivered <= rejoins * PARTITIONS * load.in_flight * load.spans
    assert set(letters) == set(poison)


def _wait_until_moved(read: Callable[[], int]) -> None:
    """Wait until the group has committed more than before, or has nothing to do."""
    before = read()
    deadline = time.monotonic() + 5.0
    while read() == before and time.monotonic() < deadline:
        time.sleep(0.1)


def _kill(fleet: Fleet, _: random.Random) -> None:
    fleet.kill()
    fleet.start()


def _stop_broker(fleet: Fleet, source: random.Random) -> None:
    broker = source.randint(1, fleet.brokers.count)
    fleet.brokers.set_down(broker)
    time.sleep(source.uniform(0.25, 1.0) * fleet.load.slow_seconds)
    fleet.brokers.set_up(broker)


def _fail_commits(fleet: Fleet, _: random.Random) -> None:
    fleet.brokers.fail(OFFSET_COMMIT, *COMMIT_ERRORS)


def _slow_rum(fleet: Fleet, source: random.Random) -> None:
    fleet.rum.delay_seconds = source.uniform(0.05, 0.25) * fleet.load.slow_seconds
    time.sleep(fleet.load.slow_seconds)
    fleet.rum.delay_seconds = 0.0


def _throttling_rum(fleet: Fleet, source: random.Random) -> None:
    fleet.rum.max_requests_per_second = source.randint(2, 20)
    time.sleep(fleet.load.slow_seconds)
    fleet.rum.max_requests_per_second = None


STEPS = (_kill, _kill, _stop_broker, _fail_commits, _slow_rum, _throttling_rum)
