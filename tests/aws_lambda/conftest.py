"""Handlers in this process, with settings of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from otel_rum_exporter.aws_lambda import invocation, s3_objects
from otel_rum_exporter.local import LocalRum
from tests.spans import APP_MONITOR_ID
from tests.waiting import join_delivery_threads


class Context:
    """The part of Lambda's context object that handlers use."""

    def __init__(self, seconds: float = 60.0) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


def settings_for(rum: LocalRum) -> dict[str, str]:
    """Return variables for functions that send to a local RUM."""
    return {
        "OTEL_EXPORTER_AWS_RUM_ENDPOINT": rum.url,
        "OTEL_EXPORTER_AWS_RUM_SIGNING": "none",
        "OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": APP_MONITOR_ID,
        "OTEL_EXPORTER_AWS_RUM_SESSION_START": "minted",
    }


@pytest.fixture
def function(rum: LocalRum, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalRum]:
    """Set the environment of a function, and end its pipeline afterwards."""
    for name in [name for name in os.environ if name.startswith(("OTEL_", "AWS_"))]:
        monkeypatch.delenv(name)
    for name, value in settings_for(rum).items():
        monkeypatch.setenv(name, value)
    yield rum
    if invocation._deliveries.cache_info().currsize:
        invocation._deliveries()._shared.leave(0.0)
    invocation._deliveries.cache_clear()
    s3_objects._client.cache_clear()
    join_delivery_threads()
