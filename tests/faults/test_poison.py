"""One event that RUM refuses, among others: it alone is lost, and named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from otel_rum_exporter.ledger import DropReason
from otel_rum_exporter.local import LocalRum
from tests.faults.account import Account, session_id, wait_until_taken
from tests.faults.refusing_proxy import refusing_proxy

Make = Callable[..., Any]
POISON = "poison-7f3a"


@pytest.mark.parametrize("place", [0, 37, 99])
def test_a_poison_event_among_100_is_found_in_16_requests_and_dropped_alone(
    place: int, rum: LocalRum, account: Account, exporter: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The 99 others are delivered, and a line names the one."""
    spans = account.spans(100)
    spans[place] = account.span(attributes={"what": POISON}, name="bad span")
    account.given.discard(place)
    with refusing_proxy(rum.url, POISON.encode()) as (url, statuses):
        one = exporter(endpoint=url)
        one.export(spans)
        assert one.force_flush(60_000)
    account.assert_balanced(one.ledger, {DropReason.REFUSED: 1})
    assert len(account.taken()) == 99
    assert len(statuses) <= 16
    (line,) = [line for line in caplog.messages if "refused" in line]
    assert "1 events dropped" in line
    assert "of type bad_span" in line


def test_several_poison_events_in_several_sessions_cost_no_other(
    rum: LocalRum, account: Account, exporter: Make
) -> None:
    """Whatever stands between them."""
    poisonous: set[int] = set()
    with refusing_proxy(rum.url, POISON.encode()) as (url, _):
        one = exporter(endpoint=url)
        for _ in range(3):
            session = session_id()
            spans = account.spans(20, session)
            poisonous |= {len(account.given), len(account.given) + 1}
            spans[4:4] = [account.span(session, {"what": POISON}) for _ in range(2)]
            one.export(spans)
        wait_until_taken(rum, account.given - poisonous)
        assert one.force_flush(60_000)
    account.assert_balanced(one.ledger, {DropReason.REFUSED: 6})
