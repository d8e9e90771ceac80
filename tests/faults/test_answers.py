"""Responses that are not RUM's acceptance: throttling, errors, none at all, and pages of other servers."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable
from typing import Any

import pytest

from otel_rum_exporter.delivery import retry, state
from otel_rum_exporter.local import CAPTIVE_PORTAL, Fault, LocalRum
from tests.faults.conftest import IN_MEMORY
from tests.faults.numbered_spans import NumberedSpans, session_id

Make = Callable[..., Any]


def batch_ids(rum: LocalRum) -> set[str | None]:
    """Return the batch ids of all requests, also of failed ones."""
    return {request.batch_id for request in rum.requests}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_failed_request_is_retried_unchanged(
    status: int, rum: LocalRum, numbered: NumberedSpans, exporter: Make
) -> None:
    """Same events, same ids, same batch, until RUM accepts it."""
    rum.faults = [Fault(status=status, times=3)]
    one = exporter()
    one.export(numbered.spans(5))
    numbered.wait_until_received()
    assert one.force_flush()
    assert len(rum.requests) == 4
    assert len(batch_ids(rum)) == 1
    numbered.assert_counts(one.ledger)


@pytest.mark.usefixtures("real_delays")
def test_throttling_reduces_the_number_of_requests(rum: LocalRum, numbered: NumberedSpans, exporter: Make) -> None:
    """RUM throttles twenty sessions: one request at a time, not twenty at once."""
    rum.faults = [Fault(status=429)]
    one = exporter()
    for _ in range(20):
        one.export([numbered.span(session_id())])
    before, begun = len(rum.requests), time.monotonic()
    assert before <= 20
    time.sleep(2.0)
    # One at a time, each after a delay: far below the quota of 50 per second.
    assert len(rum.requests) - before <= 2 * (time.monotonic() - begun) + 5
    rum.faults = []
    numbered.wait_until_received()
    assert one.force_flush()
    numbered.assert_counts(one.ledger)


@IN_MEMORY
@pytest.mark.parametrize(("status", "is_date"), [(429, True), (503, False)])
def test_retry_after_applies_to_all_sessions(
    status: int,
    is_date: bool,  # noqa: FBT001 - a parameter of the test
    rum: LocalRum,
    numbered: NumberedSpans,
    exporter: Make,
) -> None:
    """In seconds, and as a date."""
    date = int(time.time()) + 3
    retry_after = email.utils.formatdate(date, usegmt=True) if is_date else 2
    rum.faults = [Fault(status=status, retry_after=retry_after, times=1)]
    one = exporter()
    one.export([numbered.span(session_id())])
    one.export([numbered.span(session_id())])
    numbered.wait_until_received()
    first, *others = [request.received_at for request in rum.requests]
    assert min(others) >= (date if is_date else first + 2) - 0.5
    assert one.force_flush()
    numbered.assert_counts(one.ledger)


def test_an_absurd_retry_after_is_limited(
    rum: LocalRum, numbered: NumberedSpans, exporter: Make, monkeypatch: Any
) -> None:
    """Events are delivered in the end, whatever a proxy responds."""
    monkeypatch.setattr(retry, "MAX_RETRY_AFTER_SECONDS", 0.5)
    rum.faults = [Fault(status=503, retry_after=999_999_999, times=1), Fault(status=429, retry_after="soon", times=1)]
    one = exporter()
    one.export(numbered.spans(2))
    numbered.wait_until_received()
    assert one.force_flush()
    numbered.assert_counts(one.ledger)


@pytest.mark.usefixtures("real_delays")
@IN_MEMORY
@pytest.mark.parametrize(
    "fault",
    [
        Fault(latency_seconds=30, times=2),
        Fault(status=503, drip_seconds=30, times=2),
        Fault(drip_seconds=30, times=2),
        Fault(endless_seconds=30, times=2),
        Fault(status=500, endless_seconds=30, times=2),
    ],
    ids=["late", "dripping error", "dripping success", "endless success", "endless error"],
)
def test_slow_and_endless_responses_end_at_the_timeout(
    fault: Fault, rum: LocalRum, numbered: NumberedSpans, exporter: Make
) -> None:
    """An export returns by its deadline, and the events are delivered once RUM responds again."""
    rum.faults = [fault]
    one = exporter(timeout_millis=1000)
    one.export(numbered.spans(2))
    numbered.wait_until_received()
    assert one.force_flush(60_000)
    numbered.assert_counts(one.ledger)


def test_a_sign_in_page_does_not_count_as_delivery(rum: LocalRum, numbered: NumberedSpans, exporter: Make) -> None:
    """A captive portal responds to everything with status 200."""
    rum.faults = [Fault(content=CAPTIVE_PORTAL, times=3)]
    one = exporter()
    one.export(numbered.spans(3))
    numbered.wait_until_received()
    assert one.force_flush()
    numbered.assert_counts(one.ledger)


@pytest.mark.parametrize("cut", ["before_reading", "before_answer", "in_answer"])
def test_a_reset_connection_loses_nothing(cut: Any, rum: LocalRum, numbered: NumberedSpans, exporter: Make) -> None:
    """Also after RUM received the request. Then the same events are sent again with the same ids."""
    rum.faults = [Fault(cut=cut, taken=None if cut == "before_reading" else True, times=3)]
    one = exporter()
    for _ in range(3):
        one.export(numbered.spans(2, session_id()))
    numbered.wait_until_received()
    assert one.force_flush()
    numbered.assert_counts(one.ledger)
    assert len(rum.batches) == (3 if cut == "before_reading" else 6)
    assert len({batch.batch_id for batch in rum.batches}) == 3


def test_random_faults_of_all_kinds_lose_nothing(rum: LocalRum, numbered: NumberedSpans, exporter: Make) -> None:
    """With a rate limit that throttling does not use up."""
    rum.faults = [
        Fault(status=503, probability=0.2, seed=1),
        Fault(status=429, probability=0.1, seed=2),
        Fault(cut="before_answer", taken=True, probability=0.1, seed=3),
        Fault(cut="before_reading", probability=0.1, seed=4),
        Fault(content=CAPTIVE_PORTAL, probability=0.05, seed=5),
        Fault(latency_seconds=0.3, probability=0.1, seed=6),
    ]
    one = exporter(max_requests_per_second=1000)
    sessions = [session_id() for _ in range(5)]
    for number in range(60):
        one.export(numbered.spans(3, sessions[number % 5]))
    rum.faults = []
    numbered.wait_until_received()
    assert one.force_flush(60_000)
    numbered.assert_counts(one.ledger)


@pytest.mark.usefixtures("real_delays")
@IN_MEMORY
@pytest.mark.parametrize("status", [302, 400, 403, 404, 413])
def test_delivery_resumes_soon_after_answers_of_another_server(
    status: int, rum: LocalRum, numbered: NumberedSpans, exporter: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It resumed after 54 to 57 s, or events were dropped. The delay that is chosen counts, not the machine's time."""
    delays: list[float] = []
    settle = retry.settle

    def recorded(result: Any, of: Any, now: float, jitter: float) -> Any:
        decision = settle(result, of, now, 1.0)
        delays.extend(time - now for time in (decision.retry_at, decision.pause_until) if decision.retry and time)
        return decision._replace(retry_at=now, pause_until=None)

    monkeypatch.setattr(state, "settle", recorded)
    rum.faults = [Fault(status=status, content=CAPTIVE_PORTAL, times=6)]
    one = exporter()
    one.export(numbered.spans(5))
    numbered.wait_until_received()
    assert one.force_flush()
    numbered.assert_counts(one.ledger)
    assert len(delays) >= 6
    assert max(delays) <= retry.MAX_BACKOFF_SECONDS
