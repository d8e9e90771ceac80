"""The decoder of OTLP in protobuf."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from .model import (
    FLAGS,
    KINDS,
    SEVERITIES,
    UNSET,
    DecodedEvent,
    DecodedLink,
    DecodedLogData,
    DecodedLogRecord,
    DecodedResource,
    DecodedScope,
    DecodedSpan,
    DecodeFailure,
    DecodeProgress,
    DecodeResult,
    MalformedError,
    OtlpError,
    Signal,
    ignore,
    is_remote,
    span_context,
    status,
)
from .proto_attributes import KnownPairs, LogRecordMessage, SpanMessage, scalar, value_of, with_lists
from .proto_json import optional
from .proto_wire import SIGNALS, WireError, fields_of, signal_of

MAX_RECORD_BYTES = 256 * 1024
"""Largest span, log record, resource or scope that is read; RUM's events have 6 KB."""

_SHARED_BYTES = 8192
"""Largest cached resource, so that the requests of one client share it."""

_TRACE_ID_BYTES, _SPAN_ID_BYTES = 16, 8
_int = int.from_bytes
_NO_PARENT = (b"", bytes(_SPAN_ID_BYTES))


def decode_protobuf(body: bytes, signal: Signal, max_records: int | None = None) -> DecodeResult:
    """Decode the protobuf body of an export request.

    Raises:
        OtlpError: if it is not such a message.
        TooManyRecordsError: if it has more than `max_records`.
    """
    progress = DecodeProgress(max_records)
    try:
        return progress.result([*_records(body, _LAYOUTS[signal], progress)])
    except WireError as error:
        raise OtlpError(f"not OTLP in protobuf: {error}") from None


class _Layout(NamedTuple):
    """Names of a signal's repeated fields, from the outside in, and the function that reads a record."""

    signal: Signal
    blocks: str
    scopes: str
    records: str
    read: Callable[..., DecodedSpan | DecodedLogRecord]


def _records(body: bytes, layout: _Layout, progress: DecodeProgress) -> Iterator[DecodedSpan | DecodedLogRecord]:
    """Yield the records of a body, and add failures to the progress."""
    known = KnownPairs()
    for index, (number, start, end) in enumerate(fields_of(body, 0, len(body))):
        progress.count_record()
        if number != 1:
            continue
        path = f"{layout.blocks}[{index}]"
        heads, blocks = _split(body, start, end, progress)
        ignored: list[MalformedError] = []
        try:
            resource = _resource(heads, progress, ignored)
        except (DecodeError, MalformedError) as error:
            records = sum(len(_split(body, *block, progress)[1]) for block in blocks)
            progress.add_failure(_failure(error, f"{path}.resource"), records)
            continue
        for part in ignored:
            _add_ignored(part, f"{path}.resource", progress)
        for inner, block in enumerate(blocks):
            inner_path = f"{path}.{layout.scopes}[{inner}]"
            yield from _scope_records(body, block, inner_path, resource, layout, known, progress)


def _scope_records(
    body: bytes,
    block: tuple[int, int],
    path: str,
    resource: DecodedResource,
    layout: _Layout,
    known: KnownPairs,
    progress: DecodeProgress,
) -> Iterator[DecodedSpan | DecodedLogRecord]:
    heads, records = _split(body, *block, progress)
    try:
        scope = _scope(heads) if heads else None
    except (DecodeError, MalformedError) as error:
        _add_ignored(error, f"{path}.scope", progress)
        scope = None
    for index, (start, end) in enumerate(records):
        ignored: list[MalformedError] = []
        tag = body[start] if start < end else 0
        read = _LAYOUTS[SIGNALS.get(tag) or signal_of(body, start, end) or layout.signal].read
        try:
            yield read(body[start:end], resource, scope, known, progress, ignored)
            for part in ignored:
                _add_ignored(part, f"{path}.{layout.records}[{index}]", progress)
        except (DecodeError, MalformedError) as error:
            progress.add_failure(_failure(error, f"{path}.{layout.records}[{index}]"))


def _split(body: bytes, start: int, end: int, progress: DecodeProgress) -> tuple[bytes, list[tuple[int, int]]]:
    """Return the head of a block (field 1), merged from several as protobuf does, and where its members (2) are."""
    heads, positions = [], []
    for number, first, last in fields_of(body, start, end):
        progress.count_record()
        if number == 1:
            heads.append(body[first:last])
        elif number == 2:
            positions.append((first, last))
    return b"".join(heads), positions


def _checked_size(data: bytes) -> bytes:
    if len(data) > MAX_RECORD_BYTES:
        raise MalformedError("", f"has {len(data)} bytes; at most {MAX_RECORD_BYTES} are read")
    return data


def _add_ignored(error: Exception, path: str, progress: DecodeProgress) -> None:
    failure = _failure(error, path)
    progress.add_failure(DecodeFailure(failure.path, f"{failure.reason}; it is ignored"), 0)


def _failure(error: Exception, path: str) -> DecodeFailure:
    if isinstance(error, MalformedError):
        error = error.within(path)
        return DecodeFailure(error.path, error.reason)
    return DecodeFailure(path, "is malformed protobuf")


def _resource(head: bytes, progress: DecodeProgress, ignored: list[MalformedError]) -> DecodedResource:
    if len(head) <= _SHARED_BYTES:
        resource, known = _shared_resource(head)
        ignored.extend(known)
        return resource
    return DecodedResource(_resource_attributes(_checked_size(head), progress, ignored))


@lru_cache(maxsize=1024)
def _shared_resource(head: bytes) -> tuple[DecodedResource, list[MalformedError]]:
    ignored: list[MalformedError] = []
    return DecodedResource(_resource_attributes(head, DecodeProgress(), ignored)), ignored


def _resource_attributes(head: bytes, progress: DecodeProgress, ignored: list[MalformedError]) -> dict[str, Any]:
    pairs = [(pair.key, scalar(pair.value)) for pair in Resource.FromString(head).attributes]
    progress.count_values(len(pairs))
    return with_lists(pairs, progress, ignored)


def _scope(head: bytes) -> DecodedScope:
    scope = InstrumentationScope.FromString(_checked_size(head))
    return DecodedScope(scope.name, scope.version or None)


def _span(
    data: bytes,
    resource: DecodedResource,
    scope: DecodedScope | None,
    known: KnownPairs,
    progress: DecodeProgress,
    ignored: list[MalformedError],
) -> DecodedSpan:
    span = SpanMessage.FromString(_checked_size(data))
    written, written_events, written_links = span.attributes[:], span.events[:], span.links[:]
    # All attributes are parsed first: a malformed one rejects the span. A slice costs half as much as an iteration.
    parsed = dict(map(known.__getitem__, written))
    parsed_of_events = [dict(map(known.__getitem__, event.attributes)) for event in written_events]
    if written_events or written_links:
        progress.count_events(written_events, written_links)
    flags, parent_id = span.flags, span.parent_span_id
    context = _context(span, FLAGS[flags & 0xFF], remote=False)
    parent = None
    if parent_id not in _NO_PARENT:
        parent_number = optional(ignored, 0, _id, parent_id, "parentSpanId", _SPAN_ID_BYTES)
        parent = span_context(context[0], parent_number, is_remote(flags)) if parent_number else None
    before = len(ignored)
    attributes = known.attributes(written, parsed, progress, ignored)
    dropped_attributes = span.dropped_attributes_count + len(ignored) - before
    events: tuple[DecodedEvent, ...] = ()
    links: tuple[DecodedLink, ...] = ()
    if written_events:
        of_events = enumerate(zip(written_events, parsed_of_events, strict=True))
        events = tuple(_event(event, index, parsed, known, progress, ignored) for index, (event, parsed) in of_events)
    if written_links:
        found = (optional(ignored, None, _link, link, index) for index, link in enumerate(written_links))
        links = tuple(link for link in found if link is not None)
    written_status = span.status
    return DecodedSpan(
        span.name,
        KINDS.get(span.kind, SpanKind.INTERNAL),
        context,
        parent,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        status(written_status.code, written_status.message) if written_status.code else UNSET,
        attributes,
        events,
        links,
        resource,
        scope,
        dropped_attributes,
        span.dropped_events_count,
        span.dropped_links_count + len(written_links) - len(links),
    )


def _context(message: Span | Span.Link, flags: TraceFlags, *, remote: bool) -> SpanContext:
    trace_id, span_id = message.trace_id, message.span_id
    trace_number = _int(trace_id, "big") if len(trace_id) == _TRACE_ID_BYTES else _id(trace_id, "traceId", 16)
    span_number = _int(span_id, "big") if len(span_id) == _SPAN_ID_BYTES else _id(span_id, "spanId", 8)
    if not trace_number or not span_number:
        raise MalformedError("spanId" if trace_number else "traceId", "is missing or all zeros")
    return span_context(trace_number, span_number, remote, flags)


def _id(value: bytes, name: str, size: int) -> int:
    """Return an id; 0, which is invalid, if there is none."""
    if len(value) == size or not value:
        return int.from_bytes(value, "big")
    raise MalformedError(name, f"has {len(value)} bytes, not {size}")


def _event(
    event: Any,
    index: int,
    parsed: dict[str, Any],
    known: KnownPairs,
    progress: DecodeProgress,
    ignored: list[MalformedError],
) -> DecodedEvent:
    of_event: list[MalformedError] = []
    attributes = known.attributes(event.attributes, parsed, progress, of_event)
    for error in of_event:
        ignore(error.within(f"events[{index}]"), ignored)
    return DecodedEvent(event.name, event.time_unix_nano, attributes)


def _link(link: Span.Link, index: int) -> DecodedLink:
    try:
        return DecodedLink(_context(link, FLAGS[link.flags & 0xFF], remote=is_remote(link.flags)))
    except MalformedError as error:
        raise error.within(f"links[{index}]") from None


def _log_record(
    data: bytes,
    resource: DecodedResource,
    scope: DecodedScope | None,
    known: KnownPairs,
    progress: DecodeProgress,
    ignored: list[MalformedError],
) -> DecodedLogRecord:
    record = LogRecordMessage.FromString(_checked_size(data))
    parsed = dict(map(known.__getitem__, record.attributes))
    logged = DecodedLogData(
        timestamp=record.time_unix_nano or None,
        observed_timestamp=record.observed_time_unix_nano or None,
        trace_id=optional(ignored, 0, _id, record.trace_id, "traceId", _TRACE_ID_BYTES) or None,
        span_id=optional(ignored, 0, _id, record.span_id, "spanId", _SPAN_ID_BYTES) or None,
        trace_flags=FLAGS[record.flags & 0xFF],
        severity_number=SEVERITIES.get(record.severity_number),
        body=optional(ignored, None, value_of, record.body, 0, progress) if record.HasField("body") else None,
        attributes=known.attributes(record.attributes, parsed, progress, ignored),
        event_name=record.event_name or None,
    )
    return DecodedLogRecord(logged, resource, scope)


_LAYOUTS = {
    Signal.TRACES: _Layout(Signal.TRACES, "resourceSpans", "scopeSpans", "spans", _span),
    Signal.LOGS: _Layout(Signal.LOGS, "resourceLogs", "scopeLogs", "logRecords", _log_record),
}
