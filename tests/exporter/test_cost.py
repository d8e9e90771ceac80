"""The projection of what events cost, with a clock of the test."""

from __future__ import annotations

import logging

import pytest

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.exporter.cost import MIN_SECONDS, WINDOW_SECONDS, Cost
from otel_rum_exporter.rum.event import RumEvent
from otel_rum_exporter.rum.price import price_in_words, usd


def event(kind: str) -> RumEvent:
    """Make an event of a type."""
    return RumEvent.of("id", 0, kind, "{}", "{}", "{}")


def lines(caplog: pytest.LogCaptureFixture, log: RateLimitedLog) -> list[str]:
    """Return the lines logged since the last call."""
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        log.write()
    return [record.getMessage() for record in caplog.records]


def test_an_expensive_day_is_logged_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    """With the projection, the most frequent types and the settings that help."""
    now = [0.0]
    log = RateLimitedLog(lambda: now[0])
    cost = Cost(log, 10.0, 0.0)
    logged = []
    for minute in range(181):
        now[0] = minute * 60.0
        cost.add([event("a")] * 600 + [event("b")] * 300 + [event("c")] * 200 + [event("d")], now[0])
        logged += lines(caplog, log)
    assert len(logged) == 3
    assert "a day like this costs 19.0" in logged[0]
    assert "Most frequent: a (3600), b (1800), c (1200)." in logged[0]
    assert "OTEL_EXPORTER_AWS_RUM_SESSION_SAMPLE_RATE" in logged[0]
    assert cost.by_type["a"] == 181 * 600


@pytest.mark.parametrize(
    ("limit", "events", "seconds"),
    [(10.0, 50_000, MIN_SECONDS - 1), (10.0, 3400, MIN_SECONDS), (0.0, 1_000_000, WINDOW_SECONDS)],
    ids=["a burst at the start", "a cheaper day", "switched off"],
)
def test_nothing_is_logged(caplog: pytest.LogCaptureFixture, limit: float, events: int, seconds: float) -> None:
    """A wrong warning would be ignored the next time."""
    log = RateLimitedLog(lambda: seconds)
    Cost(log, limit, 0.0).add([event("a")] * events, seconds)
    assert lines(caplog, log) == []


def test_the_price_is_that_of_the_list() -> None:
    """One USD for 100,000 events."""
    assert usd(100_000) == pytest.approx(1.0)
    assert [price_in_words(count) for count in (0, 1, 100_000, 250_000_000)] == [
        "0.00 USD",
        "0.00001 USD",
        "1.00 USD",
        "2,500.00 USD",
    ]
