"""The consumer as a process: pipeline, health, signals and shutdown."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from confluent_kafka import KafkaException

from ..config import Config
from ..exporter.registry import SharedPipeline
from .consumer import FatalError, KafkaConsumer
from .health import Health, HealthServer
from .metrics import exposition
from .settings import KafkaSettings

STUCK_SECONDS = 120.0
"""The consumer is not alive if a step of its loop takes longer: rebalances and metadata take a few seconds."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def consume(
    settings: KafkaSettings, config: Config, host: str, port: int | None, announce: Callable[[int | None], None]
) -> bool:
    """Consume until SIGINT or SIGTERM, then drain; `announce` gets the port of the health server.

    Returns whether it left the group, as `KafkaConsumer.run` does.

    Raises:
        OSError: if the port is in use.
        UndecodableError, FatalError: as `KafkaConsumer.run` does.
    """
    if config.spool_directory is None:  # with a spool, a message is settled on disk
        config = replace(config, spool_max_age_seconds=settings.refused_seconds)
    drain_seconds = config.timeout_millis / 1000
    shared = SharedPipeline(config, None)
    try:
        limits = (config.max_requests_per_second, config.max_events_per_second or 0.0)
        try:
            consumer = KafkaConsumer(settings, shared.pipeline, *limits, credentials=_credentials(settings))
        except KafkaException as error:
            raise FatalError(f"{error.args[0].str()}. To fix: correct the properties of librdkafka") from None
        health = Health(
            is_alive=lambda: time.monotonic() - consumer.ticked_seconds < STUCK_SECONDS,
            is_ready=lambda: consumer.is_ready,
            metrics=lambda: exposition(consumer.counts, shared.ledger),
        )
        server = None if port is None else HealthServer(host, port, health)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: setattr(consumer, "is_stopping", True))
        try:
            if server is not None:
                server.start()
            announce(server.port if server else None)
            return consumer.run(drain_seconds)
        finally:
            if server is not None:
                server.close()
    finally:
        shared.leave(0.0)  # the consumer has used the time


def _credentials(settings: KafkaSettings) -> dict[str, Any]:
    if settings.msk_region is None:
        return {}
    from .authentication import msk_token

    return {"oauth_cb": msk_token(settings.msk_region)}
