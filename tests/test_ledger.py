"""What the exporter says about itself."""

import logging

import pytest

from otel_rum_exporter._log import LOGGER, RateLimitedLog
from otel_rum_exporter.ledger import DropReason, Ledger, Tally


def test_the_ledger_adds_up() -> None:
    """Accepted = delivered + stored + dropped."""
    ledger = Ledger()
    ledger.accept(Tally(10, spans=7))
    ledger.deliver([Tally(4, spans=3), Tally(2, spans=1)])
    ledger.drop(DropReason.REFUSED, [Tally(1, spans=1)])
    assert ledger.in_flight == Tally(3, spans=2)
    assert ledger.stored == 3
    assert repr(ledger) == "Ledger(accepted=10, delivered=6, stored=3, dropped={'REFUSED': 1})"


def test_a_notice_is_written_once_a_minute_or_once_for_all(caplog: pytest.LogCaptureFixture) -> None:
    """An exporter in trouble must not flood its host."""
    now = 1000.0
    log = RateLimitedLog(lambda: now)
    for moment in (1000.0, 1059.0, 1060.0):
        now = moment
        log.add("kind", "again %d", moment)
        log.add("single", "once", is_once=True)
    log.write()
    assert caplog.messages == ["CloudWatch RUM: again 1000", "CloudWatch RUM: once", "CloudWatch RUM: again 1060"]


def test_a_line_of_losses_counts_all_since_the_last_one(caplog: pytest.LogCaptureFixture) -> None:
    """A minute of losses is not told by its first."""
    now = 1000.0
    log = RateLimitedLog(lambda: now)
    for moment, count in ((1000.0, 1), (1001.0, 5), (1070.0, 2)):
        now = moment
        log.add_loss(DropReason.REFUSED, count, "mend it")
    log.write()
    assert [line.split(" ", 3)[2][:1] + " events" for line in caplog.messages] == ["1 events", "7 events"]


def test_nothing_is_written_before_it_may_be(caplog: pytest.LogCaptureFixture) -> None:
    """A log handler may end a span, which must find no lock held."""
    log = RateLimitedLog()
    log.add("kind", "later")
    assert not caplog.messages
    log.write()
    assert caplog.messages == ["CloudWatch RUM: later"]


def test_a_broken_log_handler_does_not_reach_the_caller() -> None:
    """Logging is the application's, and may raise."""

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError(record)

    handler = Broken()
    LOGGER.addHandler(handler)
    try:
        log = RateLimitedLog()
        log.add("kind", "x")
        log.write()
    finally:
        LOGGER.removeHandler(handler)
