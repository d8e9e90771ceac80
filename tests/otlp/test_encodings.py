"""Decoders of both encodings return what was written, and a malformed record affects no other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from otel_rum_exporter.mapping.log_view import LogView
from otel_rum_exporter.mapping.span_view import SpanView
from otel_rum_exporter.otlp import Signal, TooManyRecordsError, decode_json, decode_protobuf
from otel_rum_exporter.otlp.model import MAX_FAILURES, MAX_VALUE_DEPTH
from tests.otlp.encodings import (
    JSON,
    JSON_SPAN,
    PROTOBUF,
    Encoding,
    Json,
    both_encodings,
    fields_of,
    json_request,
    nested_json_span,
    nested_protobuf_span,
    protobuf_request,
    protobuf_span,
)
from tests.otlp.files import ONE_LOG_RECORD, TWO_SPANS
from tests.spans import START_NS, exception_event, make_span

FIRST_SPAN = "resourceSpans[0].scopeSpans[0].spans[0]"

# For each case: fields of a JSON span, fields of a protobuf span, and the failure.
MALFORMED_SPANS: dict[str, tuple[Json, dict[str, Any], str]] = {
    "no trace id": ({"traceId": None}, {"trace_id": b""}, "traceId is missing or all zeros"),
    "zero trace id": ({"traceId": "0" * 32}, {"trace_id": bytes(16)}, "traceId is missing or all zeros"),
    "no span id": ({"spanId": ""}, {"span_id": b""}, "spanId is missing or all zeros"),
    "zero span id": ({"spanId": "0" * 16}, {"span_id": bytes(8)}, "spanId is missing or all zeros"),
}
MALFORMED_BODIES = [
    pytest.param(encoding, body, failure, id=f"{case}, {name}")
    for case, (json_fields, protobuf_fields, failure) in MALFORMED_SPANS.items()
    for name, encoding, body in (
        ("JSON", JSON, json_request({**JSON_SPAN, **json_fields}, JSON_SPAN)),
        ("protobuf", PROTOBUF, protobuf_request(protobuf_span(**protobuf_fields), protobuf_span())),
    )
]


@both_encodings
@given(data=st.data(), name=st.text(), kind=st.sampled_from(SpanKind), is_remote=st.booleans())
def test_span_is_decoded_as_written(
    encoding: Encoding, *, data: st.DataObject, name: str, kind: SpanKind, is_remote: bool
) -> None:
    """Name, place in the trace, attributes and events, for any values."""
    parent = SpanContext(2**127 + 1, 2**63 + 1, is_remote=is_remote)
    attributes = data.draw(encoding.attributes)
    span = make_span(name, attributes, kind=kind, parent=parent, events=[exception_event()])
    result = encoding.decode(encoding.encode_spans([span]), Signal.TRACES, None)
    assert result.failures == ()
    assert fields_of(result.spans[0]) == fields_of(span)


@both_encodings
def test_recorded_span_is_decoded_as_written(encoding: Encoding) -> None:
    """Links, events, status, scope and dropped counts of a span that the SDK recorded."""
    limits = SpanLimits(max_span_attributes=2)
    provider = TracerProvider(resource=Resource({"service.name": "shop"}), span_limits=limits)
    link = Link(SpanContext(7, 8, is_remote=False))
    span = provider.get_tracer("shop.cart", "1.2").start_span("add", links=[link])
    span.set_attributes({"a": 1, "b": (1.5, 2.5), "c": "x"})
    span.record_exception(ValueError("no"))
    span.set_status(Status(StatusCode.ERROR, "no"))
    span.end()
    assert isinstance(span, ReadableSpan)
    (decoded,) = encoding.decode(encoding.encode_spans([span]), Signal.TRACES, None).spans
    assert fields_of(decoded) == fields_of(span)
    assert SpanView.of(decoded).attributes == {"b": (1.5, 2.5), "c": "x"}


@both_encodings
def test_log_record_is_decoded_as_written(encoding: Encoding) -> None:
    """The mapping reads the same from it as from the SDK's log record."""
    record = LogRecord(
        timestamp=START_NS,
        observed_timestamp=START_NS + 1,
        severity_number=SeverityNumber.WARN2,
        body={"lcp": 3.5},
        attributes={"session.id": "s"},
        event_name="browser.web_vital",
    )
    record.trace_id, record.span_id, record.trace_flags = 2**127, 2**63, TraceFlags(1)
    written = ReadableLogRecord(record, Resource({"service.name": "shop"}), InstrumentationScope("browser", "1"))
    (decoded,) = encoding.decode(encoding.encode_log_record(written), Signal.LOGS, None).log_records
    seen, expected = LogView.of(decoded), LogView.of(written)
    for name in ("name", "attributes", "trace_id", "span_id", "end_ns", "severity", "body", "parent_key"):
        assert getattr(seen, name) == getattr(expected, name), name
    assert dict(seen.resource.attributes) == {"service.name": "shop"}
    assert seen.scope is not None
    assert (seen.scope.name, seen.scope.version) == ("browser", "1")


def test_encodings_decode_to_equal_spans() -> None:
    """For a span with no optional field."""
    ids = {"traceId": (b"t" * 16).hex(), "spanId": (b"s" * 8).hex()}
    (from_json,) = decode_json(json_request({**JSON_SPAN, **ids})).spans
    (from_protobuf,) = PROTOBUF.decode(protobuf_request(protobuf_span()), Signal.TRACES, None).spans
    assert fields_of(from_json) == fields_of(from_protobuf)


@both_encodings
def test_resource_and_scope_are_shared_by_a_block(encoding: Encoding) -> None:
    """The mapping caches what it reads of a resource by its identity."""
    span = TracerProvider().get_tracer("shop").start_span("work")
    assert isinstance(span, ReadableSpan)
    first, second = encoding.decode(encoding.encode_spans([span, span]), Signal.TRACES, None).spans
    assert first.resource is second.resource
    assert first.instrumentation_scope is second.instrumentation_scope


@pytest.mark.parametrize(("encoding", "body", "failure"), MALFORMED_BODIES)
def test_malformed_span_is_rejected_alone(encoding: Encoding, body: bytes, failure: str) -> None:
    """The failure has path and reason, and the valid span beside it is decoded."""
    result = encoding.decode(body, Signal.TRACES, None)
    assert (len(result.spans), result.rejected) == (1, 1)
    assert [str(one) for one in result.failures] == [f"{FIRST_SPAN}.{failure}"]


@pytest.mark.parametrize(
    ("encoding", "nested_span"),
    [pytest.param(JSON, nested_json_span, id="JSON"), pytest.param(PROTOBUF, nested_protobuf_span, id="protobuf")],
)
@pytest.mark.parametrize(
    ("depth", "expected"), [(MAX_VALUE_DEPTH, (1, 0)), (MAX_VALUE_DEPTH + 1, (0, 1)), (100, (0, 1)), (300, (0, 1))]
)
def test_depth_of_values_is_limited(
    encoding: Encoding, nested_span: Any, depth: int, expected: tuple[int, int]
) -> None:
    """A value that is nested more deeply is left out, with its span if the protobuf parser stops at it first."""
    result = encoding.decode(nested_span(depth), Signal.TRACES, None)
    assert (sum("deep" in span.attributes for span in result.spans), len(result.failures)) == expected
    assert len(result.spans) + result.rejected == 1


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param(JSON, json_request({**JSON_SPAN, "links": [{}]}), id="JSON"),
        pytest.param(PROTOBUF, protobuf_request(protobuf_span(links=[Span.Link()])), id="protobuf"),
    ],
)
def test_a_link_without_ids_costs_only_itself(encoding: Encoding, body: bytes) -> None:
    """Some SDKs link to spans that are not recorded."""
    result = encoding.decode(body, Signal.TRACES, None)
    (span,) = result.spans
    assert (span.links, span.dropped_links, result.rejected) == ((), 1, 0)
    assert [str(one) for one in result.failures] == [
        f"{FIRST_SPAN}.links[0].traceId is missing or all zeros; it is ignored"
    ]


@pytest.mark.parametrize("signal", Signal)
def test_the_signal_of_a_protobuf_body_is_its_own(signal: Signal) -> None:
    """The first field of a span is its trace id, that of a log record its time."""
    for body, expected in ((TWO_SPANS, (2, 0)), (ONE_LOG_RECORD, (0, 1))):
        result = decode_protobuf(body, signal)
        assert (len(result.spans), len(result.log_records), result.failures) == (*expected, ())


@both_encodings
def test_number_of_records_is_limited(encoding: Encoding) -> None:
    """Blocks of records count as well."""
    body = encoding.encode_spans([make_span() for _ in range(20)])
    assert len(encoding.decode(body, Signal.TRACES, 30).spans) == 20
    with pytest.raises(TooManyRecordsError, match="more than 10 records"):
        encoding.decode(body, Signal.TRACES, 10)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param(JSON, json_request(*[{}] * 1000), id="JSON"),
        pytest.param(PROTOBUF, protobuf_request(*[Span()] * 1000), id="protobuf"),
    ],
)
def test_number_of_described_failures_is_limited(encoding: Encoding, body: bytes) -> None:
    """All rejected records are counted."""
    result = encoding.decode(body, Signal.TRACES, None)
    assert (result.rejected, len(result.failures)) == (1000, MAX_FAILURES)


@pytest.mark.parametrize(
    ("encoding", "body"), [pytest.param(JSON, b"{}", id="JSON"), pytest.param(PROTOBUF, b"", id="protobuf")]
)
@pytest.mark.parametrize("signal", Signal)
def test_empty_request_is_valid(encoding: Encoding, body: bytes, signal: Signal) -> None:
    """It has no records and no failures."""
    result = encoding.decode(body, signal, None)
    assert (result.records, result.failures) == ((), ())
