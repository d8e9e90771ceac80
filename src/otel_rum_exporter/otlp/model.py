"""Decoded spans and log records, with the members that the mapping reads of SDK objects.

Resource and scope are one object for all records of their block. The classes are mutable because frozen ones take three
times as long to create.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

MAX_VALUE_DEPTH = 32
"""Nested lists and maps in a value. Protobuf parsers stop at 100 nested messages, and each level takes 2 or 3."""

MAX_VALUES_PER_RECORD = 20
"""Average number of attributes and similar values per record, if the number of records is limited."""

MAX_FAULTS = 100
"""Further faults are only counted."""

KINDS = dict(enumerate((SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER), 2))
"""All but INTERNAL, which is also used for unspecified kinds."""

SEVERITIES = {severity.value: severity for severity in SeverityNumber if severity.value}
STATUS_CODES = dict(enumerate((StatusCode.UNSET, StatusCode.OK, StatusCode.ERROR)))
UNSET, OK = Status(), Status(StatusCode.OK)
FLAGS = tuple(map(TraceFlags, range(256)))

_REMOTE = 0x100 | 0x200
"""Bits of `flags`: whether the parent is remote is known, and it is remote.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""


class OtlpError(ValueError):
    """The input is not OTLP."""


class TooManyRecordsError(OtlpError):
    """The input has more records than are accepted at once."""


class MalformedError(ValueError):
    """A value does not have its field's type. `path` is its path from the message being read."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def within(self, path: str) -> MalformedError:
        """Return the same fault with the path from an outer message."""
        return MalformedError(f"{path}.{self.path}" if self.path else path, self.reason)


class Signal(enum.Enum):
    """The kind of telemetry in a body; the value is its name in OTLP/HTTP paths."""

    TRACES = "traces"
    LOGS = "logs"


@dataclass(slots=True)
class DecodedResource:
    """A decoded resource."""

    attributes: Mapping[str, Any]


@dataclass(slots=True)
class DecodedScope:
    """A decoded instrumentation scope."""

    name: str
    version: str | None


@dataclass(slots=True)
class DecodedEvent:
    """A decoded span event."""

    name: str
    timestamp: int
    attributes: Mapping[str, Any]


@dataclass(slots=True)
class DecodedLink:
    """A decoded span link."""

    context: SpanContext


@dataclass(slots=True)
class DecodedSpan:
    """A decoded span, with the members of `mapping.span_view.Span`."""

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
    """A decoded log record's content."""

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
    """A decoded log record, with the members of `mapping.log_view.LogRecord`."""

    log_record: DecodedLogData
    resource: DecodedResource
    instrumentation_scope: DecodedScope | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that could not be read: its path, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} {self.reason}"


class Faults:
    """The faults of a body, and the number of records that they reject."""

    def __init__(self, max_records: int | None = None) -> None:
        self._first: list[Fault] = []
        self._max_records = max_records
        self._max_values = max_records * MAX_VALUES_PER_RECORD if max_records else None
        self._records = 0
        self._values = 0
        self.rejected = 0

    @property
    def first(self) -> tuple[Fault, ...]:
        """The first faults, at most `MAX_FAULTS`."""
        return tuple(self._first)

    def count(self) -> None:
        """Count a record or a block that is about to be read.

        Raises:
            TooManyRecordsError: if there are too many.
        """
        self._records += 1
        if self._max_records is not None and self._records > self._max_records:
            raise TooManyRecordsError(f"more than {self._max_records} records; send them in several requests")

    def weigh(self, values: int) -> None:
        """Count attributes, events, links and members of values that are about to be read.

        Raises:
            TooManyRecordsError: if there are too many.
        """
        self._values += values
        if self._max_values is not None and self._values > self._max_values:
            raise TooManyRecordsError(f"more than {self._max_values} attributes; send them in several requests")

    def add(self, fault: Fault, records: int = 1) -> None:
        """Add a fault and the number of records that it rejects."""
        self.rejected += records
        if len(self._first) < MAX_FAULTS:
            self._first.append(fault)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Decoded records in their order, the first faults, and the number of rejected records."""

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
    """Return whether the flags say that the parent is in another process."""
    return flags & _REMOTE == _REMOTE


def status(code: int, message: str) -> Status:
    """Return a status; only errors keep a description, because the SDK warns about others."""
    kind = STATUS_CODES.get(code, StatusCode.UNSET)
    if kind is StatusCode.ERROR:
        return Status(kind, message or None)
    return OK if kind is StatusCode.OK else UNSET
