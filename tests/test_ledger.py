"""The counts and the log lines of the exporter."""

import logging

import pytest

from otel_rum_exporter._log import LOGGER, RateLimitedLog, log_line
from otel_rum_exporter.ledger import DropReason, Ledger, LedgerSnapshot, Tally


def test_the_ledger_adds_up() -> None:
    """Accepted = delivered + stored + dropped."""
    ledger = Ledger()
    ledger.accept(Tally(10, spans=7))
    ledger.deliver([Tally(4, spans=3), Tally(2, spans=1)])
    ledger.drop(DropReason.REFUSED, [Tally(1, spans=1)])
    assert ledger.in_flight == Tally(3, spans=2)
    assert ledger.stored == 3


def test_a_snapshot_has_the_counts_of_its_moment() -> None:
    """It does not change with the ledger."""
    ledger = Ledger()
    ledger.accept(Tally(10, spans=7, log_records=1))
    ledger.deliver([Tally(6, spans=4)])
    ledger.drop(DropReason.REFUSED, [Tally(1, spans=1)])
    ledger.filter(Tally(0, spans=1))
    ledger.filter(Tally(0, log_records=1))
    ledger.recover(Tally(2))
    ledger.pending = 3
    snapshot = ledger.snapshot()
    ledger.accept(Tally(5))
    ledger.drop(DropReason.EXPIRED, [Tally(1)])
    assert snapshot == LedgerSnapshot(
        accepted=12,
        delivered=6,
        recovered=2,
        dropped={DropReason.REFUSED: 1},
        filtered=2,
        pending=3,
        spans={None: 5, DropReason.REFUSED: 1},
        log_records={None: 1, DropReason.REFUSED: 0},
    )
    assert repr(snapshot) == "LedgerSnapshot(accepted=12, delivered=6, stored=5, dropped={'REFUSED': 1})"


def test_a_warning_is_logged_once_a_minute_or_once_ever(caplog: pytest.LogCaptureFixture) -> None:
    """A lasting fault must not flood the log."""
    now = 1000.0
    log = RateLimitedLog(lambda: now)
    for moment in (1000.0, 1059.0, 1060.0):
        now = moment
        log.add("kind", "again %d", moment)
        log.add("single", "once", is_once=True)
    log.write()
    assert caplog.messages == ["CloudWatch RUM: again 1000", "CloudWatch RUM: once", "CloudWatch RUM: again 1060"]


def test_a_loss_line_has_the_sum_since_the_last_one(caplog: pytest.LogCaptureFixture) -> None:
    """Losses between two lines are not forgotten."""
    now = 1000.0
    log = RateLimitedLog(lambda: now)
    for moment, count in ((1000.0, 1), (1001.0, 5), (1070.0, 2)):
        now = moment
        log.add_loss(DropReason.REFUSED, count, "fix it")
    log.write()
    assert caplog.messages == [
        "CloudWatch RUM: 1 event dropped: RUM refused the event. To fix: fix it.",
        "CloudWatch RUM: 7 events dropped: RUM refused the event. To fix: fix it.",
    ]


def test_a_log_line_has_its_nouns_in_the_singular_after_1(caplog: pytest.LogCaptureFixture) -> None:
    """Other words and values stay as they are."""
    for values in ((1, 1, "1 events", 1.0), (2, 1, "s", 10.0)):
        log_line(logging.WARNING, "%d of %d messages as %s, %.1f events/s", *values)
    assert caplog.messages == [
        "CloudWatch RUM: 1 of 1 message as 1 events, 1.0 event/s",
        "CloudWatch RUM: 2 of 1 message as s, 10.0 events/s",
    ]


def test_a_warning_is_logged_by_write_only(caplog: pytest.LogCaptureFixture) -> None:
    """A log handler may end a span, so `add` must not log under a lock."""
    log = RateLimitedLog()
    log.add("kind", "later")
    assert not caplog.messages
    log.write()
    assert caplog.messages == ["CloudWatch RUM: later"]


def test_a_broken_log_handler_does_not_reach_the_caller() -> None:
    """The application's log handlers may raise."""

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
