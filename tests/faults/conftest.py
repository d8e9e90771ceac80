"""Exporters as applications have them, in both forms of the outbox, and a stand-in that forgets nothing."""

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
from tests.faults.account import MOST_EVENTS, Account
from tests.spans import APP_MONITOR_ID

collect_ignore = (
    [f"test_{name}.py" for name in ("answers", "clock", "credentials", "disk", "network", "outage", "poison")]
    if os.environ.get("FEW_FAULTS")
    else []
)
"""What is the same in every version of Python, and CI runs with the newest alone."""

DEADLINE_SLACK_SECONDS = 0.5
"""The promise: so much later than its deadline an export returns at most."""


@pytest.fixture
def rum() -> Iterator[LocalRum]:
    """Serve a data plane."""
    with LocalRum(max_events=MOST_EVENTS) as local:
        yield local


@pytest.fixture
def account(rum: LocalRum) -> Account:
    """Keep account of what is given to exporters."""
    return Account(rum)


@pytest.fixture(params=["memory", "spool"])
def form(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Give the settings of an outbox in memory, and of one on disk."""
    return {"spool_directory": str(tmp_path / "spool")} if request.param == "spool" else {}


@pytest.fixture
def exporter(rum: LocalRum, form: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Make exporters whose exports are measured, and shut them down."""
    for name in [name for name in os.environ if name.startswith(("OTEL_", "AWS_"))]:
        monkeypatch.delenv(name)
    made: list[PunctualExporter] = []

    def make(**settings: Any) -> PunctualExporter:
        settings = {"app_monitor_id": APP_MONITOR_ID, "endpoint": rum.url, "signing": "none", **form, **settings}
        made.append(PunctualExporter(**settings))
        return made[-1]

    yield make
    for one in made:
        one.shutdown(1000)


@pytest.fixture
def real_pauses() -> None:
    """Keep the pauses of applications, where the test is about their length."""


@pytest.fixture(autouse=True)
def _quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten all pauses alike, where the test is about what comes of them."""
    if "real_pauses" not in request.fixturenames:
        monkeypatch.setattr(worker, "PATIENCE_SECONDS", 0.3)
        monkeypatch.setattr(retry, "BACKOFF_SECONDS", 0.02)
        monkeypatch.setattr(retry, "MAX_BACKOFF_SECONDS", 0.3)
        monkeypatch.setattr(rate_limiter, "MIN_REQUESTS_PER_SECOND", 10)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let exports wait no longer than a moment."""
    monkeypatch.setattr(worker, "PATIENCE_SECONDS", 0.05)


class PunctualExporter(RumSpanExporter):
    """An exporter each of whose exports is on time."""

    def __init__(self, *, timeout_millis: int = 10_000, **settings: Any) -> None:
        super().__init__(timeout_millis=timeout_millis, **settings)
        self._deadline_seconds = timeout_millis / 1000 + DEADLINE_SLACK_SECONDS

    def export(self, spans: Any) -> Any:
        """Export, and measure it."""
        begun = time.monotonic()
        result = super().export(spans)
        taken_seconds = time.monotonic() - begun
        assert taken_seconds <= self._deadline_seconds, f"an export took {taken_seconds:.2f} s"
        return result


IN_MEMORY = pytest.mark.parametrize("form", ["memory"], indirect=True)
"""For what the form of the outbox has no part in."""

ON_DISK = pytest.mark.parametrize("form", ["spool"], indirect=True)
"""For what survives a process."""

IS_LONG = bool(os.environ.get("LONG_FAULTS"))
LONG = pytest.mark.skipif(not IS_LONG, reason="takes long; LONG_FAULTS=1 runs it")
"""For what CI runs on one Python version only."""
