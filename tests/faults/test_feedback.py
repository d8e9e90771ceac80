"""Log lines of the exporter and its libraries cause no further events."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor

from otel_rum_exporter import RumLogExporter
from otel_rum_exporter.delivery import worker
from otel_rum_exporter.local import Fault, LocalRum
from tests.spans import APP_MONITOR_ID

OWN = "otel_rum_exporter"
LIBRARIES = ("botocore", "urllib3", OWN)


@pytest.fixture(params=[SimpleLogRecordProcessor, BatchLogRecordProcessor], ids=["simple", "batch"])
def processor(request: pytest.FixtureRequest, rum: LocalRum, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Export all lines of the root logger to a local RUM."""
    monkeypatch.setattr(worker, "MAX_EXPORT_WAIT_SECONDS", 0.5)
    exporter = RumLogExporter(app_monitor_id=APP_MONITOR_ID, endpoint=rum.url, signing="none")
    options = {"schedule_delay_millis": 50} if request.param is BatchLogRecordProcessor else {}
    provider = LoggerProvider(shutdown_on_exit=False)
    made: LogRecordProcessor = request.param(exporter, **options)
    provider.add_log_record_processor(made)
    handler, root = LoggingHandler(logger_provider=provider), logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield exporter
    root.removeHandler(handler)
    root.setLevel(level)
    provider.shutdown()


@pytest.mark.usefixtures("real_delays")
def test_lines_about_an_outage_cause_no_events(
    processor: RumLogExporter, rum: LocalRum, caplog: pytest.LogCaptureFixture
) -> None:
    """Also at DEBUG, where botocore and urllib3 log each request and each exception."""
    caplog.set_level(logging.DEBUG)
    rum.faults = [Fault(cut="before_answer")]
    begun = time.monotonic()
    logging.getLogger("application").error("it failed", exc_info=ValueError("of the application"))
    while time.monotonic() - begun < 4 or len(rum.requests) < 3:
        assert time.monotonic() - begun < 60
        time.sleep(0.1)
    lines = [record for record in caplog.records if record.name == OWN]
    assert 1 <= len(lines) <= 2
    assert len(rum.requests) <= 12 * (time.monotonic() - begun) / 4
    rum.faults = []
    assert processor.force_flush(30_000)
    errors = rum.events("js_error_event")
    assert {error.details["message"] for error in errors} == {"of the application"}
    assert len({error.id for error in errors}) == 1
    assert processor.ledger.accepted == processor.ledger.delivered <= 2


def test_a_delivery_thread_does_not_wait_for_itself(processor: RumLogExporter, rum: LocalRum) -> None:
    """Libraries log while it sends, and each line is exported at once."""
    begun = time.monotonic()
    logging.getLogger("application").error("it failed", exc_info=ValueError("of the application"))
    rum.wait_for("js_error_event", 1, 60)
    assert processor.force_flush(60_000)
    # About fifty lines are logged. With a wait each would take half a second.
    assert time.monotonic() - begun < 20
