"""OTLP in JSON: what is read is what an SDK wrote, and nothing that is sent stops the reading."""

from __future__ import annotations

import base64
import contextlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from otel_rum_exporter.mapping.log_view import LogView
from otel_rum_exporter.mapping.span_view import SpanView
from otel_rum_exporter.otlp import DecodedLogRecord, DecodedSpan, OtlpError, decode_json, decode_json_file
from otel_rum_exporter.otlp.model import MAX_VALUE_DEPTH
from tests.spans import START_NS, exception_event, make_span

Json = dict[str, Any]

TRACE_ID, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
SPAN: Json = {"traceId": TRACE_ID, "spanId": SPAN_ID, "name": "work"}
KINDS = {SpanKind.INTERNAL: 1, SpanKind.SERVER: 2, SpanKind.CLIENT: 3, SpanKind.PRODUCER: 4, SpanKind.CONSUMER: 5}


def _value(value: object) -> Json:
    """Write an AnyValue like another exporter."""
    writers: tuple[tuple[type | tuple[type, ...], Callable[[Any], Json]], ...] = (
        (type(None), lambda _: {}),
        (bool, lambda true: {"boolValue": true}),
        (int, lambda whole: {"intValue": str(whole)}),
        (float, lambda real: {"doubleValue": real if math.isfinite(real) else str(real)}),
        (str, lambda text: {"stringValue": text}),
        (bytes, lambda data: {"bytesValue": base64.b64encode(data).decode()}),
        (Mapping, lambda items: {"kvlistValue": {"values": _pairs(items)}}),
        (Sequence, lambda items: {"arrayValue": {"values": [_value(item) for item in items]}}),
    )
    return next(write(value) for kind, write in writers if isinstance(value, kind))


def _pairs(attributes: Mapping[str, Any] | None) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in (attributes or {}).items()]


def _span(span: ReadableSpan) -> Json:
    written: Json = {
        "traceId": f"{span.context.trace_id:032x}",
        "spanId": f"{span.context.span_id:016X}",
        "name": span.name,
        "kind": KINDS[span.kind],
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": span.end_time,
        "attributes": _pairs(span.attributes),
        "droppedAttributesCount": span.dropped_attributes,
        "droppedEventsCount": span.dropped_events,
        "droppedLinksCount": span.dropped_links,
        "events": [
            {"name": event.name, "timeUnixNano": str(event.timestamp), "attributes": _pairs(event.attributes)}
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


def _body(spans: Sequence[Json], resource: Mapping[str, Any] | None = None, scope: Json | None = None) -> Json:
    block: Json = {"resource": {"attributes": _pairs(resource)}, "scopeSpans": [{"scope": scope, "spans": spans}]}
    return {"resourceSpans": [block]}


def _decoded(**fields: Any) -> DecodedSpan:
    decoded = decode_json(json.dumps(_body([{**SPAN, **fields}])))
    assert decoded.faults == ()
    return decoded.spans[0]


def _fault(**fields: Any) -> str:
    decoded = decode_json(json.dumps(_body([{**SPAN, **fields}, SPAN])))
    assert len(decoded.spans) == 1, "the sound span beside it is kept"
    return str(decoded.faults[0]).removeprefix("resourceSpans[0].scopeSpans[0].spans[0].")


def _members(span: ReadableSpan | DecodedSpan) -> Json:
    """Return all that the mapping can read of a span."""
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
        "scope": (span.instrumentation_scope.name, span.instrumentation_scope.version)
        if span.instrumentation_scope
        else None,
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
    }


SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(), inner, max_size=3)
)


@given(
    name=st.text(),
    kind=st.sampled_from(SpanKind),
    attributes=st.dictionaries(st.text(), VALUES, max_size=5),
    is_remote=st.booleans(),
)
def test_a_span_comes_back_as_it_was_written(
    *, name: str, kind: SpanKind, attributes: dict[str, Any], is_remote: bool
) -> None:
    """Whatever an application puts there, name, place in the trace and attributes survive."""
    parent = SpanContext(2**127 + 1, 2**63 + 1, is_remote=is_remote)
    span = make_span(name, attributes, kind=kind, parent=parent, events=[exception_event()])
    body = json.dumps(_body([_span(span)], span.resource.attributes))
    assert _members(decode_json(body).spans[0]) == _members(span)


def test_what_the_sdk_records_comes_back() -> None:
    """Links, events, status, scope and counts of what was dropped are those of the span recorded."""
    resource, limits = Resource({"service.name": "shop"}), SpanLimits(max_span_attributes=2)
    provider = TracerProvider(resource=resource, span_limits=limits)
    linked = SpanContext(7, 8, is_remote=False)
    span = provider.get_tracer("shop.cart", "1.2").start_span("add", links=[Link(linked)])
    span.set_attributes({"a": 1, "b": (1.5, 2.5), "c": "x"})
    span.record_exception(ValueError("no"))
    span.set_status(Status(StatusCode.ERROR, "no"))
    span.end()
    assert isinstance(span, ReadableSpan)
    scope = {"name": "shop.cart", "version": "1.2"}
    decoded = decode_json(json.dumps(_body([_span(span)], span.resource.attributes, scope))).spans[0]
    assert _members(decoded) == _members(span)
    assert SpanView.of(decoded).attributes == {"b": (1.5, 2.5), "c": "x"}


def test_a_log_record_comes_back_as_it_was_written() -> None:
    """The mapping sees the same as of the SDK's own."""
    resource, scope = Resource({"service.name": "shop"}), InstrumentationScope("browser", "1")
    record = LogRecord(
        timestamp=START_NS,
        observed_timestamp=START_NS + 1,
        severity_number=SeverityNumber.WARN2,
        body={"lcp": 3.5},
        attributes={"session.id": "s"},
        event_name="browser.web_vital",
    )
    record.trace_id, record.span_id, record.trace_flags = int(TRACE_ID, 16), int(SPAN_ID, 16), TraceFlags(1)
    written = {
        "timeUnixNano": START_NS,
        "observedTimeUnixNano": str(START_NS + 1),
        "severityNumber": 14,
        "body": _value({"lcp": 3.5}),
        "attributes": _pairs({"session.id": "s"}),
        "eventName": "browser.web_vital",
        "traceId": TRACE_ID.upper(),
        "spanId": SPAN_ID,
        "flags": 1,
    }
    logs = {"scope": {"name": "browser", "version": "1"}, "logRecords": [written]}
    body = {"resourceLogs": [{"resource": {"attributes": _pairs(resource.attributes)}, "scopeLogs": [logs]}]}
    (decoded,) = decode_json(json.dumps(body)).log_records
    seen, expected = LogView.of(decoded), LogView.of(ReadableLogRecord(record, resource, scope))
    for name in ("name", "attributes", "trace_id", "span_id", "end_ns", "severity", "body", "parent_key"):
        assert getattr(seen, name) == getattr(expected, name), name
    assert seen.scope == decoded.instrumentation_scope
    assert dict(seen.resource.attributes) == dict(resource.attributes)


def test_an_empty_log_record_is_one() -> None:
    """Every field may be missing; what is missing is None."""
    (decoded,) = decode_json('{"resourceLogs": [{"scopeLogs": [{"logRecords": [{}]}]}]}').log_records
    data = decoded.log_record
    assert (data.timestamp, data.trace_id, data.span_id, data.severity_number, data.body, data.event_name) == (
        None,
    ) * 6
    assert (decoded.resource.attributes, decoded.instrumentation_scope) == ({}, None)


def test_resource_and_scope_are_shared() -> None:
    """Spans of one block have one resource, so that it is read once."""
    first, second = decode_json(json.dumps(_body([SPAN, SPAN], {"a": 1}, {"name": "x"}))).spans
    assert first.resource is second.resource
    assert first.instrumentation_scope is second.instrumentation_scope


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (0, SpanKind.INTERNAL),
        (2, SpanKind.SERVER),
        (5, SpanKind.CONSUMER),
        (99, SpanKind.INTERNAL),
        ("SPAN_KIND_CLIENT", SpanKind.CLIENT),
        (None, SpanKind.INTERNAL),
    ],
)
def test_kinds_are_numbers_and_may_be_names(kind: object, expected: SpanKind) -> None:
    """A kind of a later version of OTLP is INTERNAL, as one that is not specified."""
    assert _decoded(kind=kind).kind is expected


def test_a_status_may_be_a_name() -> None:
    """Descriptions are those of errors only."""
    status = _decoded(status={"code": "STATUS_CODE_ERROR", "message": "no"}).status
    assert (status.status_code, status.description) == (StatusCode.ERROR, "no")
    assert _status_of(_decoded(status={"code": 1, "message": "yes"}).status) == (StatusCode.OK, None)


def _status_of(status: Status) -> tuple[StatusCode, str | None]:
    return status.status_code, status.description


@pytest.mark.parametrize(("flags", "is_remote"), [(0x301, True), (0x101, False), (0x201, False), (0, False)])
def test_a_parent_is_remote_only_when_the_flags_say_so(flags: int, *, is_remote: bool) -> None:
    """Bit 9 counts only beside bit 8, which says that it is known."""
    parent = _decoded(flags=flags, parentSpanId=SPAN_ID).parent
    assert parent is not None
    assert parent.is_remote is is_remote


@pytest.mark.parametrize("parent", [None, "", "0" * 16])
def test_a_root_has_no_parent(parent: object) -> None:
    """Exporters write no parent in three ways."""
    assert _decoded(parentSpanId=parent).parent is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, None),
        (None, None),
        ({"ofLaterVersions": 1}, None),
        ({"intValue": 5}, 5),
        ({"intValue": "-9223372036854775808"}, -(2**63)),
        ({"intValue": 5.0}, 5),
        ({"doubleValue": 5}, 5.0),
        ({"doubleValue": "-Infinity"}, -math.inf),
        ({"bytesValue": "-_8"}, b"\xfb\xff"),
        ({"bytesValue": "+/8="}, b"\xfb\xff"),
        ({"arrayValue": {}}, ()),
        ({"kvlistValue": {"values": []}}, {}),
        ({"stringValue": ""}, ""),
        ({"boolValue": False}, False),
    ],
)
def test_every_way_to_write_a_value_is_read(value: object, expected: object) -> None:
    """64-bit integers are numbers or text, bytes are Base64 of any kind, and nothing is None."""
    assert _decoded(attributes=[{"key": "k", "value": value}]).attributes == {"k": expected}


def test_lone_surrogates_reach_the_mapping() -> None:
    """JavaScript writes half of a surrogate pair as an escape, which strict parsers refuse."""
    decoded = decode_json(json.dumps(_body([{**SPAN, "name": "cut \ud83d"}]))).spans[0]
    assert SpanView.of(decoded).name == "cut ?"


def test_unknown_fields_are_ignored() -> None:
    """Snake case is unknown too: OTLP has one spelling."""
    assert _decoded(parent_span_id=SPAN_ID, later={"a": []}).parent is None


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"traceId": "W47/95gDgQPSabYzgT/GDA=="}, "traceId is 'W47/95gDgQPSabYzgT/GDA==', not 32 hex digits"),
        ({"traceId": None}, "traceId is missing or all zeros"),
        ({"spanId": "0" * 16}, "spanId is missing or all zeros"),
        ({"spanId": 7}, "spanId is 7, not a string"),
        ({"spanId": "0x12345678901234"}, "spanId is '0x12345678901234', not 16 hex digits"),
        ({"name": ["x"]}, "name is a list, not a string"),
        ({"kind": "CLIENT"}, f"kind is 'CLIENT', not an integer from {-(2**31)} to {2**31 - 1}"),
        ({"startTimeUnixNano": -1}, f"startTimeUnixNano is -1, not an integer from 0 to {2**64 - 1}"),
        ({"endTimeUnixNano": "soon"}, f"endTimeUnixNano is 'soon', not an integer from 0 to {2**64 - 1}"),
        ({"status": []}, "status is a list, not an object"),
        ({"attributes": {"a": 1}}, "attributes is an object, not a list"),
        ({"attributes": [{"key": "k", "value": "v"}]}, "attributes[0].value is 'v', not an object"),
        (
            {"attributes": [{"key": "k", "value": {"arrayValue": {"values": [{}, {"boolValue": 1}]}}}]},
            "attributes[0].value.arrayValue.values[1].boolValue is 1, neither true nor false",
        ),
        ({"events": [{"attributes": 3}]}, "events[0].attributes is 3, not a list"),
        ({"links": [{}]}, "links[0].traceId is missing or all zeros"),
        ({"attributes": [{"value": {"bytesValue": "?"}}]}, "attributes[0].value.bytesValue is '?', not Base64"),
        ({"attributes": [{"value": {"doubleValue": "x"}}]}, "attributes[0].value.doubleValue is 'x', not a number"),
        ({"flags": True}, f"flags is true, not an integer from 0 to {2**32 - 1}"),
    ],
)
def test_a_malformed_span_costs_only_itself(fields: Json, fault: str) -> None:
    """The report says where, what and why, and the span beside it is read."""
    assert _fault(**fields) == fault


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"resourceSpans": 5}, "resourceSpans is 5, not a list"),
        ({"resourceSpans": [None]}, "resourceSpans[0] is null, not an object"),
        ({"resourceSpans": [{"resource": 1}]}, "resourceSpans[0].resource is 1, not an object"),
        (
            {"resourceSpans": [{"scopeSpans": [{"scope": {"name": 1}}]}]},
            "resourceSpans[0].scopeSpans[0].scope.name is 1, not a string",
        ),
        (
            {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId": "x"}]}]}]},
            "resourceLogs[0].scopeLogs[0].logRecords[0].traceId is 'x', not 32 hex digits",
        ),
        ({"resourceMetrics": []}, "resourceMetrics is not for RUM: only spans and log records are"),
    ],
)
def test_a_malformed_block_is_members(body: Json, fault: str) -> None:
    """With its path."""
    decoded = decode_json(json.dumps(body))
    assert [str(found) for found in decoded.faults] == [fault]
    assert decoded.records == ()


def test_values_have_a_greatest_depth() -> None:
    """A value nested beyond it is malformed; one up to it is read."""

    def nested(depth: int) -> Json:
        value: Json = {"stringValue": "x"}
        for _ in range(depth):
            value = {"arrayValue": {"values": [value]}}
        return value

    assert _decoded(attributes=[{"key": "k", "value": nested(MAX_VALUE_DEPTH)}]).attributes["k"] != ()
    too_deep = _fault(attributes=[{"key": "k", "value": nested(MAX_VALUE_DEPTH + 1)}])
    assert too_deep.endswith(f"is nested more than {MAX_VALUE_DEPTH} deep")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON: "),
        (b"\xff\xfe\x00", "not JSON: "),
        (b"\x0a\x03abc", "not JSON: "),
        (b"[" * 100_000, "not JSON: "),
        (b"[]", "JSON, but not OTLP: it is a list, not an object"),
        (b"null", "JSON, but not OTLP: it is null, not an object"),
        (b'{"resource_spans": []}', "JSON, but not OTLP: it has neither resourceSpans nor resourceLogs"),
    ],
)
def test_what_is_no_otlp_is_refused(body: bytes, reason: str) -> None:
    """There is one error, and it says why."""
    with pytest.raises(OtlpError, match=reason):
        decode_json(body)


def test_an_empty_request_is_one() -> None:
    """A request without anything in it succeeds."""
    assert decode_json(b"{}").records == ()


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(TRACE_ID) | st.just(SPAN_ID),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resource", "attributes", "key", "value", "values", "intValue", "arrayValue", "kvlistValue"]
            ),
            inner,
            max_size=3,
        )
    ),
)


@given(
    st.dictionaries(
        st.sampled_from([*_span(make_span()), "parentSpanId", "body", "severityNumber", "eventName"]), JUNK, max_size=6
    ),
    st.sampled_from(["resource", "scope", "scopeSpans", "spans", "other"]),
    JUNK,
)
def test_no_junk_in_a_body_raises(fields: Json, place: str, junk: object) -> None:
    """Whatever stands where, the result is spans that can be mapped, and faults."""
    scope_block = {"spans": [{**SPAN, **fields}, SPAN], "logRecords": [fields], place: junk}
    block = {"scopeSpans": [scope_block], "scopeLogs": [scope_block], **({place: junk} if place == "resource" else {})}
    decoded = decode_json(json.dumps({"resourceSpans": [block], "resourceLogs": [block]}))
    for record in decoded.records:
        assert (SpanView.of(record) if isinstance(record, DecodedSpan) else LogView.of(record)).id_parts
    assert all(str(fault) for fault in decoded.faults)


@given(st.binary() | st.text() | JUNK.map(json.dumps))
def test_no_body_raises_anything_else(body: bytes | str) -> None:
    """What is not OTLP is an OtlpError, whatever it is."""
    content = body.encode() if isinstance(body, str) else body
    for decode in (decode_json, decode_json_file):
        with contextlib.suppress(OtlpError):
            decode(content)


def test_a_file_has_a_body_on_each_line() -> None:
    """Spans and log records come in the order of the lines; a line that was cut costs only itself."""
    log = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"eventName": "e"}]}]}]}
    bad = _body([{**SPAN, "name": 5}])
    lines = [json.dumps(_body([SPAN])), "", json.dumps(log), json.dumps(bad), json.dumps(_body([SPAN]))[:-9]]
    decoded = decode_json_file("\r\n".join(lines).encode())
    assert [type(record) for record in decoded.records] == [DecodedSpan, DecodedLogRecord]
    first, second = map(str, decoded.faults)
    assert first == "line 4: resourceSpans[0].scopeSpans[0].spans[0].name is 5, not a string"
    assert second.startswith("line 5 is not JSON: ")


def test_a_file_may_be_one_body_over_many_lines() -> None:
    """It was formatted for reading."""
    assert len(decode_json_file(json.dumps(_body([SPAN]), indent=2).encode()).spans) == 1


def test_a_file_that_is_something_else_is_refused() -> None:
    """The error names the whole and the first line."""
    with pytest.raises(OtlpError, match=r"^not JSON: .*line 1 is not JSON: "):
        decode_json_file(b"hello\nworld\n")
