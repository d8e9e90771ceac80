"""The retry policy, as a table of cases and as properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.delivery import retry
from otel_rum_exporter.delivery.app_monitor_queue import QueuedBatch
from otel_rum_exporter.delivery.result import Result
from otel_rum_exporter.delivery.retry import (
    BACKOFF_SECONDS,
    MAX_BACKOFF_SECONDS,
    MAX_REJECTIONS_IN_A_ROW,
    MAX_RETRY_AFTER_SECONDS,
    WAIT_SECONDS,
    RetryState,
    backoff_seconds,
    settle,
)
from otel_rum_exporter.rum.errors import Disposition, Outcome
from tests.delivery.queued import ids, queued

NOW = 1000.0
FAILURES = [Disposition.RETRY, Disposition.THROTTLED, Disposition.WAIT]


def batch(*names: object) -> QueuedBatch:
    """Return a batch with one part."""
    return QueuedBatch.of([queued("s", *(names or (1,)))])


def result(disposition: Disposition, retry_after_seconds: float | None = None) -> Result:
    """Return the result of a request for one event."""
    return Result(Outcome(disposition, "reason", retry_after_seconds=retry_after_seconds), batch())


def test_a_delivered_batch_resets_the_state() -> None:
    """Its app monitor works again."""
    sent = result(Disposition.DELIVERED)
    decision = settle(sent, RetryState(failures=7, rejections=3), NOW, 1.0)
    assert (decision.delivered, decision.state) == (sent.batch.parts, RetryState())
    assert (decision.first, decision.retry, decision.rejected, decision.pause_until) == ((), None, (), None)


def test_the_halves_of_a_rejected_batch_are_sent_first() -> None:
    """A split is neither a failure nor a rejection of an event."""
    halves = (batch(1), batch(2))
    sent = Result(Outcome(Disposition.SPLIT), batch(1, 2), halves)
    decision = settle(sent, RetryState(1, 2), NOW, 1.0)
    assert (decision.first, decision.state) == (halves, RetryState(1, 2))


def test_a_rejected_event_is_dropped_unless_many_were_rejected_in_a_row() -> None:
    """Then it is kept, and retried slowly."""
    state = RetryState()
    assert MAX_REJECTIONS_IN_A_ROW == 20
    for number in range(MAX_REJECTIONS_IN_A_ROW):
        decision = settle(result(Disposition.SPLIT), state, NOW, 0.0)
        assert ids(decision.rejected) == ids([queued("s", 1)])
        state = decision.state
        assert state == RetryState(rejections=number + 1)
    decision = settle(result(Disposition.SPLIT), state, NOW, 0.0)
    assert decision.rejected == ()
    assert decision.retry is not None
    assert decision.retry_at == NOW + WAIT_SECONDS


@pytest.mark.parametrize(
    ("disposition", "retry_after_seconds", "delay", "is_paused"),
    [
        (Disposition.RETRY, None, 2 * BACKOFF_SECONDS, False),
        (Disposition.RETRY, 7.0, 7.0, True),
        (Disposition.RETRY, 10.0**6, 600.0, True),
        (Disposition.THROTTLED, None, 2 * BACKOFF_SECONDS, True),
        (Disposition.THROTTLED, 7.0, 7.0, True),
        (Disposition.WAIT, None, 60.0, False),
        (Disposition.WAIT, 7.0, WAIT_SECONDS, True),
        (Disposition.WAIT, 90.0, 90.0, True),
    ],
)
def test_a_failed_batch_is_retried_after_a_delay(
    disposition: Disposition,
    retry_after_seconds: float | None,
    delay: float,
    is_paused: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Its app monitor pauses if RUM throttles, or asks for a delay."""
    decision = settle(result(disposition, retry_after_seconds), RetryState(), NOW, 1.0)
    assert decision.retry is not None
    assert decision.retry.attempts == 1
    assert decision.retry_at == NOW + delay
    assert decision.pause_until == (NOW + delay if is_paused else None)


@pytest.mark.parametrize("disposition", FAILURES)
def test_an_app_monitor_pauses_after_a_second_failure(disposition: Disposition) -> None:
    """The pause depends on the failures of the app monitor, the delay on those of the batch."""
    assert settle(result(disposition), RetryState(failures=1), NOW, 1.0).pause_until is not None
    decision = settle(result(disposition), RetryState(failures=3), NOW, 1.0)
    minimum = WAIT_SECONDS if disposition is Disposition.WAIT else 0.0
    assert decision.state.failures == 4
    assert decision.retry_at == NOW + max(2 * BACKOFF_SECONDS, minimum)
    assert decision.pause_until == NOW + max(16 * BACKOFF_SECONDS, minimum)


@given(
    st.sampled_from(Disposition),
    st.one_of(st.none(), st.floats(0, 10**9)),
    st.builds(RetryState, st.integers(0, 10**6), st.integers(0, 30)),
    st.floats(0, 1),
)
def test_each_event_has_exactly_one_fate(
    disposition: Disposition, retry_after_seconds: float | None, state: RetryState, jitter: float
) -> None:
    """For all outcomes and states. The delay is limited, and the batch itself is not changed."""
    sent = result(disposition, retry_after_seconds)
    decision = settle(sent, state, NOW, jitter)
    retried = decision.retry.parts if decision.retry is not None else []
    halves = [one for half in decision.first for one in half.parts]
    assert [*decision.delivered, *decision.rejected, *retried, *halves] == sent.batch.parts
    assert sent.batch.attempts == 0
    for time in (decision.retry_at if decision.retry else NOW, decision.pause_until or NOW):
        assert NOW <= time <= NOW + MAX_RETRY_AFTER_SECONDS


@given(st.integers(1, 2000), st.floats(0, 1))
def test_the_backoff_stays_within_its_limit(failures: int, jitter: float) -> None:
    """Independent of the length of an outage."""
    assert 0 <= backoff_seconds(failures, jitter) <= MAX_BACKOFF_SECONDS
    assert backoff_seconds(failures, 1.0) <= backoff_seconds(failures + 1, 1.0)
    assert backoff_seconds(1, 1.0) == 2 * retry.BACKOFF_SECONDS
    assert backoff_seconds(1000, 1.0) == 4.0, "delivery resumes within five seconds of recovery"
