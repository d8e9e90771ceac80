"""A fleet on one computer: a producer, three Kafka brokers, two consumers and a local RUM. One consumer is killed.

    pip install 'otel-rum-exporter[kafka,local]'
    python examples/kafka/demo.py

The brokers are those that librdkafka brings for tests, so nothing else is installed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from brokers import Brokers  # type: ignore[import-not-found, unused-ignore]
from confluent_kafka import Consumer, Producer, TopicPartition

from otel_rum_exporter.local import LocalRum

APP_MONITOR_ID = "00000000-aaaa-4bbb-8ccc-000000000001"
TOPIC, GROUP, PARTITIONS = "otlp_spans", "otel-rum", 6
MESSAGES, SPANS = 200, 25
SESSIONS = 40
TIMEOUT_SECONDS = 180


def message(number: int) -> bytes:
    """Return an export request of OTLP as JSON, as a Collector batches spans."""
    now = time.time_ns()
    spans = [
        {
            "traceId": f"{index + 1:032x}",
            "spanId": f"{index + 1:016x}",
            "name": "checkout",
            "startTimeUnixNano": str(now - 50_000_000),
            "endTimeUnixNano": str(now),
            "attributes": [{"key": "session.id", "value": {"stringValue": f"session {index % SESSIONS}"}}],
        }
        for index in range(number * SPANS, (number + 1) * SPANS)
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).encode()


@contextmanager
def consumers(bootstrap: str, environment: Mapping[str, str], count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run `otel-rum kafka` in processes of its own, and end those that are left."""
    code = "from otel_rum_exporter.cli import main; main()"
    command = [sys.executable, "-c", code, "kafka", "--brokers", bootstrap, "--topic", TOPIC, "--group", GROUP]
    command += ["--property", "session.timeout.ms=6000"]
    running = [subprocess.Popen(command, env=dict(environment), stdout=subprocess.DEVNULL) for _ in range(count)]
    try:
        yield running
    finally:
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait()


def committed(bootstrap: str) -> int:
    """Return how many messages the group has committed."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": GROUP, "enable.auto.commit": False})
    try:
        places = consumer.committed([TopicPartition(TOPIC, number) for number in range(PARTITIONS)], timeout=30)
        return sum(max(0, place.offset) for place in places)
    finally:
        consumer.close()


def wait_until_committed(bootstrap: str, messages: int) -> None:
    """Wait until the group has committed some messages, and print its progress."""
    deadline, shown = time.monotonic() + TIMEOUT_SECONDS, -1
    while (found := committed(bootstrap)) < messages:
        if found != shown:
            print(f"  {found:>5} of {MESSAGES} messages committed", flush=True)
            shown = found
        if time.monotonic() > deadline:
            raise SystemExit(f"only {found} messages were committed in {TIMEOUT_SECONDS} s")
        time.sleep(0.5)
    print(f"  {found:>5} of {MESSAGES} messages committed", flush=True)


def main() -> None:
    """Run the demonstration."""
    with Brokers(3) as brokers, LocalRum(max_events=100_000) as rum:
        brokers.create_topic(TOPIC, PARTITIONS)
        print(f"three brokers on {brokers.bootstrap}; local RUM on {rum.url}")
        environment = {
            **os.environ,
            "OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": APP_MONITOR_ID,
            "OTEL_EXPORTER_AWS_RUM_ENDPOINT": rum.url,
            "OTEL_EXPORTER_AWS_RUM_SIGNING": "none",
            "OTEL_EXPORTER_AWS_RUM_SESSION_START": "never",
        }
        producer = Producer({"bootstrap.servers": brokers.bootstrap, "log_level": 2})
        with consumers(brokers.bootstrap, environment, 2) as running:
            print(f"two consumers started; the producer sends {MESSAGES // 2} of {MESSAGES} messages of {SPANS} spans")
            for number in range(MESSAGES // 2):
                producer.produce(TOPIC, message(number))
            producer.flush()
            wait_until_committed(brokers.bootstrap, MESSAGES // 4)
            running[0].kill()
            print("one consumer killed (SIGKILL); the producer sends the others")
            for number in range(MESSAGES // 2, MESSAGES):
                producer.produce(TOPIC, message(number))
            producer.flush()
            wait_until_committed(brokers.bootstrap, MESSAGES)
            print("all messages are committed; the other consumer ends")
        deliveries = Counter(event.id for event in rum.events)
    sent, delivered = MESSAGES * SPANS, len(deliveries)
    print(f"\nspans sent        {sent:>6,}")
    print(f"events delivered  {delivered:>6,}")
    print(f"lost              {sent - delivered:>6,}")
    twice = sum(deliveries.values()) - delivered
    print(f"delivered twice   {twice:>6,}  in flight at the kill; their event ids are the same")
    raise SystemExit(sent != delivered)


if __name__ == "__main__":
    main()
