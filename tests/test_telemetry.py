"""What the exporter says about itself."""

import logging

import pytest

from otel_rum_exporter.telemetry import DropReason, Ledger, Notices


def test_the_ledger_adds_up() -> None:
    """Accepted = delivered + stored + dropped."""
    ledger = Ledger()
    ledger.accept(10)
    ledger.deliver(6)
    ledger.drop(DropReason.REFUSED, 1)
    assert ledger.stored == 3
    assert repr(ledger) == "Ledger(accepted=10, delivered=6, stored=3, dropped={'REFUSED': 1})"


def test_a_notice_is_written_once_a_minute_or_once_for_all(caplog: pytest.LogCaptureFixture) -> None:
    """An exporter in trouble must not flood its host."""
    now = 1000.0
    notices = Notices(lambda: now)
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        for moment in (1000.0, 1059.0, 1060.0):
            now = moment
            notices.warn("kind", "again %d", moment)
            notices.warn("single", "once", is_once=True)
            notices.warn(f"other {moment}", "other")
    written = [record.message for record in caplog.records]
    assert written == ["again 1000", "once", "other", "other", "again 1060", "other"]
