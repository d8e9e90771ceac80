"""The decoder of OTLP in JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import SpanContext, SpanKind, Status

from . import proto_json, spelling
from .json_attributes import MAX_NAME_CHARS, any_value, attributes_of
from .model import (
    FLAGS,
    KINDS,
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
    span_context,
    status,
)
from .proto_json import MAX_UINT32, Message, optional

T = TypeVar("T")
Ignored = list[MalformedError]

MAX_JSON_VALUES = 4_000_000
"""Most lists, objects and their members, if the records are limited; in memory each takes more than its JSON."""

_KIND_NAMES = {"SPAN_KIND_UNSPECIFIED": 0, "SPAN_KIND_INTERNAL": 1} | {
    name: number for number, kind in KINDS.items() for name in (f"SPAN_KIND_{kind.name}", kind.name)
}
_KIND_NUMBERS = frozenset(_KIND_NAMES.values())
_MAX_TIME_CHARS = 19
"""Numbers of that many digits are smaller than 2 to the power of 64."""

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
    if max_records is not None and len(body) > MAX_JSON_VALUES:
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
        unknown = min(map(str, fields))[:MAX_NAME_CHARS]
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
        ignored: Ignored = []
        try:
            inner = proto_json.message(member)
            if "events" in inner or "links" in inner:
                progress.count_events(_items(inner, "events"), _items(inner, "links"))
            decoded = read(inner, ignored)
        except MalformedError as error:
            error = error.within(f"{path}{name}[{index}]")
            progress.add_failure(DecodeFailure(error.path, error.reason), _record_count(member, below))
            continue
        # Of a valid record, the path is not needed.
        here = f"{path}{name}[{index}]." if below or ignored else ""
        for part in ignored:
            progress.add_failure(DecodeFailure(f"{here}{part.path}", f"{part.reason}; it is ignored"), 0)
        if below and below[0] not in inner and (unknown := _unknown_lists(inner)):
            progress.add_failure(DecodeFailure(f"{here}{unknown}", f"is not read: OTLP has {below[0]} here"), 0)
        yield here, inner, decoded


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
    attributes = proto_json.submessage(block, "resource", partial(attributes_of, ignored=malformed))
    ignored += [error.within("resource") for error in malformed]
    return DecodedResource(attributes or {})


def _scope(block: Message, ignored: Ignored) -> DecodedScope | None:
    def read(scope: Message) -> DecodedScope:
        return DecodedScope(proto_json.text(scope, "name"), proto_json.text(scope, "version") or None)

    return optional(ignored, None, proto_json.submessage, block, "scope", read)


def _span(span: Message, ignored: Ignored, *, resource: DecodedResource, scope: DecodedScope | None) -> DecodedSpan:
    """Return a span. What is read without `optional` is absent, or as SDKs write it."""
    name, kind = span.get("name"), span.get("kind")
    flags = _uint32(ignored, span, "flags")
    context = _context(span, flags, remote=False)
    parent_id = optional(ignored, 0, proto_json.hex_id, span, "parentSpanId", 16) if "parentSpanId" in span else 0
    before = len(ignored)
    attributes = attributes_of(span, ignored=ignored)
    lost_attributes, before = len(ignored) - before, len(ignored)
    events = proto_json.each(span, "events", partial(_event, ignored), ignored) if "events" in span else ()
    lost_events = len(_items(span, "events")) - len(events)
    links = proto_json.each(span, "links", partial(_link, ignored), ignored) if "links" in span else ()
    lost_links = len(_items(span, "links")) - len(links)
    if type(name) is not str:
        name = optional(ignored, "", proto_json.text, span, "name")
    if type(kind) is not int or kind not in _KIND_NUMBERS:
        kind = optional(ignored, 0, proto_json.enum, span, "kind", _KIND_NAMES)
    start_ns, end_ns = _time_ns(ignored, span, "startTimeUnixNano"), _time_ns(ignored, span, "endTimeUnixNano")
    span_status = None
    if "status" in span and span["status"] != {}:
        span_status = optional(ignored, None, proto_json.submessage, span, "status", _status)
    return DecodedSpan(
        name,
        KINDS.get(kind, SpanKind.INTERNAL),
        context,
        span_context(context[0], parent_id, is_remote(flags)) if parent_id else None,
        start_ns,
        end_ns,
        span_status or UNSET,
        attributes,
        events,
        links,
        resource,
        scope,
        _uint32(ignored, span, "droppedAttributesCount") + lost_attributes,
        _uint32(ignored, span, "droppedEventsCount") + lost_events,
        _uint32(ignored, span, "droppedLinksCount") + lost_links,
    )


def _uint32(ignored: Ignored, fields: Message, name: str) -> int:
    return optional(ignored, 0, proto_json.integer, fields, name, high=MAX_UINT32) if name in fields else 0


def _time_ns(ignored: Ignored, fields: Message, name: str) -> int:
    given = fields.get(name)
    if type(given) is str and given.isascii() and given.isdigit() and len(given) <= _MAX_TIME_CHARS:
        return int(given)
    return optional(ignored, 0, proto_json.time_ns, fields, name)


def _items(span: Message, name: str) -> list[Any]:
    value = span.get(name)
    return value if isinstance(value, list) else []


def _context(fields: Message, flags: int, *, remote: bool) -> SpanContext:
    trace_id = proto_json.hex_id(fields, "traceId", 32)
    span_id = proto_json.hex_id(fields, "spanId", 16)
    if not trace_id or not span_id:
        raise MalformedError("spanId" if trace_id else "traceId", "is missing or all zeros")
    return span_context(trace_id, span_id, remote, FLAGS[flags & 0xFF])


def _status(fields: Message) -> Status:
    return status(proto_json.enum(fields, "code", _STATUS_CODE_NAMES), proto_json.text(fields, "message"))


def _event(ignored: Ignored, event: Message) -> DecodedEvent:
    name = optional(ignored, "", proto_json.text, event, "name")
    time_ns = optional(ignored, 0, proto_json.time_ns, event, "timeUnixNano")
    return DecodedEvent(name, time_ns, attributes_of(event, ignored=ignored))


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
        trace_flags=FLAGS[flags & 0xFF] if "flags" in record else None,
        severity_number=SEVERITIES.get(
            optional(ignored, 0, proto_json.enum, record, "severityNumber", _SEVERITY_NAMES)
        ),
        body=optional(ignored, None, proto_json.submessage, record, "body", any_value),
        attributes=attributes_of(record, ignored=ignored),
        event_name=optional(ignored, "", proto_json.text, record, "eventName") or None,
    )
    return DecodedLogRecord(data, resource, scope)


_BLOCKS: dict[str, tuple[str, str, Callable[..., DecodedSpan | DecodedLogRecord]]] = {
    "resourceSpans": ("scopeSpans", "spans", _span),
    "resourceLogs": ("scopeLogs", "logRecords", _log_record),
}
"""Names of resource blocks, scope blocks and records, and the function that reads a record."""

_SIGNAL_BLOCKS = {Signal.TRACES: "resourceSpans", Signal.LOGS: "resourceLogs"}
_NOT_FOR_RUM = ("resourceMetrics", "resourceProfiles")
