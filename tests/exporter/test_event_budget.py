"""The budget of events: delivered events, whole sessions and equal chances, with a simulated clock."""

from __future__ import annotations

import itertools
import math
import os

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otel_rum_exporter.delivery.backlog import Backlog
from otel_rum_exporter.exporter.event_budget import MIN_RATE, EventBudget, Load
from tests.exporter.session_load import EVENTS, SESSION_SECONDS, SessionLoad

BUDGET = 50
SETTLED = 3 * SESSION_SECONDS
HOUR = 3600
LONG = HOUR if os.environ.get("LONG_FAULTS") else HOUR // 4


def load(budget: float | None = BUDGET, **of_load: object) -> SessionLoad:
    """Make a load with a budget."""
    return SessionLoad(EventBudget(budget, 0.0), **of_load)  # type: ignore[arg-type]


@pytest.mark.parametrize("sessions_per_second", [10, 100, 1000, 10_000])
def test_the_events_sent_are_within_five_percent_of_the_budget(sessions_per_second: int) -> None:
    """From twice to 2,000 times the budget, once the load has settled."""
    sessions = load()
    sessions.run(SETTLED + LONG, sessions_per_second)
    assert sessions.per_second(SETTLED, SETTLED + LONG) == pytest.approx(BUDGET, rel=0.05)


def test_a_load_below_the_budget_is_sent_whole() -> None:
    """At 80 %."""
    sessions = load()
    sessions.run(LONG, int(BUDGET * 0.8 / EVENTS))
    assert set(sessions.rates) == {1.0}


def test_sessions_of_each_minute_have_the_same_chance() -> None:
    """Over an hour; what is left is the chance of some 300 sessions a minute, 6 %."""
    sessions = load()
    sessions.run(SETTLED + HOUR, 50)
    minutes = [sessions.chances[start : start + 60] for start in range(SETTLED, SETTLED + HOUR, 60)]
    chances = [sum(sent for sent, _ in minute) / sum(new for _, new in minute) for minute in minutes]
    mean = sum(chances) / len(chances)
    assert mean == pytest.approx(BUDGET / EVENTS / 50, rel=0.05)
    assert 0.7 * mean < min(chances) <= max(chances) < 1.3 * mean


def test_a_burst_ends_in_time_and_the_rate_recovers() -> None:
    """Five hundred times the sessions for ten minutes, and then a tenth of the budget."""
    sessions = load()
    sessions.run(600, 4)
    assert sessions.budget.rate == 1.0
    sessions.run(600, 2000)
    assert sessions.per_second(600, 600 + SETTLED) < 10 * BUDGET
    assert sessions.per_second(600 + SETTLED, 1200) == pytest.approx(BUDGET, rel=0.15)
    sessions.run(900, 4)
    assert sessions.budget.rate == 1.0
    assert sessions.per_second(1800, 2100) == pytest.approx(4 * EVENTS, rel=0.1)
    rises = [later / sooner for sooner, later in itertools.pairwise(sessions.rates[1200:])]
    assert max(rises) < 1.03


def test_a_short_burst_passes() -> None:
    """Batches of the SDK come at once: 512 events after some quiet are no load."""
    budget = EventBudget(BUDGET, 0.0)
    for second in range(0, HOUR, 30):
        assert budget.count(Load(512, 512), second) == 1.0


def test_batches_of_spans_do_not_change_the_average() -> None:
    """The events of five seconds come at once."""
    budget, sent = EventBudget(BUDGET, 0.0), 0.0
    for second in range(0, HOUR, 5):
        made = int(500 * budget.rate)
        sent += made if second >= SETTLED else 0
        budget.count(Load(made, made, 500 - made), second)
    assert sent / (HOUR - SETTLED) == pytest.approx(BUDGET, rel=0.05)


def test_errors_that_are_kept_use_the_budget() -> None:
    """Sessions get the rest; errors alone may exceed it."""
    budget = EventBudget(BUDGET, 0.0)
    sent = 0
    for second in range(HOUR):
        made = int(1000 * budget.rate)
        sent += made + 20 if second >= SETTLED else 0
        budget.count(Load(made, made, 1000 - made, 20), second)
    assert sent / (HOUR - SETTLED) == pytest.approx(BUDGET, rel=0.05)
    for second in range(HOUR, HOUR + 600):
        budget.count(Load(1, 1, 999, 200), second)
    assert 0 < budget.rate < 0.01


def test_what_rum_takes_is_a_budget_too() -> None:
    """Four times of what RUM takes arrives: the queue stops growing, and RUM is used."""
    sessions = load(None, capacity=lambda _: BUDGET)
    sessions.run(2 * SETTLED, 20)
    assert sessions.budget.is_of_rum
    backlog = sessions.queue
    sessions.run(HOUR // 2, 20)
    assert sessions.queue < backlog
    assert sessions.per_second(2 * SETTLED, 2 * SETTLED + HOUR // 2) == pytest.approx(BUDGET, rel=0.1)
    sessions.run(HOUR // 2, 2)
    assert (sessions.budget.rate, sessions.budget.per_second) == (1.0, math.inf)


def test_an_outage_leaves_no_session_out() -> None:
    """The queue keeps the events, and they are delivered afterwards."""
    sessions = load(None, capacity=lambda second: 0 if 600 <= second < 1800 else 100)
    sessions.run(HOUR, 4)
    assert set(sessions.rates) == {1.0}


def test_rum_that_only_throttles_has_the_least_budget() -> None:
    """Another process uses the whole quota."""
    budget = EventBudget(None, 0.0)
    for second in range(0, 200, 10):
        budget.capacity.update(Backlog(second * 100, is_throttled=True), 0, second + 10)
        budget.count(Load(1000, 1000), second + 10)
    assert budget.per_second == 1.0
    assert budget.rate < 0.1


def test_a_budget_of_zero_samples_nothing() -> None:
    """A file that is sent is read as fast as possible."""
    budget = EventBudget(0, 0.0)
    assert budget.count(Load(10**6, 10**6), 1.0) == 1.0


def test_the_log_has_a_line_for_each_notable_change() -> None:
    """At first, at half and twice the rate, and at the end: at most one a minute."""
    budget, lines = EventBudget(BUDGET, 0.0), []
    for second in range(HOUR):
        events = 40 if second < 600 or second >= 2400 else 400
        made = int(events * budget.rate)
        budget.count(Load(made, made, events - made), second)
        if budget.is_notable(second):
            lines.append((second, round(budget.rate, 2)))
    assert 3 <= len(lines) <= 9
    assert lines[-1][1] == 1.0
    assert all(later[0] - sooner[0] >= 60 for sooner, later in itertools.pairwise(lines))


COUNTS = st.integers(0, 10**7)


@settings(max_examples=40)
@given(
    st.none() | st.floats(0, 1e6),
    st.lists(st.tuples(st.floats(-1e3, 1e7), COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.booleans()), max_size=20),
)
@example(5e-324, [(1.0, 1, 1, 0, 0, 0, False)])
@example(50.0, [(1.0, 10**6, 10**6, 0, 0, 0, False), (1e7, 1, 1, 0, 0, 0, False)])
def test_any_load_has_a_rate(setting: float | None, steps: list[tuple[float, int, int, int, int, int, bool]]) -> None:
    """Also after a week of silence, and with a clock that goes back."""
    budget, now, delivered = EventBudget(setting, 0.0), 0.0, 0
    for seconds, records, events, left_out, errors, waiting, is_throttled in steps:
        now, delivered = now + seconds, delivered + events
        budget.capacity.update(Backlog(waiting, is_throttled), delivered, now)
        assert MIN_RATE <= budget.count(Load(records, events, left_out, errors), now) <= 1
        budget.is_notable(now)
