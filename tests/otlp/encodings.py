"""OTLP bodies in both encodings. The JSON writer is independent of the package, like a client's."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from otel_rum_exporter.otlp import DecodedSpan, DecodeResult, Signal, decode_json, decode_protobuf

Json = dict[str, Any]

TRACE_ID, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
JSON_SPAN: Json = {"traceId": TRACE_ID, "spanId": SPAN_ID, "name": "work"}
KIND_NUMBERS = {kind: number for number, kind in enumerate(SpanKind, 1)}


class Encoding(NamedTuple):
    """The functions that write and read one encoding, and the values that attributes have in it."""

    encode_spans: Callable[[Sequence[ReadableSpan]], bytes]
    encode_log_record: Callable[[ReadableLogRecord], bytes]
    decode: Callable[[bytes, Signal, int | None], DecodeResult]
    attributes: st.SearchStrategy[dict[str, Any]]


def json_value(value: object) -> Json:
    """Return an AnyValue."""
    writers: tuple[tuple[type | tuple[type, ...], Callable[[Any], Json]], ...] = (
        (type(None), lambda _: {}),
        (bool, lambda boolean: {"boolValue": boolean}),
        (int, lambda integer: {"intValue": str(integer)}),
        (float, lambda number: {"doubleValue": number if math.isfinite(number) else str(number)}),
        (str, lambda text: {"stringValue": text}),
        (bytes, lambda data: {"bytesValue": base64.b64encode(data).decode()}),
        (Mapping, lambda items: {"kvlistValue": {"values": json_attributes(items)}}),
        (Sequence, lambda items: {"arrayValue": {"values": [json_value(item) for item in items]}}),
    )
    return next(write(value) for kind, write in writers if isinstance(value, kind))


def json_attributes(attributes: Mapping[str, Any] | None) -> list[Json]:
    """Return a list of KeyValue."""
    return [{"key": key, "value": json_value(value)} for key, value in (attributes or {}).items()]


def json_span(span: ReadableSpan) -> Json:
    """Return a Span."""
    written: Json = {
        "traceId": f"{span.context.trace_id:032x}",
        "spanId": f"{span.context.span_id:016X}",
        "name": span.name,
        "kind": KIND_NUMBERS[span.kind],
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": span.end_time,
        "attributes": json_attributes(span.attributes),
        "droppedAttributesCount": span.dropped_attributes,
        "droppedEventsCount": span.dropped_events,
        "droppedLinksCount": span.dropped_links,
        "events": [
            {"name": event.name, "timeUnixNano": str(event.timestamp), "attributes": json_attributes(event.attributes)}
            for event in span.events
        ],
        "links": [
            {"traceId": f"{link.context.trace_id:032x}", "spanId": f"{link.context.span_id:016x}"}
            for link in span.links
        ],
        "status": {"code": span.status.status_code.value},
        "flags": 0x101 | (0x200 if span.parent and span.parent.is_remote else 0),
    }
    if span.status.description:
        written["status"]["message"] = span.status.description
    if span.parent:
        written["parentSpanId"] = f"{span.parent.span_id:016x}"
    return written


def json_request(*spans: Json, resource: Mapping[str, Any] | None = None, scope: Json | None = None) -> bytes:
    """Return an export request for spans of one resource and scope."""
    block = {
        "resource": {"attributes": json_attributes(resource)},
        "scopeSpans": [{"scope": scope, "spans": list(spans)}],
    }
    return json.dumps({"resourceSpans": [block]}).encode()


def protobuf_span(**fields: Any) -> Span:
    """Return a Span with these fields, and valid ids and a name unless they are among the fields."""
    return Span(**{"trace_id": b"t" * 16, "span_id": b"s" * 8, "name": "work", **fields})


def protobuf_request(*spans: Span) -> bytes:
    """Return an export request for spans of one resource and scope."""
    request = TracesData()
    request.resource_spans.add().scope_spans.add().spans.extend(spans)
    return request.SerializeToString()


def protobuf_field(number: int, content: bytes) -> bytes:
    """Return a field of bytes, for messages that no library writes."""
    return bytes([number << 3 | 2, 0x80 | len(content) & 0x7F, len(content) >> 7]) + content


def nested_protobuf_span(depth: int) -> bytes:
    """Return a request for a span with lists in an attribute, nested more deeply than libraries write them."""
    value = protobuf_field(1, b"x")
    for _ in range(depth):
        value = protobuf_field(5, protobuf_field(1, value))
    attribute = protobuf_field(9, protobuf_field(1, b"deep") + protobuf_field(2, value))
    span = protobuf_span().SerializeToString() + attribute
    return protobuf_field(1, protobuf_field(2, protobuf_field(2, span)))


def nested_json_span(depth: int) -> bytes:
    """Return a request for a span with lists in an attribute."""
    value = b'{"arrayValue":{"values":[' * depth + b"{}" + b"]}}" * depth
    attribute = {"key": "deep", "value": "PLACEHOLDER"}
    return json_request({**JSON_SPAN, "attributes": [attribute]}).replace(b'"PLACEHOLDER"', value)


def fields_of(span: ReadableSpan | DecodedSpan) -> Json:
    """Return everything that the mapping can read of a span."""
    scope = span.instrumentation_scope
    return {
        "name": span.name,
        "kind": span.kind,
        "context": span.context[:3],
        "parent": span.parent[:3] if span.parent else None,
        "times": (span.start_time, span.end_time),
        "status": (span.status.status_code, span.status.description),
        "attributes": dict(span.attributes or {}),
        "events": [(event.name, event.timestamp, dict(event.attributes or {})) for event in span.events],
        "links": [link.context[:2] for link in span.links],
        "resource": dict(span.resource.attributes),
        "scope": (scope.name, scope.version) if scope and scope.name else None,
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
    }


def _json_spans(spans: Sequence[ReadableSpan]) -> bytes:
    scope = spans[0].instrumentation_scope
    written_scope = {"name": scope.name, "version": scope.version} if scope else None
    return json_request(*map(json_span, spans), resource=spans[0].resource.attributes, scope=written_scope)


def _json_log_record(log: ReadableLogRecord) -> bytes:
    record, scope = log.log_record, log.instrumentation_scope
    assert record.severity_number is not None
    assert scope is not None
    written = {
        "timeUnixNano": record.timestamp,
        "observedTimeUnixNano": str(record.observed_timestamp),
        "severityNumber": record.severity_number.value,
        "body": json_value(record.body),
        "attributes": json_attributes(record.attributes),
        "eventName": record.event_name,
        "traceId": f"{record.trace_id:032X}",
        "spanId": f"{record.span_id:016x}",
        "flags": int(record.trace_flags or 0),
    }
    scope_block = {"scope": {"name": scope.name, "version": scope.version}, "logRecords": [written]}
    block = {"resource": {"attributes": json_attributes(log.resource.attributes)}, "scopeLogs": [scope_block]}
    return json.dumps({"resourceLogs": [block]}).encode()


SCALARS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary()
JSON_VALUES = st.recursive(
    st.none() | SCALARS,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(), inner, max_size=3),
)
# The SDK's protobuf exporter writes neither None nor empty keys and lists.
PROTOBUF_VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(tuple) | st.dictionaries(st.text(), inner, max_size=3),
)

JSON = Encoding(_json_spans, _json_log_record, decode_json, st.dictionaries(st.text(), JSON_VALUES, max_size=5))
PROTOBUF = Encoding(
    lambda spans: encode_spans(spans).SerializeToString(),
    lambda log: encode_logs([log]).SerializeToString(),
    decode_protobuf,
    st.dictionaries(st.text(min_size=1), PROTOBUF_VALUES, max_size=5),
)

both_encodings = pytest.mark.parametrize(
    "encoding", [pytest.param(JSON, id="JSON"), pytest.param(PROTOBUF, id="protobuf")]
)
