"""A wall clock that jumps by a day, ahead or back: delivery goes on, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from otel_rum_exporter.local import Fault, LocalRum
from tests.faults.numbered_spans import TIMEOUT_SECONDS, NumberedSpans, session_id
from tests.waiting import join_delivery_threads

Make = Callable[..., Any]
DAY_NS = 86_400 * 1_000_000_000


class Clock:
    """A wall clock that can be set. The monotonic clock is real."""

    def __init__(self) -> None:
        self.ahead_ns = 0
        self._time_ns = time.time_ns

    def time_ns(self) -> int:
        return self._time_ns() + self.ahead_ns

    def time(self) -> float:
        return self.time_ns() / 1_000_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the wall clock."""
    made = Clock()
    monkeypatch.setattr(time, "time_ns", made.time_ns)
    monkeypatch.setattr(time, "time", made.time)
    return made


@pytest.mark.usefixtures("short_export_wait")
@pytest.mark.parametrize("ahead_ns", [DAY_NS, -DAY_NS], ids=["ahead", "back"])
def test_a_clock_jump_during_a_backoff_delays_and_loses_nothing(
    ahead_ns: int, clock: Clock, rum: LocalRum, numbered: NumberedSpans, exporter: Make
) -> None:
    """Delays use the monotonic clock."""
    rum.faults = [Fault(status=503)]
    one = exporter()
    for _ in range(3):
        one.export(numbered.spans(3, session_id()))
    clock.ahead_ns = ahead_ns
    for _ in range(3):
        one.export(numbered.spans(3, session_id()))
    rum.faults = []
    numbered.wait_until_received()
    assert one.force_flush()
    numbered.assert_counts(one.ledger)


@pytest.mark.usefixtures("short_export_wait")
@pytest.mark.parametrize("ahead_ns", [DAY_NS, -DAY_NS], ids=["ahead", "back"])
@pytest.mark.parametrize("storage", ["spool"], indirect=True)
def test_events_on_disk_are_recovered_after_a_clock_jump(
    ahead_ns: int, clock: Clock, rum: LocalRum, numbered: NumberedSpans, exporter: Make
) -> None:
    """Locks, not ages, mark the files of running processes; and events expire after two days."""
    rum.faults = [Fault(status=503)]
    first = exporter()
    first.export(numbered.spans(5))
    first.shutdown(0)
    join_delivery_threads()
    clock.ahead_ns = ahead_ns
    rum.faults = []
    second = exporter()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while second.ledger.delivered < 5:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert second.ledger.recovered == 5
    numbered.wait_until_received()
