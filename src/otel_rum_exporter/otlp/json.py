"""OTLP in JSON to spans and log records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import SpanContext, SpanKind, Status, TraceFlags

from . import proto_json
from .model import (
    KINDS,
    MAX_VALUE_DEPTH,
    SEVERITIES,
    STATUS_CODES,
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
from .proto_json import MAX_UINT32, Message

T = TypeVar("T")

_KIND_NAMES = {"SPAN_KIND_UNSPECIFIED": 0, "SPAN_KIND_INTERNAL": 1} | {
    f"SPAN_KIND_{kind.name}": number for number, kind in KINDS.items()
}
_STATUS_CODE_NAMES = {f"STATUS_CODE_{code.name}": number for number, code in STATUS_CODES.items()}
_SEVERITY_NAMES = {f"SEVERITY_NUMBER_{severity.name}": severity.value for severity in SeverityNumber}


def decode_json(body: bytes | str, signal: Signal | None = None, max_records: int | None = None) -> Decoded:
    """Decode the JSON body of an export request; without a signal, whatever it contains.

    Raises:
        OtlpError: where it is not JSON, or not an object with anything of OTLP in it; where a signal is given, an
            object without anything of it is an empty request.
        TooManyRecordsError: where it holds more than `max_records`.
    """
    try:
        fields = proto_json.message(proto_json.parse(body))
    except MalformedError as fault:
        raise OtlpError(f"JSON, but not OTLP: it {fault.reason}") from None
    except ValueError as error:
        raise OtlpError(f"not JSON: {error}") from None
    faults = Faults(max_records)
    if signal is None:
        if fields and fields.keys().isdisjoint((*_BLOCKS, *_NOT_FOR_RUM)):
            raise OtlpError(f"JSON, but not OTLP: it has neither {' nor '.join(_BLOCKS)}")
        for name in _NOT_FOR_RUM:
            if name in fields:
                faults.add(Fault(name, "is not for RUM: only spans and log records are"), 0)
    names = _BLOCKS if signal is None else (_SIGNAL_BLOCKS[signal],)
    records = tuple(record for name in names for record in _records(fields, name, faults))
    return Decoded(records, faults.first, faults.rejected)


def _records(fields: Message, blocks: str, faults: Faults) -> Iterator[DecodedSpan | DecodedLogRecord]:
    """Yield the records of a body, and add faults."""
    scopes, records, read = _BLOCKS[blocks]
    for path, block, resource in _sound(fields, blocks, "", _resource, faults, (scopes, records)):
        for inner, scoped, scope in _sound(block, scopes, path, _scope, faults, (records,)):
            record = partial(read, resource=resource, scope=scope)
            for _, _, made in _sound(scoped, records, inner, record, faults, ()):
                yield made


def _sound(
    fields: Message, name: str, path: str, read: Callable[[Message], T], faults: Faults, below: tuple[str, ...]
) -> Iterator[tuple[str, Message, T]]:
    """Yield path, message and the result of `read` for each valid member of a repeated field.

    `below` names the repeated fields from a member down to its records, to count those that are lost with it.
    """
    try:
        members = proto_json.items(fields, name)
    except MalformedError as fault:
        faults.add(Fault(path + fault.path, fault.reason))
        return
    for index, member in enumerate(members):
        faults.count()
        try:
            inner = proto_json.message(member)
            made = read(inner)
        except MalformedError as fault:
            fault = fault.within(f"{path}{name}[{index}]")
            faults.add(Fault(fault.path, fault.reason), _number(member, below))
            continue
        yield f"{path}{name}[{index}].", inner, made


def _number(member: Any, below: tuple[str, ...]) -> int:
    """Return the number of records in a member, as far as they can be counted."""
    if not below:
        return 1
    inner = member.get(below[0]) if isinstance(member, dict) else None
    return sum(_number(one, below[1:]) for one in inner) if isinstance(inner, list) else 0


def _resource(block: Message) -> DecodedResource:
    return DecodedResource(proto_json.submessage(block, "resource", _attributes) or {})


def _scope(block: Message) -> DecodedScope | None:
    def read(scope: Message) -> DecodedScope:
        return DecodedScope(proto_json.text(scope, "name"), proto_json.text(scope, "version") or None)

    return proto_json.submessage(block, "scope", read)


def _span(span: Message, *, resource: DecodedResource, scope: DecodedScope | None) -> DecodedSpan:
    flags = proto_json.integer(span, "flags", high=MAX_UINT32)
    context = _context(span, flags, remote=False)
    parent_id = proto_json.hex_id(span, "parentSpanId", 16)
    return DecodedSpan(
        name=proto_json.text(span, "name"),
        kind=KINDS.get(proto_json.enum(span, "kind", _KIND_NAMES), SpanKind.INTERNAL),
        context=context,
        parent=SpanContext(context.trace_id, parent_id, is_remote=is_remote(flags)) if parent_id else None,
        start_time=proto_json.integer(span, "startTimeUnixNano"),
        end_time=proto_json.integer(span, "endTimeUnixNano"),
        status=proto_json.submessage(span, "status", _status) or UNSET,
        attributes=_attributes(span),
        events=proto_json.each(span, "events", _event),
        links=proto_json.each(span, "links", _link),
        resource=resource,
        instrumentation_scope=scope,
        dropped_attributes=proto_json.integer(span, "droppedAttributesCount", high=MAX_UINT32),
        dropped_events=proto_json.integer(span, "droppedEventsCount", high=MAX_UINT32),
        dropped_links=proto_json.integer(span, "droppedLinksCount", high=MAX_UINT32),
    )


def _context(fields: Message, flags: int, *, remote: bool) -> SpanContext:
    trace_id = proto_json.hex_id(fields, "traceId", 32)
    span_id = proto_json.hex_id(fields, "spanId", 16)
    for name, value in (("traceId", trace_id), ("spanId", span_id)):
        if not value:
            raise MalformedError(name, "is missing or all zeros")
    return SpanContext(trace_id, span_id, is_remote=remote, trace_flags=TraceFlags(flags & 0xFF))


def _status(fields: Message) -> Status:
    return status(proto_json.enum(fields, "code", _STATUS_CODE_NAMES), proto_json.text(fields, "message"))


def _event(event: Message) -> DecodedEvent:
    name, time_ns = proto_json.text(event, "name"), proto_json.integer(event, "timeUnixNano")
    return DecodedEvent(name, time_ns, _attributes(event))


def _link(link: Message) -> DecodedLink:
    flags = proto_json.integer(link, "flags", high=MAX_UINT32)
    return DecodedLink(_context(link, flags, remote=is_remote(flags)))


def _log_record(record: Message, *, resource: DecodedResource, scope: DecodedScope | None) -> DecodedLogRecord:
    data = DecodedLogData(
        timestamp=proto_json.integer(record, "timeUnixNano") or None,
        observed_timestamp=proto_json.integer(record, "observedTimeUnixNano") or None,
        trace_id=proto_json.hex_id(record, "traceId", 32) or None,
        span_id=proto_json.hex_id(record, "spanId", 16) or None,
        trace_flags=TraceFlags(proto_json.integer(record, "flags") & 0xFF) if "flags" in record else None,
        severity_number=SEVERITIES.get(proto_json.enum(record, "severityNumber", _SEVERITY_NAMES)),
        body=proto_json.submessage(record, "body", _any_value),
        attributes=_attributes(record),
        event_name=proto_json.text(record, "eventName") or None,
    )
    return DecodedLogRecord(data, resource, scope)


def _attributes(fields: Message, name: str = "attributes", depth: int = 0) -> dict[str, Any]:
    def pair(member: Message) -> tuple[str, Any]:
        key, value = member.get("key"), member.get("value")
        if type(key) is str and type(value) is dict and depth <= MAX_VALUE_DEPTH:
            # Nearly all values are texts; this shortcut halves their time.
            text = value.get("stringValue")
            if type(text) is str:
                return key, text
        return proto_json.text(member, "key"), proto_json.submessage(member, "value", partial(_any_value, depth=depth))

    return dict(proto_json.each(fields, name, pair))


def _any_value(value: Message, depth: int = 0) -> Any:
    """Return the value of an AnyValue; None if it is empty or of an unknown kind."""
    if depth > MAX_VALUE_DEPTH:
        raise MalformedError("", f"is nested more than {MAX_VALUE_DEPTH} deep")
    for kind, read in _SCALARS.items():
        if value.get(kind) is not None:
            return read(value, kind)
    member = partial(_any_value, depth=depth + 1)
    array = proto_json.submessage(value, "arrayValue", lambda array: proto_json.each(array, "values", member))
    if array is not None:
        return array
    return proto_json.submessage(value, "kvlistValue", lambda fields: _attributes(fields, "values", depth + 1))


_SCALARS: dict[str, Callable[[Message, str], Any]] = {
    "stringValue": proto_json.text,
    "boolValue": proto_json.truth,
    "intValue": partial(proto_json.integer, low=-(2**63), high=2**63 - 1),
    "doubleValue": proto_json.number,
    "bytesValue": proto_json.data,
}

_BLOCKS: dict[str, tuple[str, str, Callable[..., DecodedSpan | DecodedLogRecord]]] = {
    "resourceSpans": ("scopeSpans", "spans", _span),
    "resourceLogs": ("scopeLogs", "logRecords", _log_record),
}
"""Names of resource blocks, scope blocks and records, and the function that reads a record."""

_SIGNAL_BLOCKS = {Signal.TRACES: "resourceSpans", Signal.LOGS: "resourceLogs"}
_NOT_FOR_RUM = ("resourceMetrics", "resourceProfiles")
