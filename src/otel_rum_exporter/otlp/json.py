"""The decoder of OTLP in JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import SpanContext, SpanKind, Status, TraceFlags

from . import proto_json, spelling
from .model import (
    KINDS,
    MAX_VALUE_DEPTH,
    SEVERITIES,
    STATUS_CODES,
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
    TooManyRecordsError,
    is_remote,
    status,
)
from .proto_json import MAX_UINT32, Message, optional

T = TypeVar("T")
Ignored = list[MalformedError]

MAX_JSON_VALUES = 4_000_000
"""Most lists, objects and their members, if the records are limited; in memory each takes more than its JSON."""

_MAX_NAME_CHARS = 60

_KIND_NAMES = {"SPAN_KIND_UNSPECIFIED": 0, "SPAN_KIND_INTERNAL": 1} | {
    name: number for number, kind in KINDS.items() for name in (f"SPAN_KIND_{kind.name}", kind.name)
}
_STATUS_CODE_NAMES = {
    name: number for number, code in STATUS_CODES.items() for name in (f"STATUS_CODE_{code.name}", code.name)
}
_SEVERITY_NAMES = {f"SEVERITY_NUMBER_{severity.name}": severity.value for severity in SeverityNumber}


def decode_json(body: bytes | str, signal: Signal | None = None, max_records: int | None = None) -> DecodeResult:
    """Decode the JSON body of an export request: the spans and log records that it contains.

    Raises:
        OtlpError: if it is not JSON, or not an object with a field of OTLP. With a signal, an object without such a
            field is an empty request with a failure.
        TooManyRecordsError: if it has more than `max_records`.
    """
    if max_records is not None:
        _check_values(body)
    try:
        fields = spelling.request(proto_json.parse(body), body)
    except MalformedError as error:
        raise OtlpError(f"JSON, but not OTLP: it {error.reason}") from None
    except ValueError as error:
        raise OtlpError(f"not JSON: {error}") from None
    progress = DecodeProgress(max_records)
    if fields and fields.keys().isdisjoint((*_BLOCKS, *_NOT_FOR_RUM)):
        if signal is None:
            raise OtlpError(f"JSON, but not OTLP: it has neither {' nor '.join(_BLOCKS)}")
        unknown = min(map(str, fields))[:_MAX_NAME_CHARS]
        progress.add_failure(DecodeFailure(unknown, f"is not read: OTLP has {_SIGNAL_BLOCKS[signal]} here"), 0)
    for name in _NOT_FOR_RUM:
        if name in fields:
            progress.add_failure(DecodeFailure(name, "is not for RUM: only spans and log records are"), 0)
    # Both signals are read, whatever the path of the request: a member names its signal.
    return progress.result([record for name in _BLOCKS for record in _records(fields, name, progress)])


def _check_values(body: bytes | str) -> None:
    text = body.encode(errors="replace") if isinstance(body, str) else body
    if sum(map(text.count, (b"{", b"[", b","))) > MAX_JSON_VALUES:
        raise TooManyRecordsError(f"more than {MAX_JSON_VALUES} values; send them in several requests")


def _records(fields: Message, blocks: str, progress: DecodeProgress) -> Iterator[DecodedSpan | DecodedLogRecord]:
    """Yield the records of a body, and add failures to the progress."""
    scopes, records, read = _BLOCKS[blocks]
    for path, block, resource in _valid_members(fields, blocks, "", _resource, progress, (scopes, records)):
        for inner, scoped, scope in _valid_members(block, scopes, path, _scope, progress, (records,)):
            record = partial(read, resource=resource, scope=scope)
            for _, _, decoded in _valid_members(scoped, records, inner, record, progress, ()):
                yield decoded


def _valid_members(
    fields: Message,
    name: str,
    path: str,
    read: Callable[[Message, Ignored], T],
    progress: DecodeProgress,
    below: tuple[str, ...],
) -> Iterator[tuple[str, Message, T]]:
    """Yield path, message and the result of `read` for each valid member of a repeated field.

    `below` names the repeated fields between a member and its records, to count the records of a rejected member.
    """
    try:
        members = proto_json.items(fields, name)
    except MalformedError as error:
        progress.add_failure(DecodeFailure(path + error.path, error.reason))
        return
    for index, member in enumerate(members):
        progress.count_record()
        here = f"{path}{name}[{index}]"
        ignored: Ignored = []
        try:
            inner = proto_json.message(member)
            if "events" in inner or "links" in inner:
                progress.count_events(_items(inner, "events"), _items(inner, "links"))
            decoded = read(inner, ignored)
        except MalformedError as error:
            error = error.within(here)
            progress.add_failure(DecodeFailure(error.path, error.reason), _record_count(member, below))
            continue
        for part in ignored:
            progress.add_failure(DecodeFailure(f"{here}.{part.path}", f"{part.reason}; it is ignored"), 0)
        if below and below[0] not in inner and (unknown := _unknown_lists(inner)):
            progress.add_failure(DecodeFailure(f"{here}.{unknown}", f"is not read: OTLP has {below[0]} here"), 0)
        yield f"{here}.", inner, decoded


def _unknown_lists(block: Message) -> str | None:
    """Return the name of a list that OTLP does not have here; None if there is none."""
    return next((name for name, value in block.items() if isinstance(value, list) and value), None)


def _record_count(member: Any, below: tuple[str, ...]) -> int:
    """Return the number of records in a member, as far as they can be counted."""
    if not below:
        return 1
    inner = member.get(below[0]) if isinstance(member, dict) else None
    return sum(_record_count(one, below[1:]) for one in inner) if isinstance(inner, list) else 0


def _resource(block: Message, ignored: Ignored) -> DecodedResource:
    """Return the resource. A malformed attribute is ignored; without all of them the app monitor is unknown."""
    malformed: Ignored = []
    proto_json.submessage(block, "resource", partial(proto_json.items, name="attributes"))
    attributes = proto_json.submessage(block, "resource", partial(_attributes, ignored=malformed))
    ignored += [error.within("resource") for error in malformed]
    return DecodedResource(attributes or {})


def _scope(block: Message, ignored: Ignored) -> DecodedScope | None:
    def read(scope: Message) -> DecodedScope:
        return DecodedScope(proto_json.text(scope, "name"), proto_json.text(scope, "version") or None)

    return optional(ignored, None, proto_json.submessage, block, "scope", read)


def _span(span: Message, ignored: Ignored, *, resource: DecodedResource, scope: DecodedScope | None) -> DecodedSpan:
    flags = optional(ignored, 0, proto_json.integer, span, "flags", high=MAX_UINT32)
    context = _context(span, flags, remote=False)
    parent_id = optional(ignored, 0, proto_json.hex_id, span, "parentSpanId", 16)
    known = len(ignored)
    attributes = _attributes(span, ignored=ignored)
    lost_attributes, known = len(ignored) - known, len(ignored)
    events = proto_json.each(span, "events", partial(_event, ignored), ignored)
    lost_events, known = len(_items(span, "events")) - len(events), len(ignored)
    links = proto_json.each(span, "links", partial(_link, ignored), ignored)
    return DecodedSpan(
        name=optional(ignored, "", proto_json.text, span, "name"),
        kind=KINDS.get(optional(ignored, 0, proto_json.enum, span, "kind", _KIND_NAMES), SpanKind.INTERNAL),
        context=context,
        parent=SpanContext(context.trace_id, parent_id, is_remote=is_remote(flags)) if parent_id else None,
        start_time=optional(ignored, 0, proto_json.time_ns, span, "startTimeUnixNano"),
        end_time=optional(ignored, 0, proto_json.time_ns, span, "endTimeUnixNano"),
        status=optional(ignored, None, proto_json.submessage, span, "status", _status) or UNSET,
        attributes=attributes,
        events=events,
        links=links,
        resource=resource,
        instrumentation_scope=scope,
        dropped_attributes=_dropped(ignored, span, "droppedAttributesCount") + lost_attributes,
        dropped_events=_dropped(ignored, span, "droppedEventsCount") + lost_events,
        dropped_links=_dropped(ignored, span, "droppedLinksCount") + len(_items(span, "links")) - len(links),
    )


def _dropped(ignored: Ignored, span: Message, name: str) -> int:
    return optional(ignored, 0, proto_json.integer, span, name, high=MAX_UINT32)


def _items(span: Message, name: str) -> list[Any]:
    value = span.get(name)
    return value if isinstance(value, list) else []


def _context(fields: Message, flags: int, *, remote: bool) -> SpanContext:
    trace_id = proto_json.hex_id(fields, "traceId", 32)
    span_id = proto_json.hex_id(fields, "spanId", 16)
    for name, value in (("traceId", trace_id), ("spanId", span_id)):
        if not value:
            raise MalformedError(name, "is missing or all zeros")
    return SpanContext(trace_id, span_id, is_remote=remote, trace_flags=TraceFlags(flags & 0xFF))


def _status(fields: Message) -> Status:
    return status(proto_json.enum(fields, "code", _STATUS_CODE_NAMES), proto_json.text(fields, "message"))


def _event(ignored: Ignored, event: Message) -> DecodedEvent:
    name = optional(ignored, "", proto_json.text, event, "name")
    time_ns = optional(ignored, 0, proto_json.time_ns, event, "timeUnixNano")
    return DecodedEvent(name, time_ns, _attributes(event, ignored=ignored))


def _link(ignored: Ignored, link: Message) -> DecodedLink:
    flags = optional(ignored, 0, proto_json.integer, link, "flags", high=MAX_UINT32)
    return DecodedLink(_context(link, flags, remote=is_remote(flags)))


def _log_record(
    record: Message, ignored: Ignored, *, resource: DecodedResource, scope: DecodedScope | None
) -> DecodedLogRecord:
    flags = optional(ignored, 0, proto_json.integer, record, "flags")
    data = DecodedLogData(
        timestamp=optional(ignored, 0, proto_json.time_ns, record, "timeUnixNano") or None,
        observed_timestamp=optional(ignored, 0, proto_json.time_ns, record, "observedTimeUnixNano") or None,
        trace_id=optional(ignored, 0, proto_json.hex_id, record, "traceId", 32) or None,
        span_id=optional(ignored, 0, proto_json.hex_id, record, "spanId", 16) or None,
        trace_flags=TraceFlags(flags & 0xFF) if "flags" in record else None,
        severity_number=SEVERITIES.get(
            optional(ignored, 0, proto_json.enum, record, "severityNumber", _SEVERITY_NAMES)
        ),
        body=optional(ignored, None, proto_json.submessage, record, "body", _any_value),
        attributes=_attributes(record, ignored=ignored),
        event_name=optional(ignored, "", proto_json.text, record, "eventName") or None,
    )
    return DecodedLogRecord(data, resource, scope)


def _attributes(
    fields: Message, name: str = "attributes", depth: int = 0, ignored: Ignored | None = None
) -> dict[str, Any]:
    def pair(member: Message) -> tuple[str, Any]:
        key, value = member.get("key"), member.get("value")
        if type(key) is str and type(value) is dict and depth <= MAX_VALUE_DEPTH:
            # Nearly all values are strings. This branch reads them in half the time.
            text = value.get("stringValue")
            if type(text) is str:
                return key, text
        found = proto_json.submessage(member, "value", partial(_any_value, depth=depth))
        if "key" not in member:
            raise MalformedError("key", "is missing")
        return proto_json.text(member, "key"), found

    return dict(proto_json.each(fields, name, pair, ignored))


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
    if value and value.keys().isdisjoint(_KINDS):
        raise MalformedError("", f"has {min(map(str, value))[:_MAX_NAME_CHARS]!r}, and none of OTLP's kinds of values")
    return proto_json.submessage(value, "kvlistValue", lambda fields: _attributes(fields, "values", depth + 1))


_SCALARS: dict[str, Callable[[Message, str], Any]] = {
    "stringValue": proto_json.text,
    "boolValue": proto_json.truth,
    "intValue": proto_json.numeric,
    "doubleValue": proto_json.number,
    "bytesValue": proto_json.data,
}

_KINDS = frozenset((*_SCALARS, "arrayValue", "kvlistValue"))

_BLOCKS: dict[str, tuple[str, str, Callable[..., DecodedSpan | DecodedLogRecord]]] = {
    "resourceSpans": ("scopeSpans", "spans", _span),
    "resourceLogs": ("scopeLogs", "logRecords", _log_record),
}
"""Names of resource blocks, scope blocks and records, and the function that reads a record."""

_SIGNAL_BLOCKS = {Signal.TRACES: "resourceSpans", Signal.LOGS: "resourceLogs"}
_NOT_FOR_RUM = ("resourceMetrics", "resourceProfiles")
