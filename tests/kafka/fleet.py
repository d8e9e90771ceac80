"""Messages with numbered spans, and what a topic and a group have."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.spans import APP_MONITOR_ID, START_NS


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
        span.attributes.add(key="session.id").value.string_value = f"session {index // 20 % 97}"
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
            wanted = sum(ends.values()) - len(found)
            found += [one for one in consumer.consume(wanted, 1.0) if one.error() is None]
        return found
    finally:
        consumer.close()


@contextmanager
def reading_offsets(
    bootstrap: str, topic: str, partitions: int, group: str = "otel-rum"
) -> Iterator[Callable[[], int]]:
    """Yield a function that returns the sum of a group's offsets."""
    properties = {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "log_level": 0}
    consumer = Consumer(properties)
    places = [TopicPartition(topic, number) for number in range(partitions)]
    try:
        yield lambda: sum(max(0, place.offset) for place in consumer.committed(places, timeout=30.0))
    finally:
        consumer.close()


def committed(bootstrap: str, topic: str, partitions: int) -> int:
    """Return the sum of a group's offsets."""
    with reading_offsets(bootstrap, topic, partitions) as read:
        return read()


def consumer_environment(rum_url: str) -> dict[str, str]:
    """Return the variables of a consumer that sends to a RUM without a limit."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AWS_"))}
    return environment | {
        "OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": APP_MONITOR_ID,
        "OTEL_EXPORTER_AWS_RUM_ENDPOINT": rum_url,
        "OTEL_EXPORTER_AWS_RUM_SIGNING": "none",
        "OTEL_EXPORTER_AWS_RUM_SESSION_START": "never",
        "OTEL_EXPORTER_AWS_RUM_MAX_REQUESTS_PER_SECOND": "0",
    }


def wait_until_committed(read: Callable[[], int], messages: int, seconds: float = 120.0) -> None:
    """Wait until a group has committed all messages."""
    deadline = time.monotonic() + seconds
    while (found := read()) < messages:
        assert time.monotonic() < deadline, f"{found} of {messages} messages are committed after {seconds} s"
        time.sleep(0.1)
