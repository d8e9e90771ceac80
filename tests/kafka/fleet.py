"""Real brokers, producers, consumers in processes of their own, and a RUM that counts the deliveries of each span."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.spans import APP_MONITOR_ID, START_NS

COMMAND = "from otel_rum_exporter.cli import main; main()"


def message(number: int, spans: int = 1, app_monitor: str | None = None) -> bytes:
    """Return an export request in protobuf whose spans are named by their numbers, from one of 97 sessions."""
    request = ExportTraceServiceRequest()
    block = request.resource_spans.add()
    resource = {"service.name": "shop", **({"aws.rum.appmonitor.id": app_monitor} if app_monitor else {})}
    for name, value in resource.items():
        block.resource.attributes.add(key=name).value.string_value = value
    scope = block.scope_spans.add()
    for index in range(number * spans, (number + 1) * spans):
        span = scope.spans.add(
            name="work",
            trace_id=(index + 1).to_bytes(16, "big"),
            span_id=(index + 1).to_bytes(8, "big"),
            start_time_unix_nano=START_NS,
            end_time_unix_nano=START_NS + 1_000_000,
        )
        span.attributes.add(key="session.id").value.string_value = f"session {index % 97}"
        span.attributes.add(key="number").value.int_value = index
    return request.SerializeToString()


def produce(bootstrap: str, topic: str, values: Sequence[bytes]) -> None:
    """Produce messages to all partitions, and wait for their acknowledgements."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000})
    for index, value in enumerate(values):
        producer.produce(topic, value, key=str(index).encode())
    assert producer.flush(60.0) == 0


def consumed(bootstrap: str, topic: str, partitions: int) -> list[Any]:
    """Return all messages of a topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False})
    try:
        places = [TopicPartition(topic, number, 0) for number in range(partitions)]
        ends = {place.partition: consumer.get_watermark_offsets(place, timeout=30.0)[1] for place in places}
        consumer.assign(places)
        found: list[Any] = []
        while len(found) < sum(ends.values()):
            found += [one for one in consumer.consume(1000, 1.0) if one.error() is None]
        return found
    finally:
        consumer.close()


def committed(bootstrap: str, topic: str, partitions: int, group: str = "otel-rum") -> int:
    """Return the sum of a group's offsets."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})
    try:
        places = consumer.committed([TopicPartition(topic, number) for number in range(partitions)], timeout=30.0)
        return sum(max(0, place.offset) for place in places)
    finally:
        consumer.close()


@contextmanager
def consumer_process(
    bootstrap: str, rum_url: str, *options: str, log: Path, **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `otel-rum kafka`; end it by SIGTERM if the block has not ended it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AWS_"))}
    environment |= {
        "OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": APP_MONITOR_ID,
        "OTEL_EXPORTER_AWS_RUM_ENDPOINT": rum_url,
        "OTEL_EXPORTER_AWS_RUM_SIGNING": "none",
        "OTEL_EXPORTER_AWS_RUM_SESSION_START": "never",
        "OTEL_EXPORTER_AWS_RUM_MAX_REQUESTS_PER_SECOND": "0",
        **{f"OTEL_EXPORTER_AWS_RUM_{name.upper()}": value for name, value in settings.items()},
    }
    command = [sys.executable, "-c", COMMAND, "kafka", "--brokers", bootstrap, *options]
    with log.open("ab") as output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(60.0)


def wait_until_committed(bootstrap: str, topic: str, partitions: int, messages: int, seconds: float = 120.0) -> None:
    """Wait until a group has committed all messages."""
    deadline = time.monotonic() + seconds
    while (found := committed(bootstrap, topic, partitions)) < messages:
        assert time.monotonic() < deadline, f"{found} of {messages} messages are committed after {seconds} s"
        time.sleep(0.25)
