"""An event that RUM rejects: only this event is dropped, and it is logged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from otel_rum_exporter.ledger import DropReason
from otel_rum_exporter.local import LocalRum
from tests.faults.numbered_spans import NumberedSpans, session_id, wait_until_received
from tests.faults.rejecting_proxy import rejecting_proxy

Make = Callable[..., Any]
INVALID = "invalid-7f3a"


@pytest.mark.parametrize("place", [0, 37, 99])
def test_an_invalid_event_among_100_is_found_in_16_requests_and_dropped_alone(
    place: int, rum: LocalRum, numbered: NumberedSpans, exporter: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The other 99 are delivered, and a line has the type of this one."""
    spans = numbered.spans(100)
    spans[place] = numbered.span(attributes={"what": INVALID}, name="bad span")
    numbered.exported.discard(place)
    with rejecting_proxy(rum.url, INVALID.encode()) as (url, statuses):
        one = exporter(endpoint=url)
        one.export(spans)
        assert one.force_flush(60_000)
    numbered.assert_counts(one.ledger, {DropReason.REFUSED: 1})
    assert len(numbered.received()) == 99
    assert len(statuses) <= 16
    (line,) = [line for line in caplog.messages if "refused" in line]
    assert "1 event dropped" in line
    assert "of type bad_span" in line


def test_several_invalid_events_lose_no_others(rum: LocalRum, numbered: NumberedSpans, exporter: Make) -> None:
    """In several sessions, next to each other."""
    invalid: set[int] = set()
    with rejecting_proxy(rum.url, INVALID.encode()) as (url, _):
        one = exporter(endpoint=url)
        for _ in range(3):
            session = session_id()
            spans = numbered.spans(20, session)
            invalid |= {len(numbered.exported), len(numbered.exported) + 1}
            spans[4:4] = [numbered.span(session, {"what": INVALID}) for _ in range(2)]
            one.export(spans)
        wait_until_received(rum, numbered.exported - invalid)
        assert one.force_flush(60_000)
    numbered.assert_counts(one.ledger, {DropReason.REFUSED: 6})
