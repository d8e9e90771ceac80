"""Rotel, a Collector, produces to the consumer. ROTEL names the program in the wheel `rotel`."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.kafka.fleet import message
from tests.kafka.test_consumer import Rum, running, wait_until_committed
from tests.waiting import wait_until, wait_until_reachable

ROTEL = os.environ.get("ROTEL", "")


@pytest.mark.skipif(not ROTEL, reason="ROTEL is not set to a program")
def test_a_collector_produces_what_is_consumed(tmp_path: Path) -> None:
    """Rotel's keys are empty, and its batches have several requests."""
    rum = Rum()
    with running(rum, dead_letter_topic="dead") as (brokers, run):
        ports = [_free_port(), _free_port()]
        command = [
            *(ROTEL, "start", "--otlp-http-endpoint", f"127.0.0.1:{ports[0]}"),
            *("--otlp-grpc-endpoint", f"127.0.0.1:{ports[1]}", "--exporter", "kafka"),
            *("--kafka-exporter-brokers", brokers.bootstrap, "--kafka-exporter-traces-topic", "spans"),
            *("--kafka-exporter-acks", "all", "--batch-timeout", "200ms"),
        ]
        with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                url = f"http://127.0.0.1:{ports[0]}/v1/traces"
                wait_until_reachable(url)
                headers = {"Content-Type": "application/x-protobuf"}
                for number in range(10):
                    httpx.post(url, content=message(number, 5), headers=headers).raise_for_status()
                wait_until(lambda: len(rum.ids) >= 50)
            finally:
                process.terminate()
        assert len(set(rum.ids)) == len(rum.ids) == 50
        wait_until_committed(brokers, run.consumer.counts.messages)
        assert run.consumer.counts.undecodable == 0


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
