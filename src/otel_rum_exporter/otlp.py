"""OTLP to the spans and log records that the mapping reads.

Bodies are those of export requests, and the lines that the Collector's file exporter writes. Only what RUM has a place
for is read. A record that is malformed costs only itself, and is reported.
https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from . import protojson
from .decoded import (
    Decoded,
    DecodedEvent,
    DecodedLink,
    DecodedLogData,
    DecodedLogRecord,
    DecodedResource,
    DecodedScope,
    DecodedSpan,
    Fault,
)
from .protojson import MAX_UINT32, MalformedError, Message

T = TypeVar("T")

MAX_VALUE_DEPTH = 32
"""Lists and maps within one another in a value. Parsers of protobuf end at 100 messages, of which each takes 2 or 3."""

_REMOTE = 0x100 | 0x200
"""Of `flags`: that it is known whether the parent is remote, and that it is.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""

_KINDS = dict(enumerate((SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER), 2))
"""All but INTERNAL, which those that are not specified may be taken for."""

_STATUS_CODES = dict(enumerate((StatusCode.UNSET, StatusCode.OK, StatusCode.ERROR)))
_SEVERITIES = {severity.value: severity for severity in SeverityNumber if severity.value}

_KIND_NAMES = {"SPAN_KIND_UNSPECIFIED": 0, "SPAN_KIND_INTERNAL": 1} | {
    f"SPAN_KIND_{kind.name}": number for number, kind in _KINDS.items()
}
_STATUS_CODE_NAMES = {f"STATUS_CODE_{code.name}": number for number, code in _STATUS_CODES.items()}
_SEVERITY_NAMES = {f"SEVERITY_NUMBER_{severity.name}": severity.value for severity in SeverityNumber}


class OtlpError(ValueError):
    """What was given is no OTLP at all."""


def decode_json(body: bytes | str) -> Decoded:
    """Decode the JSON body of an export request, of spans or of log records.

    Raises:
        OtlpError: where it is not JSON, or not an object with anything of OTLP in it.
    """
    try:
        fields = protojson.message(protojson.parse(body))
    except MalformedError as fault:
        raise OtlpError(f"JSON, but not OTLP: it {fault.reason}") from None
    except ValueError as error:
        raise OtlpError(f"not JSON: {error}") from None
    if fields and fields.keys().isdisjoint((*_BLOCKS, *_NOT_FOR_RUM)):
        raise OtlpError(f"JSON, but not OTLP: it has neither {' nor '.join(_BLOCKS)}")
    faults = [Fault(name, "is not for RUM: only spans and log records are") for name in _NOT_FOR_RUM if name in fields]
    return Decoded(tuple(_records(fields, faults)), tuple(faults))


def decode_json_file(content: bytes) -> Decoded:
    """Decode a file that is one body, or has one on each line, as the Collector's file exporter writes it.

    Raises:
        OtlpError: where neither the whole nor any line of it is OTLP.
    """
    try:
        return decode_json(content)
    except OtlpError as error:
        whole = error
    bodies: list[Decoded] = []
    faults: list[Fault] = []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            body = decode_json(line) if line.strip() else None
        except OtlpError as error:
            faults.append(Fault(f"line {number}", f"is {error}"))
            continue
        if body is not None:
            bodies.append(body)
            faults.extend(Fault(f"line {number}: {fault.path}", fault.reason) for fault in body.faults)
    if not bodies:
        raise OtlpError(f"{whole}; nor is it OTLP line by line: {faults[0]}" if len(faults) > 1 else str(whole))
    return Decoded(tuple(record for body in bodies for record in body.records), tuple(faults))


def _records(fields: Message, faults: list[Fault]) -> Iterator[DecodedSpan | DecodedLogRecord]:
    """Yield the records of a body, and add what is malformed to the faults."""
    for blocks, (scopes, records, read) in _BLOCKS.items():
        for path, block, resource in _sound(fields, blocks, "", _resource, faults):
            for inner, scoped, scope in _sound(block, scopes, path, _scope, faults):
                record = partial(read, resource=resource, scope=scope)
                for _, _, made in _sound(scoped, records, inner, record, faults):
                    yield made


def _sound(
    fields: Message, name: str, path: str, read: Callable[[Message], T], faults: list[Fault]
) -> Iterator[tuple[str, Message, T]]:
    """Yield path, message and what `read` makes of it, of each member of a repeated field that is not malformed."""
    try:
        members = protojson.items(fields, name)
    except MalformedError as fault:
        faults.append(Fault(path + fault.path, fault.reason))
        return
    for index, member in enumerate(members):
        try:
            inner = protojson.message(member)
            made = read(inner)
        except MalformedError as fault:
            fault = fault.within(f"{path}{name}[{index}]")
            faults.append(Fault(fault.path, fault.reason))
            continue
        yield f"{path}{name}[{index}].", inner, made


def _resource(block: Message) -> DecodedResource:
    return DecodedResource(protojson.submessage(block, "resource", _attributes) or {})


def _scope(block: Message) -> DecodedScope | None:
    def read(scope: Message) -> DecodedScope:
        return DecodedScope(protojson.text(scope, "name"), protojson.text(scope, "version") or None)

    return protojson.submessage(block, "scope", read)


def _span(span: Message, *, resource: DecodedResource, scope: DecodedScope | None) -> DecodedSpan:
    flags = protojson.integer(span, "flags", high=MAX_UINT32)
    context = _context(span, flags, is_remote=False)
    parent_id = protojson.hex_id(span, "parentSpanId", 16)
    return DecodedSpan(
        name=protojson.text(span, "name"),
        kind=_KINDS.get(protojson.enum(span, "kind", _KIND_NAMES), SpanKind.INTERNAL),
        context=context,
        parent=SpanContext(context.trace_id, parent_id, is_remote=_is_remote(flags)) if parent_id else None,
        start_time=protojson.integer(span, "startTimeUnixNano"),
        end_time=protojson.integer(span, "endTimeUnixNano"),
        status=protojson.submessage(span, "status", _status) or Status(),
        attributes=_attributes(span),
        events=protojson.each(span, "events", _event),
        links=protojson.each(span, "links", _link),
        resource=resource,
        instrumentation_scope=scope,
        dropped_attributes=protojson.integer(span, "droppedAttributesCount", high=MAX_UINT32),
        dropped_events=protojson.integer(span, "droppedEventsCount", high=MAX_UINT32),
        dropped_links=protojson.integer(span, "droppedLinksCount", high=MAX_UINT32),
    )


def _context(fields: Message, flags: int, *, is_remote: bool) -> SpanContext:
    trace_id = protojson.hex_id(fields, "traceId", 32)
    span_id = protojson.hex_id(fields, "spanId", 16)
    for name, value in (("traceId", trace_id), ("spanId", span_id)):
        if not value:
            raise MalformedError(name, "is missing or all zeros")
    return SpanContext(trace_id, span_id, is_remote=is_remote, trace_flags=TraceFlags(flags & 0xFF))


def _is_remote(flags: int) -> bool:
    return flags & _REMOTE == _REMOTE


def _status(fields: Message) -> Status:
    """Return a status; only errors have a description in the SDK, which warns of others."""
    code = _STATUS_CODES.get(protojson.enum(fields, "code", _STATUS_CODE_NAMES), StatusCode.UNSET)
    told = protojson.text(fields, "message") or None
    return Status(code, told if code is StatusCode.ERROR else None)


def _event(event: Message) -> DecodedEvent:
    name, time_ns = protojson.text(event, "name"), protojson.integer(event, "timeUnixNano")
    return DecodedEvent(name, time_ns, _attributes(event))


def _link(link: Message) -> DecodedLink:
    flags = protojson.integer(link, "flags", high=MAX_UINT32)
    return DecodedLink(_context(link, flags, is_remote=_is_remote(flags)))


def _log_record(record: Message, *, resource: DecodedResource, scope: DecodedScope | None) -> DecodedLogRecord:
    data = DecodedLogData(
        timestamp=protojson.integer(record, "timeUnixNano") or None,
        observed_timestamp=protojson.integer(record, "observedTimeUnixNano") or None,
        trace_id=protojson.hex_id(record, "traceId", 32) or None,
        span_id=protojson.hex_id(record, "spanId", 16) or None,
        trace_flags=TraceFlags(protojson.integer(record, "flags") & 0xFF) if "flags" in record else None,
        severity_number=_SEVERITIES.get(protojson.enum(record, "severityNumber", _SEVERITY_NAMES)),
        body=protojson.submessage(record, "body", _any_value),
        attributes=_attributes(record),
        event_name=protojson.text(record, "eventName") or None,
    )
    return DecodedLogRecord(data, resource, scope)


def _attributes(fields: Message, name: str = "attributes", depth: int = 0) -> dict[str, Any]:
    def pair(member: Message) -> tuple[str, Any]:
        return protojson.text(member, "key"), protojson.submessage(member, "value", partial(_any_value, depth=depth))

    return dict(protojson.each(fields, name, pair))


def _any_value(value: Message, depth: int = 0) -> Any:
    """Return the value in an AnyValue: None where it is empty, or of a kind that is not known."""
    if depth > MAX_VALUE_DEPTH:
        raise MalformedError("", f"is nested more than {MAX_VALUE_DEPTH} deep")
    for kind, read in _SCALARS.items():
        if value.get(kind) is not None:
            return read(value, kind)
    member = partial(_any_value, depth=depth + 1)
    array = protojson.submessage(value, "arrayValue", lambda array: protojson.each(array, "values", member))
    if array is not None:
        return array
    return protojson.submessage(value, "kvlistValue", lambda fields: _attributes(fields, "values", depth + 1))


_SCALARS: dict[str, Callable[[Message, str], Any]] = {
    "stringValue": protojson.text,
    "boolValue": protojson.truth,
    "intValue": partial(protojson.integer, low=-(2**63), high=2**63 - 1),
    "doubleValue": protojson.number,
    "bytesValue": protojson.data,
}

_BLOCKS: dict[str, tuple[str, str, Callable[..., DecodedSpan | DecodedLogRecord]]] = {
    "resourceSpans": ("scopeSpans", "spans", _span),
    "resourceLogs": ("scopeLogs", "logRecords", _log_record),
}
"""Blocks of a resource; in them blocks of a scope; in them records, and what reads one."""

_NOT_FOR_RUM = ("resourceMetrics", "resourceProfiles")
