"""The log lines of the share of sessions that is sent."""

from __future__ import annotations

import pytest

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.exporter.session_rate import SessionRate
from otel_rum_exporter.ledger import Ledger
from otel_rum_exporter.mapping.sampling import Sampling
from tests.spans import make_config


@pytest.mark.parametrize(
    ("budget", "share", "load", "line"),
    [
        (
            3906.0,
            0.25,
            15_625.4,
            "15,625 events/s arrive, and the budget is 3,906; 25 percent of new sessions are sent",
        ),
        (
            3906.0,
            0.996,
            0.6021,
            "0.602 events/s arrive, and the budget is 3,906; 99.6 percent of new sessions are sent",
        ),
        (None, 0.5, 40.0, "40 events/s arrive, and RUM accepts all of them; 50 percent of new sessions are sent"),
    ],
)
def test_the_numbers_of_a_line_have_no_exponents_and_no_infinity(
    caplog: pytest.LogCaptureFixture, budget: float | None, share: float, load: float, line: str
) -> None:
    """Readers would have to convert 1.56e+04."""
    log, config = RateLimitedLog(), make_config(max_events_per_second=budget)
    rate = SessionRate(config, Sampling(config), Ledger(), log, 0.0)
    rate._budget._sample_rate.rate = share
    rate._budget._sample_rate.events_per_second = load
    rate._log_rate()
    log.write()
    assert line in caplog.text
