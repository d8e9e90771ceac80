"""Log records: the protocol that SDK log records satisfy, and the view that the mapping reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import TraceFlags

from .._attributes import PREVIOUS_URL, URLS, plain
from .._receipt import Receipt
from .attribute_keys import keys_of
from .attribute_values import json_object, json_text, json_value
from .record_view import (
    EARLIEST_EPOCH_NS,
    Attributes,
    Resource,
    Scope,
    SpanKey,
    View,
    clock_unit_ns,
    epoch_ns,
    name_of,
    text,
)
from .redaction import STANDARD, Redactor

PAGE_VIEW_RECORD = "browser.page_view"
"""Name of a page view whose URL may be in the body."""

_TRACE_IDS, _SPAN_IDS = 2**128, 2**64


class LogData(Protocol):
    """The content of a log record: `opentelemetry._logs.LogRecord`."""

    @property
    def timestamp(self) -> int | None: ...
    @property
    def observed_timestamp(self) -> int | None: ...
    @property
    def trace_id(self) -> int | None: ...
    @property
    def span_id(self) -> int | None: ...
    @property
    def trace_flags(self) -> TraceFlags | None: ...
    @property
    def severity_number(self) -> SeverityNumber | None: ...
    @property
    def body(self) -> Any: ...
    @property
    def attributes(self) -> Attributes: ...
    @property
    def event_name(self) -> str | None: ...


class LogRecord(Protocol):
    """A log record with resource and scope: the part of `opentelemetry.sdk._logs.ReadableLogRecord` that RUM needs."""

    @property
    def log_record(self) -> LogData: ...
    @property
    def resource(self) -> Resource: ...
    @property
    def instrumentation_scope(self) -> Scope | None: ...


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class LogView(View):
    """A log record whose attributes were read once; `name` is the event's, empty for a plain line.

    `is_superseded` is true if a later record replaces it.
    """

    source: LogRecord
    body: Any
    severity: int
    is_superseded: bool = False

    @property
    def content(self) -> tuple[object, ...]:
        """Name, attributes and body."""
        return self.name, self.attributes, self.body

    @property
    def has_other_clock(self) -> bool:
        """Whether its time is in another unit than nanoseconds, and not since the start of a page."""
        data = self.source.log_record
        return not data.observed_timestamp and clock_unit_ns(data.timestamp) > 1

    @property
    def id_parts(self) -> tuple[str, ...]:
        """Time, name and content: log records have no id."""
        content = orjson.dumps([json_object(self.attributes), json_value(self.body)], option=orjson.OPT_SORT_KEYS)
        return self.trace_id, self.span_id, str(self.end_ns), self.name, content.decode()

    @classmethod
    def of(cls, record: LogRecord, redactor: Redactor = STANDARD, receipt: Receipt | None = None) -> LogView:
        """Read a log record once; a record within a span is its child."""
        data = record.log_record
        name = json_text(data.event_name) if data.event_name else ""
        attributes = plain(data.attributes)
        if name == PAGE_VIEW_RECORD and isinstance(data.body, Mapping):
            attributes = {URLS[0]: data.body.get("url"), PREVIOUS_URL: data.body.get("referrer"), **attributes}
        trace_id = f"{data.trace_id:032x}" if data.trace_id else ""
        span_id = f"{data.span_id:016x}" if data.trace_id and data.span_id else ""
        given_ns, observed_ns = data.timestamp or 0, epoch_ns(data.observed_timestamp)
        # OpenTelemetry's browser instrumentations set times since the page's start instead of the epoch.
        time_ns = epoch_ns(given_ns) if given_ns >= EARLIEST_EPOCH_NS else observed_ns or epoch_ns(given_ns)
        return cls(
            name=name or text(attributes, "event.name") or "",
            attributes=attributes,
            keys=keys_of(attributes),
            resource=record.resource,
            scope=record.instrumentation_scope,
            scope_name=name_of(record.instrumentation_scope),
            trace_id=trace_id,
            trace=data.trace_id or None,
            span_id=span_id,
            key=None,
            parent_key=_span_key(data.trace_id, data.span_id) if span_id and _is_exported(data) else None,
            is_parent_remote=False,
            kind=None,
            start_ns=time_ns,
            end_ns=time_ns,
            source=record,
            redactor=redactor,
            receipt=receipt,
            body=data.body,
            severity=data.severity_number.value if data.severity_number else 0,
        )


def _span_key(trace_id: int | None, span_id: int | None) -> SpanKey:
    """Return the key of a span; ids of log records may be out of range, which those of spans are not."""
    return ((trace_id or 0) % _TRACE_IDS).to_bytes(16, "big") + ((span_id or 0) % _SPAN_IDS).to_bytes(8, "big")


def _is_exported(data: LogData) -> bool:
    """Return whether the span of a log record will be exported; a span that is not sampled never is."""
    return data.trace_flags is None or bool(data.trace_flags & TraceFlags.SAMPLED)
