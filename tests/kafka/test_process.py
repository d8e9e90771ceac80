"""The command as a process, with real brokers on TCP."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from typing import IO

from examples.kafka.brokers import Brokers
from tests.kafka.counting_rum import CountingRum
from tests.kafka.fleet import consumer_environment, message, produce
from tests.waiting import wait_until

CODE = "from otel_rum_exporter.cli import main; main()"


def test_the_command_ends_although_no_broker_responds() -> None:
    """Not even the end of librdkafka's client is awaited: it repeats commits that were made before."""
    with Brokers() as brokers, CountingRum() as rum:
        brokers.create_topic("otlp_spans", 1)
        produce(brokers.bootstrap, "otlp_spans", [message(number) for number in range(30)])
        session = ("--property", "session.timeout.ms=600000", "--property", "max.poll.interval.ms=600000")
        command = [sys.executable, "-u", "-c", CODE, "kafka", "--brokers", brokers.bootstrap, "--port", "0", *session]
        rum.delay_seconds = 1.0
        with subprocess.Popen(
            command, env=consumer_environment(rum.url), stdout=subprocess.PIPE, text=True
        ) as consumer:
            try:
                assert consumer.stdout is not None
                url = _url(consumer.stdout)
                wait_until(lambda: "otel_rum_kafka_messages_total 30" in _metrics(url))
                for broker in range(1, brokers.count + 1):
                    brokers.set_down(broker)
                wait_until(lambda: 'otel_rum_kafka_unsettled{topic="otlp_spans",partition="0"} 0' in _metrics(url))
                consumer.terminate()
                assert consumer.wait(100.0) == 0
            finally:
                consumer.kill()


def _url(lines: IO[str]) -> str:
    lines.readline()
    return lines.readline().split()[-1]


def _metrics(url: str) -> str:
    with urllib.request.urlopen(f"{url}/metrics") as response:
        text: str = response.read().decode()
        return text
