"""Exporters with both kinds of storage, and a local RUM that keeps all events."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter import RumSpanExporter
from otel_rum_exporter.delivery import rate_limiter, retry, worker
from otel_rum_exporter.local import LocalRum
from tests.faults.numbered_spans import MAX_EVENTS, NumberedSpans
from tests.spans import APP_MONITOR_ID

BUSY_SECONDS = 5.0
"""The slack of a busy machine. Without the tested limit, the faults of the tests take far longer."""


@pytest.fixture
def rum() -> Iterator[LocalRum]:
    """Serve a local RUM."""
    with LocalRum(max_events=MAX_EVENTS) as local:
        yield local


@pytest.fixture
def numbered(rum: LocalRum) -> NumberedSpans:
    """Return the numbered spans of a test."""
    return NumberedSpans(rum)


@pytest.fixture(params=["memory", "spool"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Return the settings for storage in memory, and for storage on disk."""
    return {"spool_directory": str(tmp_path / "spool")} if request.param == "spool" else {}


@pytest.fixture
def exporter(rum: LocalRum, storage: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Return a function that creates exporters; they are shut down after the test."""
    for name in [name for name in os.environ if name.startswith(("OTEL_", "AWS_"))]:
        monkeypatch.delenv(name)
    made: list[TimedExporter] = []

    def make(**settings: Any) -> TimedExporter:
        settings = {
            "app_monitor_id": APP_MONITOR_ID,
            "endpoint": rum.url,
            "signing": "none",
            "session_start": "minted",
            **storage,
            **settings,
        }
        made.append(TimedExporter(**settings))
        return made[-1]

    yield make
    for one in made:
        one.shutdown(1000)


@pytest.fixture
def real_delays() -> None:
    """Keep the real delays, for tests of their length."""


@pytest.fixture(autouse=True)
def _short_delays(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten all delays, unless the test is about their length."""
    if "real_delays" not in request.fixturenames:
        monkeypatch.setattr(worker, "MAX_EXPORT_WAIT_SECONDS", 0.3)
        monkeypatch.setattr(retry, "BACKOFF_SECONDS", 0.02)
        monkeypatch.setattr(retry, "MAX_BACKOFF_SECONDS", 0.3)
        monkeypatch.setattr(rate_limiter, "MIN_REQUESTS_PER_SECOND", 10)


@pytest.fixture
def short_export_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit the wait of exports."""
    monkeypatch.setattr(worker, "MAX_EXPORT_WAIT_SECONDS", 0.05)


class TimedExporter(RumSpanExporter):
    """An exporter that asserts the duration of each export."""

    def __init__(self, *, timeout_millis: int = 10_000, **settings: Any) -> None:
        super().__init__(timeout_millis=timeout_millis, **settings)
        self._deadline_seconds = timeout_millis / 1000 + BUSY_SECONDS

    def export(self, spans: Any) -> Any:
        """Export, and assert that it is on time."""
        begun = time.monotonic()
        result = super().export(spans)
        taken_seconds = time.monotonic() - begun
        assert taken_seconds <= self._deadline_seconds, f"an export took {taken_seconds:.2f} s"
        return result


IN_MEMORY = pytest.mark.parametrize("storage", ["memory"], indirect=True)
"""For tests that do not depend on the storage."""

ON_DISK = pytest.mark.parametrize("storage", ["spool"], indirect=True)
"""For tests of events that survive a process."""

IS_LONG = bool(os.environ.get("LONG_FAULTS"))
LONG = pytest.mark.skipif(not IS_LONG, reason="takes long; LONG_FAULTS=1 runs it")
"""For tests that CI runs with one Python version only."""
