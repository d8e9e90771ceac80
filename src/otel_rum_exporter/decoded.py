"""Spans and log records that came as data, not from an SDK in this process: twins of what the mapping reads.

Resource and scope are one object for all records of their block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import SpanContext, SpanKind, Status, TraceFlags


@dataclass(frozen=True, slots=True)
class DecodedResource:
    """The twin of `view.Resource`."""

    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DecodedScope:
    """The twin of `view.Scope`."""

    name: str
    version: str | None


@dataclass(frozen=True, slots=True)
class DecodedEvent:
    """The twin of `span.SpanEvent`."""

    name: str
    timestamp: int
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DecodedLink:
    """The twin of `span.SpanLink`."""

    context: SpanContext


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedSpan:
    """The twin of `span.Span`."""

    name: str
    kind: SpanKind
    context: SpanContext
    parent: SpanContext | None
    start_time: int
    end_time: int
    status: Status
    attributes: Mapping[str, Any]
    events: tuple[DecodedEvent, ...]
    links: tuple[DecodedLink, ...]
    resource: DecodedResource
    instrumentation_scope: DecodedScope | None
    dropped_attributes: int
    dropped_events: int
    dropped_links: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedLogData:
    """The twin of `log_record.LogData`."""

    timestamp: int | None
    observed_timestamp: int | None
    trace_id: int | None
    span_id: int | None
    trace_flags: TraceFlags | None
    severity_number: SeverityNumber | None
    body: Any
    attributes: Mapping[str, Any]
    event_name: str | None


@dataclass(frozen=True, slots=True)
class DecodedLogRecord:
    """The twin of `log_record.LogRecord`."""

    log_record: DecodedLogData
    resource: DecodedResource
    instrumentation_scope: DecodedScope | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that could not be read: where it stands, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} {self.reason}"


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was read, in the order in which it stands, and what could not be."""

    records: tuple[DecodedSpan | DecodedLogRecord, ...]
    faults: tuple[Fault, ...]

    @property
    def spans(self) -> tuple[DecodedSpan, ...]:
        return tuple(record for record in self.records if isinstance(record, DecodedSpan))

    @property
    def log_records(self) -> tuple[DecodedLogRecord, ...]:
        return tuple(record for record in self.records if isinstance(record, DecodedLogRecord))
