"""A fleet under faults: consumers and brokers end, commits fail, RUM is slow and throttles, and messages are poison.

No record is lost, none is delivered more often than redelivery explains, and the dead letters are exactly the poison.
KAFKA_SEEDS sets the seeds, for example `1-20`.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen

import pytest
from confluent_kafka import KafkaError

from examples.kafka.brokers import Brokers
from tests.kafka.counting_rum import CountingRum
from tests.kafka.fleet import committed, consumed, consumer_process, message, produce, wait_until_committed

IS_LONG = "LONG_FAULTS" in os.environ
PARTITIONS = 6
SPANS = 50
"""Spans in a message, as a Collector batches them."""

MESSAGES = 2000 if IS_LONG else 60
IN_FLIGHT = 20
"""Most messages of a partition in flight."""

COMMIT_ERRORS = (KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID)
FAST = ("--property", "session.timeout.ms=6000", "--property", "heartbeat.interval.ms=500")


def _seeds() -> list[int]:
    first, _, last = os.environ.get("KAFKA_SEEDS", "1").partition("-")
    return list(range(int(first), int(last or first) + 1))


class Fleet:
    """Consumers in processes, which are killed and replaced."""

    def __init__(self, brokers: Brokers, rum: CountingRum, stack: ExitStack, log: Path) -> None:
        self._brokers = brokers
        self._rum = rum
        self._stack = stack
        self._log = log
        self.processes: list[Popen[bytes]] = []
        self.kills = 0

    def start(self) -> None:
        """Start a consumer."""
        options = ("--dead-letter-topic", "dead", "--max-in-flight", str(IN_FLIGHT), *FAST)
        process = consumer_process(self._brokers.bootstrap, self._rum.url, *options, log=self._log)
        self.processes.append(self._stack.enter_context(process))

    def kill(self) -> None:
        """Kill the oldest consumer. It has no time to commit."""
        process = self.processes.pop(0)
        process.kill()
        process.wait()
        self.kills += 1


@pytest.mark.skipif(not IS_LONG, reason="takes long; LONG_FAULTS=1 runs it")
@pytest.mark.parametrize("seed", _seeds())
def test_a_fleet_under_faults_loses_nothing(seed: int, tmp_path: Path) -> None:
    """100,000 spans, 6 partitions, two to three consumers."""
    source = random.Random(seed)
    values = [message(number, SPANS) for number in range(MESSAGES)]
    poison = [b"poison %d" % number for number in range(7)]
    for one in poison:
        values.insert(source.randrange(len(values)), one)
    with Brokers() as brokers, CountingRum() as rum, ExitStack() as stack:
        brokers.create_topic("otlp_spans", PARTITIONS)
        brokers.create_topic("otlp_logs", 1)
        brokers.create_topic("dead", 1)
        fleet = Fleet(brokers, rum, stack, tmp_path / "log")
        fleet.start()
        fleet.start()
        produce(brokers.bootstrap, "otlp_spans", values[: MESSAGES // 2])
        for step in source.sample(STEPS, len(STEPS)):
            _wait_until_moved(brokers)
            step(fleet, brokers, rum, source)
        produce(brokers.bootstrap, "otlp_spans", values[MESSAGES // 2 :])
        wait_until_committed(brokers.bootstrap, "otlp_spans", PARTITIONS, len(values), 300.0)
        delivered = rum.accepted
        letters = Counter(letter.value() for letter in consumed(brokers.bootstrap, "dead", 1))
    assert len(delivered) == MESSAGES * SPANS, "spans are lost"
    redelivered = sum(delivered.values()) - len(delivered)
    # A kill, and each commit error that makes a consumer join again, may redeliver what is in flight.
    rejoins = fleet.kills + len(COMMIT_ERRORS)
    assert redelivered <= rejoins * PARTITIONS * IN_FLIGHT * SPANS
    assert set(letters) == set(poison)


def _wait_until_moved(brokers: Brokers) -> None:
    """Wait until the group has committed more than before, or has nothing to do."""
    before = committed(brokers.bootstrap, "otlp_spans", PARTITIONS)
    deadline = time.monotonic() + 5.0
    while committed(brokers.bootstrap, "otlp_spans", PARTITIONS) == before and time.monotonic() < deadline:
        time.sleep(0.1)


def _kill(fleet: Fleet, *_: object) -> None:
    fleet.kill()
    fleet.start()


def _stop_broker(_: Fleet, brokers: Brokers, __: CountingRum, source: random.Random) -> None:
    broker = source.randint(1, brokers.count)
    brokers.set_down(broker)
    time.sleep(source.uniform(0.5, 2.0))
    brokers.set_up(broker)


def _fail_commits(_: Fleet, brokers: Brokers, *__: object) -> None:
    brokers.fail_commits(*COMMIT_ERRORS)


def _slow_rum(_: Fleet, __: Brokers, rum: CountingRum, source: random.Random) -> None:
    rum.delay_seconds = source.uniform(0.1, 0.5)
    time.sleep(2.0)
    rum.delay_seconds = 0.0


def _throttling_rum(_: Fleet, __: Brokers, rum: CountingRum, source: random.Random) -> None:
    rum.max_requests_per_second = source.randint(2, 20)
    time.sleep(2.0)
    rum.max_requests_per_second = None


STEPS: tuple[Callable[[Fleet, Brokers, CountingRum, random.Random], None], ...] = (
    *(_kill, _kill, _stop_broker, _fail_commits),
    *(_slow_rum, _throttling_rum),
)
