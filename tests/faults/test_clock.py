"""Clocks that jump by a day, both ways: nothing stalls, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from otel_rum_exporter.local import Fault, LocalRum
from tests.faults.account import Account, session_id

Make = Callable[..., Any]
DAY_NS = 86_400 * 1_000_000_000


class Clock:
    """The clock of the wall, which somebody sets; the monotonic one goes on."""

    def __init__(self) -> None:
        self.ahead_ns = 0
        self._time_ns = time.time_ns

    def time_ns(self) -> int:
        return self._time_ns() + self.ahead_ns

    def time(self) -> float:
        return self.time_ns() / 1_000_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Put a clock in place of the machine's."""
    made = Clock()
    monkeypatch.setattr(time, "time_ns", made.time_ns)
    monkeypatch.setattr(time, "time", made.time)
    return made


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("ahead_ns", [DAY_NS, -DAY_NS], ids=["ahead", "back"])
def test_a_jump_of_a_day_in_the_middle_of_a_backoff_stalls_and_loses_nothing(
    ahead_ns: int, clock: Clock, rum: LocalRum, account: Account, exporter: Make
) -> None:
    """Pauses are measured on the monotonic clock."""
    rum.faults = [Fault(status=503)]
    one = exporter()
    for _ in range(3):
        one.export(account.spans(3, session_id()))
    clock.ahead_ns = ahead_ns
    for _ in range(3):
        one.export(account.spans(3, session_id()))
    rum.faults = []
    account.wait_until_all_are_taken(20)
    assert one.force_flush()
    account.assert_balanced(one.ledger)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("ahead_ns", [DAY_NS, -DAY_NS], ids=["ahead", "back"])
@pytest.mark.parametrize("form", ["spool"], indirect=True)
def test_what_a_process_left_on_disk_is_delivered_after_a_jump_of_a_day(
    ahead_ns: int, clock: Clock, rum: LocalRum, account: Account, exporter: Make
) -> None:
    """Files belong to processes by their locks, not by their ages; and a day is younger than two."""
    rum.faults = [Fault(status=503)]
    first = exporter()
    first.export(account.spans(5))
    first.shutdown(0)
    clock.ahead_ns = ahead_ns
    rum.faults = []
    second = exporter()
    # A request that the first one left under way may still be taken, in which case the second sends the same again.
    deadline = time.monotonic() + 20
    while second.ledger.delivered < 5:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert second.ledger.recovered == 5
    account.wait_until_all_are_taken(20)
