"""Spans and log records decoded from OTLP, and what a decoder reports beside them.

The classes have the attributes that the mapping reads from the SDK's own spans and log records. All records of a block
share one resource and one scope object. They are not frozen, because frozen instances take three times as long to make.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass
from typing import Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

MAX_VALUE_DEPTH = 32
"""Nested lists and maps in a value. Protobuf parsers stop at 100 messages, and each level takes 2 or 3 messages."""

MAX_RECORDS = 100_000
"""Most spans, log records and blocks in a body from elsewhere. SDKs send 512 at once, Collectors 8,192."""

MAX_VALUES_PER_RECORD = 20
"""Attributes, events, links and list members per record, on average, if the number of records is limited."""

VALUES_PER_EVENT = 10
"""The number of values that an event or a link counts as, because it takes as much memory and time."""

MAX_IGNORED_PARTS = 100
"""Malformed parts of a record that are ignored. A record with more is rejected: each takes time to describe."""

MAX_FAILURES = 100
"""Failures of one body that are described. Further ones are counted only."""

KINDS = dict(enumerate((SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER), 2))
"""Span kinds by number. Any other number, such as UNSPECIFIED, is INTERNAL."""

SEVERITIES = {severity.value: severity for severity in SeverityNumber if severity.value}
STATUS_CODES = dict(enumerate((StatusCode.UNSET, StatusCode.OK, StatusCode.ERROR)))
UNSET, OK = Status(), Status(StatusCode.OK)
FLAGS = tuple(map(TraceFlags, range(256)))
_NO_STATE = TraceState()

_REMOTE = 0x100 | 0x200
"""Bits of `flags`: the field says whether the parent is remote, and the parent is remote.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""


class OtlpError(ValueError):
    """The input is not OTLP."""


class TooManyRecordsError(OtlpError):
    """The input has more records or values than the limit."""


class MalformedError(ValueError):
    """A value does not have the type of its field. `path` is relative to the message that is being read."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def within(self, path: str) -> MalformedError:
        """Return the same error with its path relative to an outer message."""
        return MalformedError(f"{path}.{self.path}" if self.path else path, self.reason)


def ignore(error: MalformedError, ignored: list[MalformedError]) -> None:
    """Add a malformed part of a record, without the traceback, which refers to the record.

    Raises:
        MalformedError: if the record has too many.
    """
    if len(ignored) >= MAX_IGNORED_PARTS:
        raise MalformedError("", f"has more than {MAX_IGNORED_PARTS} malformed parts")
    ignored.append(MalformedError(error.path, error.reason))


class Signal(enum.Enum):
    """The kind of telemetry in a body. The value is its name in the paths of OTLP over HTTP."""

    TRACES = "traces"
    LOGS = "logs"


@dataclass(slots=True)
class DecodedResource:
    """A resource, with the interface of `record_view.Resource`."""

    attributes: Mapping[str, Any]


@dataclass(slots=True)
class DecodedScope:
    """An instrumentation scope, with the interface of `record_view.Scope`."""

    name: str
    version: str | None


@dataclass(slots=True)
class DecodedEvent:
    """A span event, with the interface of `span_view.SpanEvent`."""

    name: str
    timestamp: int
    attributes: Mapping[str, Any]


@dataclass(slots=True)
class DecodedLink:
    """A span link, with the interface of `span_view.SpanLink`."""

    context: SpanContext


@dataclass(slots=True)
class DecodedSpan:
    """A span, with the interface of `span_view.Span`."""

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
    """The fields of a log record, with the interface of `log_view.LogData`."""

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
    """A log record with its resource and scope, with the interface of `log_view.LogRecord`."""

    log_record: DecodedLogData
    resource: DecodedResource
    instrumentation_scope: DecodedScope | None


@dataclass(frozen=True, slots=True)
class DecodeFailure:
    """A part of a body that was not decoded: its path and the reason."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} {self.reason}"


class DecodeProgress:
    """The limits and failures of one body while it is decoded."""

    def __init__(self, max_records: int | None = None) -> None:
        self._failures: list[DecodeFailure] = []
        self._max_records = max_records
        self._max_values = max_records * MAX_VALUES_PER_RECORD if max_records else None
        self._records = 0
        self._values = 0
        self._rejected = 0
        self._ignored = 0

    def result(self, records: Iterable[DecodedSpan | DecodedLogRecord]) -> DecodeResult:
        """Return the decoded records of the body, with its failures."""
        return DecodeResult(tuple(records), tuple(self._failures), self._rejected, self._ignored)

    def count_record(self) -> None:
        """Count a record, or a block of records, before it is read.

        Raises:
            TooManyRecordsError: if the body has more than the limit.
        """
        self._records += 1
        if self._max_records is not None and self._records > self._max_records:
            raise TooManyRecordsError(f"more than {self._max_records} records; send them in several requests")

    def count_values(self, values: int) -> None:
        """Count attributes, events, links and list members before they are read.

        Raises:
            TooManyRecordsError: if the body has more than the limit.
        """
        self._values += values
        if self._max_values is not None and self._values > self._max_values:
            raise TooManyRecordsError(f"more than {self._max_values} values; send them in several requests")

    def count_events(self, events: Sized, links: Sized) -> None:
        """Count the events and links of a span before they are read; see `count_values`."""
        self.count_values(VALUES_PER_EVENT * (len(events) + len(links)))

    def add_failure(self, failure: DecodeFailure, records: int = 1) -> None:
        """Record a failure, and count the records that are rejected because of it; with 0 a part is ignored."""
        self._rejected += records
        self._ignored += not records
        if len(self._failures) < MAX_FAILURES:
            self._failures.append(failure)


@dataclass(frozen=True, slots=True)
class DecodeResult:
    """The records of a body in their order, the first failures, and how many records and parts were not read."""

    records: tuple[DecodedSpan | DecodedLogRecord, ...]
    failures: tuple[DecodeFailure, ...]
    rejected: int = 0
    ignored: int = 0

    @property
    def unread(self) -> int:
        """The number of records and parts of records that were not read."""
        return self.rejected + self.ignored

    @property
    def spans(self) -> tuple[DecodedSpan, ...]:
        return tuple(record for record in self.records if isinstance(record, DecodedSpan))

    @property
    def log_records(self) -> tuple[DecodedLogRecord, ...]:
        return tuple(record for record in self.records if isinstance(record, DecodedLogRecord))


def is_remote(flags: int) -> bool:
    """Return whether flags mark the parent as a span of another process."""
    return flags & _REMOTE == _REMOTE


def span_context(trace_id: int, span_id: int, remote: bool, flags: TraceFlags = FLAGS[0]) -> SpanContext:  # noqa: FBT001
    """Return a SpanContext of ids that are not 0 and have their size, without the checks of its constructor."""
    return tuple.__new__(SpanContext, (trace_id, span_id, remote, flags, _NO_STATE, True))


def status(code: int, message: str) -> Status:
    """Return a status. Only errors have a description, because the SDK warns of others."""
    kind = STATUS_CODES.get(code, StatusCode.UNSET)
    if kind is StatusCode.ERROR:
        return Status(kind, message or None)
    return OK if kind is StatusCode.OK else UNSET
