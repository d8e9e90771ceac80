"""Measure `otel-rum kafka` with 1, 2 and 4 consumers: `python -m benchmarks.kafka`.

Consumers are processes of their own, the brokers those of librdkafka for tests, and RUM is a sink. Each consumer has
joined the group before the spans of the corpus are produced, 512 in a message. CPU is that of the consumers until
everything is committed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from examples.kafka.brokers import Brokers

from .corpus import spans
from .exporters import APP_MONITOR_ID
from .sink import Sink

TOPIC, GROUP, PARTITIONS = "otlp_spans", "otel-rum", 8
BATCH = 512
CONSUMERS = (1, 2, 4)
END_SECONDS = 300


class Figures(NamedTuple):
    """The figures of one run."""

    spans: int
    wall_seconds: float
    cpu_seconds: float


@contextmanager
def running(bootstrap: str, sink: str, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Run consumers, and yield when all have joined the group and share the partitions."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AWS_"))},
        "OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": APP_MONITOR_ID,
        "OTEL_EXPORTER_AWS_RUM_ENDPOINT": sink,
        "OTEL_EXPORTER_AWS_RUM_SIGNING": "none",
        "OTEL_EXPORTER_AWS_RUM_MAX_REQUESTS_PER_SECOND": "0",
    }
    code = "from otel_rum_exporter.cli import main; main()"
    options = ["--brokers", bootstrap, "--topic", TOPIC, "--port", "0", "--property", "session.timeout.ms=6000"]
    command = [sys.executable, "-u", "-c", code, "kafka", *options]
    processes = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        urls = [_url(process) for process in processes]
        while sorted(map(_assigned, urls)) != [PARTITIONS // count] * count:
            time.sleep(0.2)
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.communicate()


def measure(count: int, messages: Sequence[bytes]) -> Figures:
    """Measure a number of consumers."""
    with Brokers(3) as brokers, Sink() as sink:
        brokers.create_topic(TOPIC, PARTITIONS)
        with running(brokers.bootstrap, sink.endpoint, count) as processes:
            before = sum(_cpu_seconds(process.pid) for process in processes)
            start = time.monotonic()
            producer = Producer({"bootstrap.servers": brokers.bootstrap, "log_level": 2})
            for number, message in enumerate(messages):
                producer.produce(TOPIC, message, partition=number % PARTITIONS)
            producer.flush()
            _wait_until_committed(brokers.bootstrap, len(messages))
            wall = time.monotonic() - start
            cpu = sum(_cpu_seconds(process.pid) for process in processes) - before
    return Figures(len(messages) * BATCH, wall, cpu)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=128, help=f"messages of {BATCH} spans")
    given = parser.parse_args()
    made = spans(BATCH * 8)
    bodies = [encode_spans(made[at : at + BATCH]).SerializeToString() for at in range(0, len(made), BATCH)]
    messages = [bodies[number % len(bodies)] for number in range(given.messages)]
    print("| consumers | spans/s of one core | spans/s in all |\n|---|---|---|")
    for count in CONSUMERS:
        found = measure(count, messages)
        print(
            f"| {count} | {found.spans / found.cpu_seconds:,.0f} | {found.spans / found.wall_seconds:,.0f} |",
            flush=True,
        )


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    process.stdout.readline()
    return process.stdout.readline().split()[-1]


def _assigned(url: str) -> int:
    with urllib.request.urlopen(f"{url}/metrics") as response:
        return sum(line.startswith(b"otel_rum_kafka_unsettled{") for line in response)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wait_until_committed(bootstrap: str, messages: int) -> None:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": GROUP, "enable.auto.commit": False})
    places = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
    deadline = time.monotonic() + END_SECONDS
    try:
        while sum(max(0, place.offset) for place in consumer.committed(places, timeout=30)) < messages:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
