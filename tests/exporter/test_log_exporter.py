"""Log records through a real LoggerProvider to a local RUM, beside spans."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind

from otel_rum_exporter import RumLogExporter, RumSpanExporter
from otel_rum_exporter.local import LocalRum
from tests.spans import APP_MONITOR_ID, make_span

A = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def settings(rum: LocalRum) -> dict[str, Any]:
    """Return settings with which exporters share a pipeline."""
    destination = {"app_monitor_id": APP_MONITOR_ID, "endpoint": rum.url, "signing": "none"}
    return {**destination, "session_start": "minted"}


@pytest.fixture
def providers(settings: dict[str, Any]) -> tuple[TracerProvider, LoggerProvider]:
    """Set up spans and logs as an SDK does from the environment."""
    resource = Resource.create({"service.name": "shop"})
    spans, logs = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    spans.add_span_processor(BatchSpanProcessor(RumSpanExporter(**settings)))
    logs.add_log_record_processor(BatchLogRecordProcessor(RumLogExporter(**settings)))
    return spans, logs


def test_an_exception_on_nested_spans_and_in_the_log_is_one_error(
    rum: LocalRum, providers: tuple[TracerProvider, LoggerProvider]
) -> None:
    """Whichever record is exported first, in the session of the request that failed."""
    spans, logs = providers
    tracer = spans.get_tracer("app")
    request: dict[str, Any] = {"http.method": "GET", "http.route": "/", "http.status_code": 500, "session.id": A}
    with pytest.raises(ValueError, match="no"):  # noqa: PT012, SIM117 - nested spans
        with tracer.start_as_current_span("GET /", kind=SpanKind.SERVER, attributes=request):
            with tracer.start_as_current_span("work"):
                try:
                    raise ValueError("no")  # noqa: TRY301 - recorded where it is raised
                except ValueError as error:
                    logs.get_logger("app").emit(severity_number=SeverityNumber.ERROR, body="failed", exception=error)
                    raise
    logs.shutdown()
    spans.shutdown()
    (sent,) = rum.events("js_error_event")
    assert (sent.session_id, sent.metadata["pageId"], sent.details["message"]) == (A, "/", "no")
    assert not rum.events("session_start_event")
    assert not rum.refused


def test_named_events_are_sent_and_plain_lines_are_not(
    rum: LocalRum, providers: tuple[TracerProvider, LoggerProvider]
) -> None:
    """An event has a name; a log line belongs in the log."""
    spans, logs = providers
    logger = logs.get_logger("shop", "2.0")
    logger.emit(LogRecord(event_name="cart.filled", body={"pieces": 3}, attributes={"coupon": "TEA10"}))
    logger.emit(LogRecord(body="a plain line", severity_number=SeverityNumber.INFO))
    logs.shutdown()
    spans.shutdown()
    assert [event.type.removeprefix("com.amazon.rum.") for event in rum.events] == [
        "session_start_event",
        "cart.filled",
    ]
    (event,) = rum.events("cart.filled")
    assert event.details["body"] == {"pieces": 3}
    assert event.details["attributes"] == {"coupon": "TEA10"}
    assert event.details["otel"] == {"scope": {"name": "shop", "version": "2.0"}}


def test_both_exporters_share_session_ledger_and_queue(rum: LocalRum, settings: dict[str, Any]) -> None:
    """A process has one session and one quota, whatever it exports; the last exporter closes the pipeline."""
    spans, logs = RumSpanExporter(**settings), RumLogExporter(**settings)
    tracing, logging_ = TracerProvider(), LoggerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    logging_.add_log_record_processor(SimpleLogRecordProcessor(logs))
    logging_.get_logger("app").emit(LogRecord(event_name="first"))
    logging_.shutdown()
    with tracing.get_tracer("app").start_as_current_span("second"):
        pass
    tracing.shutdown()
    assert logs.export([]) is LogRecordExportResult.FAILURE
    assert [event.type for event in rum.events] == ["com.amazon.rum.session_start_event", "first", "second"]
    assert len({event.session_id for event in rum.events}) == 1
    assert spans.ledger == logs.ledger
    assert spans.ledger.delivered == spans.ledger.accepted == 3


def test_exporters_of_other_settings_share_nothing(settings: dict[str, Any]) -> None:
    """Two app monitors are two pipelines; a new exporter after the shutdown has a new one."""
    one = RumSpanExporter(**settings)
    other = RumSpanExporter(**{**settings, "app_monitor_id": "00000000-aaaa-4bbb-8ccc-000000000002"})
    one.export([make_span()])
    assert one.force_flush()
    assert (one.ledger.delivered > 0, other.ledger.delivered) == (True, 0)
    one.shutdown()
    again = RumSpanExporter(**settings)
    assert again.ledger.delivered == 0
    for exporter in (other, again):
        exporter.shutdown()


def test_a_failing_log_exporter_does_not_feed_itself(
    rum: LocalRum, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Its own warnings, when OTel's logging exports them, are plain lines and become no events."""
    rum.answer(403, times=1000)
    logs = LoggerProvider()
    exporter = RumLogExporter(**settings)
    logs.add_log_record_processor(SimpleLogRecordProcessor(exporter))

    class Bridge(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logs.get_logger("bridge").emit(LogRecord(body=record.getMessage()))

    bridge = Bridge()
    logging.getLogger().addHandler(bridge)
    try:
        logs.get_logger("app").emit(LogRecord(event_name="stuck"))
        logs.shutdown()
    finally:
        logging.getLogger().removeHandler(bridge)
    assert exporter.ledger.accepted == 2
    assert len([line for line in caplog.messages if "PutRumEvents failed" in line]) == 1


def test_a_log_record_within_a_span_that_is_not_sampled_does_not_wait_for_it(
    rum: LocalRum, settings: dict[str, Any]
) -> None:
    """That span is never exported."""
    exporter = RumLogExporter(**settings)
    logs = LoggerProvider()
    logs.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    tracer = TracerProvider(sampler=ALWAYS_OFF).get_tracer("app")
    with tracer.start_as_current_span("request"):
        logs.get_logger("app").emit(LogRecord(event_name="cart.filled", attributes={"session.id": A}))
    assert exporter.ledger.pending == 0
    logs.shutdown()
    assert [event.type for event in rum.events] == ["cart.filled"]
