"""Producers in a process of their own. Messages are read from stdin, one in base64 a line."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
from collections.abc import Sequence
from typing import Literal

from aiokafka import AIOKafkaProducer

from tests.kafka.fleet import produce

Client = Literal["confluent-kafka", "aiokafka"]


def produce_elsewhere(client: Client, bootstrap: str, topic: str, values: Sequence[bytes]) -> None:
    """Produce messages in another process, and wait for their acknowledgements."""
    command = [sys.executable, "-m", "tests.kafka.producers", client, bootstrap, topic]
    subprocess.run(command, input=b"\n".join(map(base64.b64encode, values)), check=True)


async def _produce_async(bootstrap: str, topic: str, values: Sequence[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap.split(","), compression_type="gzip") as producer:
        await asyncio.gather(*[await producer.send(topic, value) for value in values])


def _main(client: str, bootstrap: str, topic: str) -> None:
    values = [base64.b64decode(line) for line in sys.stdin]
    if client == "aiokafka":
        asyncio.run(_produce_async(bootstrap, topic, values))
    else:
        produce(bootstrap, topic, values)


if __name__ == "__main__":
    _main(*sys.argv[1:])
