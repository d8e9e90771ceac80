"""Spans and log records that came as data, not from an SDK in this process: twins of what the mapping reads.

Resource and scope are one object for all records of their block. Nobody changes what was decoded; that it could be
changed is because to make what cannot be takes three times as long.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

MAX_VALUE_DEPTH = 32
"""Lists and maps within one another in a value. Parsers of protobuf end at 100 messages, of which each takes 2 or 3."""

MAX_VALUES_PER_RECORD = 20
"""Attributes and the like, on average, where the number of records is limited."""

MAX_FAULTS_TOLD = 100
"""More faults than these are counted only."""

KINDS = dict(enumerate((SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER), 2))
"""All but INTERNAL, which those that are not specified may be taken for."""

SEVERITIES = {severity.value: severity for severity in SeverityNumber if severity.value}
STATUS_CODES = dict(enumerate((StatusCode.UNSET, StatusCode.OK, StatusCode.ERROR)))
UNSET, OK = Status(), Status(StatusCode.OK)
FLAGS = tuple(map(TraceFlags, range(256)))

_REMOTE = 0x100 | 0x200
"""Of `flags`: that it is known whether the parent is remote, and that it is.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""


class OtlpError(ValueError):
    """What was given is no OTLP at all."""


class TooManyRecordsError(OtlpError):
    """What was given holds more records than may be read at once."""


class MalformedError(ValueError):
    """A value that is not of its field's type. `path` leads to it from the message being read."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def within(self, path: str) -> MalformedError:
        """Return the same fault, seen from a message further out."""
        return MalformedError(f"{path}.{self.path}" if self.path else path, self.reason)


class Signal(enum.Enum):
    """What kind of telemetry a body carries; the value is its name in the paths of OTLP over HTTP."""

    TRACES = "traces"
    LOGS = "logs"


@dataclass(slots=True)
class DecodedResource:
    """The twin of `view.Resource`."""

    attributes: Mapping[str, Any]


@dataclass(slots=True)
class DecodedScope:
    """The twin of `view.Scope`."""

    name: str
    version: str | None


@dataclass(slots=True)
class DecodedEvent:
    """The twin of `span.SpanEvent`."""

    name: str
    timestamp: int
    attributes: Mapping[str, Any]


@dataclass(slots=True)
class DecodedLink:
    """The twin of `span.SpanLink`."""

    context: SpanContext


@dataclass(slots=True)
class DecodedSpan:
    """The twin of `span.Span`."""

    name: str
    kind: SpanKind
    context: SpanContext
    parent: SpanContext | None
    start_time: int
    end_time: int
    status: Status
    attributes: dict[str, Any]
    events: tuple[DecodedEvent, ...]
    links: tuple[DecodedLink, ...]
    resource: DecodedResource
    instrumentation_scope: DecodedScope | None
    dropped_attributes: int
    dropped_events: int
    dropped_links: int


@dataclass(slots=True, kw_only=True)
class DecodedLogData:
    """The twin of `log_record.LogData`."""

    timestamp: int | None
    observed_timestamp: int | None
    trace_id: int | None
    span_id: int | None
    trace_flags: TraceFlags | None
    severity_number: SeverityNumber | None
    body: Any
    attributes: dict[str, Any]
    event_name: str | None


@dataclass(slots=True)
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


class Faults:
    """What could not be read of a body, and how many records that costs."""

    def __init__(self, max_records: int | None = None) -> None:
        self._told: list[Fault] = []
        self._max_records = max_records
        self._max_values = max_records * MAX_VALUES_PER_RECORD if max_records else None
        self._records = 0
        self._values = 0
        self.rejected = 0

    @property
    def told(self) -> tuple[Fault, ...]:
        """The first faults."""
        return tuple(self._told)

    def count(self) -> None:
        """Count a record, or a block of them, that is about to be read.

        Raises:
            TooManyRecordsError: when there were too many already.
        """
        self._records += 1
        if self._max_records is not None and self._records > self._max_records:
            raise TooManyRecordsError(f"more than {self._max_records} records; send them in several requests")

    def weigh(self, values: int) -> None:
        """Count attributes, events, links and members of values that are about to be read.

        Raises:
            TooManyRecordsError: when there are too many for memory to hold.
        """
        self._values += values
        if self._max_values is not None and self._values > self._max_values:
            raise TooManyRecordsError(f"more than {self._max_values} attributes; send them in several requests")

    def add(self, fault: Fault, records: int = 1) -> None:
        """Tell what is malformed, and how many records are rejected for it."""
        self.rejected += records
        if len(self._told) < MAX_FAULTS_TOLD:
            self._told.append(fault)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was read, in the order in which it stands; how many records could not be; the first faults of them."""

    records: tuple[DecodedSpan | DecodedLogRecord, ...]
    faults: tuple[Fault, ...]
    rejected: int = 0

    @property
    def spans(self) -> tuple[DecodedSpan, ...]:
        return tuple(record for record in self.records if isinstance(record, DecodedSpan))

    @property
    def log_records(self) -> tuple[DecodedLogRecord, ...]:
        return tuple(record for record in self.records if isinstance(record, DecodedLogRecord))


def is_remote(flags: int) -> bool:
    """Say whether flags tell that the parent is in another process."""
    return flags & _REMOTE == _REMOTE


def status(code: int, message: str) -> Status:
    """Return a status; only errors have a description in the SDK, which warns of others."""
    kind = STATUS_CODES.get(code, StatusCode.UNSET)
    if kind is StatusCode.ERROR:
        return Status(kind, message or None)
    return OK if kind is StatusCode.OK else UNSET
