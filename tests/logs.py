"""Log records of the SDK's own classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import INVALID_SPAN_CONTEXT, NonRecordingSpan, set_span_in_context

from tests.spans import START_NS


def make_log(
    event_name: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    *,
    body: Any = None,
    severity: SeverityNumber | None = SeverityNumber.INFO,
    span: ReadableSpan | None = None,
    resource: Mapping[str, Any] | None = None,
    time_ns: int | None = START_NS,
) -> ReadableLogRecord:
    """Make a log record outside of every span by default."""
    record = LogRecord(
        timestamp=time_ns,
        observed_timestamp=START_NS,
        context=set_span_in_context(NonRecordingSpan(span.context if span else INVALID_SPAN_CONTEXT)),
        severity_number=severity,
        body=body,
        attributes=dict(attributes or {}),
        event_name=event_name,
    )
    return ReadableLogRecord(
        log_record=record,
        resource=Resource({"service.name": "shop", "service.version": "1.2.3", **(resource or {})}),
        instrumentation_scope=InstrumentationScope("kitchen", "2.0"),
    )
