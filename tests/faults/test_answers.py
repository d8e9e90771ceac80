"""Answers that mean trouble: throttling, errors, silence, and pages of somebody else."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable
from typing import Any

import pytest

from otel_rum_exporter.delivery import retry
from otel_rum_exporter.local import CAPTIVE_PORTAL, Fault, LocalRum
from tests.faults.account import Account, session_id
from tests.faults.conftest import IN_MEMORY

Make = Callable[..., Any]


def batch_ids(rum: LocalRum) -> set[str | None]:
    """Return the ids of all requests, also of those that were not taken."""
    return {request.batch_id for request in rum.requests}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_rum_does_not_take_goes_out_again_as_it_was(
    status: int, rum: LocalRum, account: Account, exporter: Make
) -> None:
    """Same events, same ids, same batch, until it is taken."""
    rum.faults = [Fault(status=status, times=3)]
    one = exporter()
    one.export(account.spans(5))
    account.wait_until_all_are_taken()
    assert one.force_flush()
    assert len(rum.requests) == 4
    assert len(batch_ids(rum)) == 1
    account.assert_balanced(one.ledger)


@pytest.mark.usefixtures("real_pauses")
def test_a_storm_of_throttling_is_met_with_fewer_requests(rum: LocalRum, account: Account, exporter: Make) -> None:
    """Twenty sessions, each of which RUM refuses: one request at a time, not twenty at once."""
    rum.faults = [Fault(status=429)]
    one = exporter()
    for _ in range(20):
        one.export([account.span(session_id())])
    asked, begun = len(rum.requests), time.monotonic()
    assert asked <= 20
    time.sleep(2.0)
    # One at a time, each after a pause; nobody could hold the rate of 50 a second against us.
    assert len(rum.requests) - asked <= 2 * (time.monotonic() - begun) + 5
    rum.faults = []
    account.wait_until_all_are_taken()
    assert one.force_flush()
    account.assert_balanced(one.ledger)


@IN_MEMORY
@pytest.mark.parametrize(("status", "is_date"), [(429, True), (503, False)])
def test_retry_after_is_obeyed_also_by_other_sessions(
    status: int,
    is_date: bool,  # noqa: FBT001 - a case of a table
    rum: LocalRum,
    account: Account,
    exporter: Make,
) -> None:
    """RUM asks for it, whoever comes next; as seconds or as a date."""
    date = int(time.time()) + 3
    retry_after = email.utils.formatdate(date, usegmt=True) if is_date else 2
    rum.faults = [Fault(status=status, retry_after=retry_after, times=1)]
    one = exporter()
    one.export([account.span(session_id())])
    one.export([account.span(session_id())])
    account.wait_until_all_are_taken()
    first, *others = [request.received_at for request in rum.requests]
    assert min(others) >= (date if is_date else first + 2) - 0.5
    assert one.force_flush()
    account.assert_balanced(one.ledger)


def test_an_absurd_retry_after_is_cut(rum: LocalRum, account: Account, exporter: Make, monkeypatch: Any) -> None:
    """Whatever a proxy says, the events go out in the end."""
    monkeypatch.setattr(retry, "MAX_RETRY_AFTER_SECONDS", 0.5)
    rum.faults = [Fault(status=503, retry_after=999_999_999, times=1), Fault(status=429, retry_after="soon", times=1)]
    one = exporter()
    one.export(account.spans(2))
    account.wait_until_all_are_taken()
    assert one.force_flush()
    account.assert_balanced(one.ledger)


@pytest.mark.usefixtures("real_pauses")
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
def test_slow_and_endless_answers_hold_up_nobody(fault: Fault, rum: LocalRum, account: Account, exporter: Make) -> None:
    """An export is back by its deadline, and the events are delivered once RUM answers as it does."""
    rum.faults = [fault]
    one = exporter(timeout_millis=1000)
    one.export(account.spans(2))
    account.wait_until_all_are_taken()
    assert one.force_flush(60_000)
    account.assert_balanced(one.ledger)


def test_a_sign_in_page_in_place_of_rum_takes_nothing(rum: LocalRum, account: Account, exporter: Make) -> None:
    """A captive portal says 200 to everything."""
    rum.faults = [Fault(content=CAPTIVE_PORTAL, times=3)]
    one = exporter()
    one.export(account.spans(3))
    account.wait_until_all_are_taken()
    assert one.force_flush()
    account.assert_balanced(one.ledger)


@pytest.mark.parametrize("cut", ["before_reading", "before_answer", "in_answer"])
def test_a_reset_connection_costs_nothing(cut: Any, rum: LocalRum, account: Account, exporter: Make) -> None:
    """Also after the request was taken, when the same events come again with the same ids."""
    rum.faults = [Fault(cut=cut, taken=None if cut == "before_reading" else True, times=3)]
    one = exporter()
    for _ in range(3):
        one.export(account.spans(2, session_id()))
    account.wait_until_all_are_taken()
    assert one.force_flush()
    account.assert_balanced(one.ledger)
    assert len(rum.batches) == (3 if cut == "before_reading" else 6)
    assert len({batch.batch_id for batch in rum.batches}) == 3


def test_faults_of_all_kinds_at_random_lose_nothing(rum: LocalRum, account: Account, exporter: Make) -> None:
    """A bad hour of a network, in some seconds."""
    rum.faults = [
        Fault(status=503, probability=0.2, seed=1),
        Fault(status=429, probability=0.1, seed=2),
        Fault(cut="before_answer", taken=True, probability=0.1, seed=3),
        Fault(cut="before_reading", probability=0.1, seed=4),
        Fault(content=CAPTIVE_PORTAL, probability=0.05, seed=5),
        Fault(latency_seconds=0.3, probability=0.1, seed=6),
    ]
    one = exporter()
    sessions = [session_id() for _ in range(5)]
    for number in range(60):
        one._shared.pipeline._delivery._rate.grant(time.monotonic())
        one.export(account.spans(3, sessions[number % 5]))
    rum.faults = []
    account.wait_until_all_are_taken()
    assert one.force_flush(60_000)
    account.assert_balanced(one.ledger)
