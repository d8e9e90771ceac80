"""OTLP in protobuf to spans and log records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.trace import SpanContext, SpanKind

from .model import (
    FLAGS,
    KINDS,
    MAX_VALUE_DEPTH,
    SEVERITIES,
    UNSET,
    Decoded,
    DecodedEvent,
    DecodedLink,
    DecodedLogData,
    DecodedLogRecord,
    DecodedResource,
    DecodedScope,
    DecodedSpan,
    Fault,
    Faults,
    MalformedError,
    OtlpError,
    Signal,
    is_remote,
    status,
)
from .proto_wire import WireError, fields_of

MAX_RECORD_BYTES = 256 * 1024
"""Largest span, log record, resource or scope that is read; RUM's events have 6 KB."""

_SHARED_BYTES = 8192
"""Largest cached resource, so that the requests of one client share it."""

_TRACE_ID_BYTES, _SPAN_ID_BYTES = 16, 8
_NO_PARENT = (b"", bytes(_SPAN_ID_BYTES))


def decode_protobuf(body: bytes, signal: Signal, max_records: int | None = None) -> Decoded:
    """Decode the protobuf body of an export request.

    Raises:
        OtlpError: where it is no such message.
        TooManyRecordsError: where it holds more than `max_records`.
    """
    faults = Faults(max_records)
    try:
        return Decoded(tuple(_records(body, _LAYOUTS[signal], faults)), faults.first, faults.rejected)
    except WireError as error:
        raise OtlpError(f"not OTLP in protobuf: {error}") from None


class _Layout(NamedTuple):
    """Names of a signal's repeated fields, from the outside in, and the function that reads a record."""

    blocks: str
    scopes: str
    records: str
    read: Callable[[bytes, DecodedResource, DecodedScope | None, Faults], DecodedSpan | DecodedLogRecord]


def _records(body: bytes, layout: _Layout, faults: Faults) -> Iterator[DecodedSpan | DecodedLogRecord]:
    """Yield the records of a body, and add faults."""
    for index, (number, start, end) in enumerate(fields_of(body, 0, len(body))):
        faults.count()
        if number != 1:
            continue
        path = f"{layout.blocks}[{index}]"
        heads, blocks = _split(body, start, end, faults)
        try:
            resource = _resource(heads, faults)
        except (DecodeError, MalformedError) as error:
            records = sum(len(_split(body, *block, faults)[1]) for block in blocks)
            faults.add(_fault(error, f"{path}.resource"), records)
            continue
        for inner, block in enumerate(blocks):
            yield from _scope_records(body, block, f"{path}.{layout.scopes}[{inner}]", resource, layout, faults)


def _scope_records(
    body: bytes, block: tuple[int, int], path: str, resource: DecodedResource, layout: _Layout, faults: Faults
) -> Iterator[DecodedSpan | DecodedLogRecord]:
    heads, records = _split(body, *block, faults)
    try:
        scope = _scope(heads) if heads else None
    except (DecodeError, MalformedError) as error:
        faults.add(_fault(error, f"{path}.scope"), len(records))
        return
    for index, (start, end) in enumerate(records):
        try:
            yield layout.read(body[start:end], resource, scope, faults)
        except (DecodeError, MalformedError) as error:
            faults.add(_fault(error, f"{path}.{layout.records}[{index}]"))


def _split(body: bytes, start: int, end: int, faults: Faults) -> tuple[bytes, list[tuple[int, int]]]:
    """Return the head of a block (field 1) and the positions of its members (fields 2).

    Heads that are there twice are merged, which is what parsing them in a row does.
    """
    heads, places = [], []
    for number, first, last in fields_of(body, start, end):
        faults.count()
        if number == 1:
            heads.append(body[first:last])
        elif number == 2:
            places.append((first, last))
    return b"".join(heads), places


def _sized(data: bytes) -> bytes:
    if len(data) > MAX_RECORD_BYTES:
        raise MalformedError("", f"has {len(data)} bytes; at most {MAX_RECORD_BYTES} are read")
    return data


def _fault(error: Exception, path: str) -> Fault:
    if isinstance(error, MalformedError):
        error = error.within(path)
        return Fault(error.path, error.reason)
    return Fault(path, "is malformed protobuf")


def _resource(head: bytes, faults: Faults) -> DecodedResource:
    if len(head) <= _SHARED_BYTES:
        return _shared_resource(head)
    return DecodedResource(_attributes(Resource.FromString(_sized(head)).attributes, faults))


@lru_cache(maxsize=1024)
def _shared_resource(head: bytes) -> DecodedResource:
    return DecodedResource(_attributes(Resource.FromString(head).attributes, Faults()))


def _scope(head: bytes) -> DecodedScope:
    scope = InstrumentationScope.FromString(_sized(head))
    return DecodedScope(scope.name, scope.version or None)


def _span(data: bytes, resource: DecodedResource, scope: DecodedScope | None, faults: Faults) -> DecodedSpan:
    span = Span.FromString(_sized(data))
    faults.weigh(len(span.events) + len(span.links))
    flags, parent_id = span.flags, span.parent_span_id
    context = _context(span, flags, remote=False)
    if parent_id in _NO_PARENT:
        parent = None
    else:
        parent = SpanContext(context.trace_id, _id(parent_id, "parentSpanId", _SPAN_ID_BYTES), is_remote(flags))
    return DecodedSpan(
        span.name,
        KINDS.get(span.kind, SpanKind.INTERNAL),
        context,
        parent,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        status(span.status.code, span.status.message) if span.HasField("status") else UNSET,
        _attributes(span.attributes, faults),
        tuple(_event(event, index, faults) for index, event in enumerate(span.events)) if span.events else (),
        tuple(_link(link, index) for index, link in enumerate(span.links)) if span.links else (),
        resource,
        scope,
        span.dropped_attributes_count,
        span.dropped_events_count,
        span.dropped_links_count,
    )


def _context(message: Span | Span.Link, flags: int, *, remote: bool) -> SpanContext:
    trace_id = _id(message.trace_id, "traceId", _TRACE_ID_BYTES)
    span_id = _id(message.span_id, "spanId", _SPAN_ID_BYTES)
    if not trace_id or not span_id:
        raise MalformedError("spanId" if trace_id else "traceId", "is missing or all zeros")
    return SpanContext(trace_id, span_id, remote, FLAGS[flags & 0xFF])


def _id(value: bytes, name: str, size: int) -> int:
    """Return an id; 0, which is invalid, if there is none."""
    if len(value) == size or not value:
        return int.from_bytes(value, "big")
    raise MalformedError(name, f"has {len(value)} bytes, not {size}")


def _event(event: Span.Event, index: int, faults: Faults) -> DecodedEvent:
    try:
        return DecodedEvent(event.name, event.time_unix_nano, _attributes(event.attributes, faults))
    except MalformedError as fault:
        raise fault.within(f"events[{index}]") from None


def _link(link: Span.Link, index: int) -> DecodedLink:
    try:
        return DecodedLink(_context(link, link.flags, remote=is_remote(link.flags)))
    except MalformedError as fault:
        raise fault.within(f"links[{index}]") from None


def _log_record(data: bytes, resource: DecodedResource, scope: DecodedScope | None, faults: Faults) -> DecodedLogRecord:
    record = LogRecord.FromString(_sized(data))
    logged = DecodedLogData(
        timestamp=record.time_unix_nano or None,
        observed_timestamp=record.observed_time_unix_nano or None,
        trace_id=_id(record.trace_id, "traceId", _TRACE_ID_BYTES) or None,
        span_id=_id(record.span_id, "spanId", _SPAN_ID_BYTES) or None,
        trace_flags=FLAGS[record.flags & 0xFF],
        severity_number=SEVERITIES.get(record.severity_number),
        body=_value(record.body, 0, faults) if record.HasField("body") else None,
        attributes=_attributes(record.attributes, faults),
        event_name=record.event_name or None,
    )
    return DecodedLogRecord(logged, resource, scope)


def _attributes(pairs: Sequence[KeyValue], faults: Faults, depth: int = 0) -> dict[str, Any]:
    faults.weigh(len(pairs))
    return {pair.key: _value(pair.value, depth, faults) for pair in pairs}


def _value(value: AnyValue, depth: int, faults: Faults) -> Any:
    """Return the value of an AnyValue; None if it is empty or of an unknown kind."""
    kind = value.WhichOneof("value")
    if kind in _SCALARS:
        return getattr(value, kind)
    if depth >= MAX_VALUE_DEPTH:
        raise MalformedError("attributes", f"is nested more than {MAX_VALUE_DEPTH} deep")
    if kind == "array_value":
        members = value.array_value.values
        faults.weigh(len(members))
        return tuple(_value(member, depth + 1, faults) for member in members)
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values, faults, depth + 1)
    return None


_SCALARS = frozenset({"string_value", "bool_value", "int_value", "double_value", "bytes_value"})

_LAYOUTS = {
    Signal.TRACES: _Layout("resourceSpans", "scopeSpans", "spans", _span),
    Signal.LOGS: _Layout("resourceLogs", "scopeLogs", "logRecords", _log_record),
}
