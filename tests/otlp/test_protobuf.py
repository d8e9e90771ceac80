"""OTLP in protobuf: what is read is what an SDK wrote, and nothing that is sent stops the reading."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from otel_rum_exporter.mapping.log_view import LogView
from otel_rum_exporter.mapping.span_view import SpanView
from otel_rum_exporter.otlp import DecodedSpan, OtlpError, Signal, TooManyRecordsError, decode_json, decode_protobuf
from otel_rum_exporter.otlp.model import MAX_FAULTS, MAX_VALUE_DEPTH
from otel_rum_exporter.otlp.protobuf import MAX_RECORD_BYTES
from tests.spans import START_NS, make_span


def _request(*spans: Span) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.extend(spans)
    return request


def _span(**fields: Any) -> Span:
    return Span(**{"trace_id": b"t" * 16, "span_id": b"s" * 8, "name": "work", **fields})


def _decode(request: ExportTraceServiceRequest | bytes) -> tuple[tuple[DecodedSpan, ...], tuple[str, ...]]:
    body = request if isinstance(request, bytes) else request.SerializeToString()
    decoded = decode_protobuf(body, Signal.TRACES)
    return decoded.spans, tuple(str(fault) for fault in decoded.faults)


def _members(span: ReadableSpan | DecodedSpan) -> dict[str, Any]:
    """Return all that the mapping can read of a span."""
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
        "scope": (scope.name, scope.version) if scope else None,
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
    }


SCALARS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(tuple) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(
    name=st.text(),
    kind=st.sampled_from(SpanKind),
    attributes=st.dictionaries(st.text(min_size=1), VALUES, max_size=5),
    is_remote=st.booleans(),
)
def test_a_span_comes_back_as_the_sdk_wrote_it(
    *, name: str, kind: SpanKind, attributes: dict[str, Any], is_remote: bool
) -> None:
    """Whatever an application puts there, name, place in the trace and attributes survive."""
    parent = SpanContext(2**127 + 1, 2**63 + 1, is_remote=is_remote)
    span = make_span(name, attributes, kind=kind, parent=parent)
    spans, faults = _decode(encode_spans([span]))
    assert (faults, _members(spans[0]) | {"scope": None}) == ((), _members(span) | {"scope": None})


def test_what_the_sdk_records_comes_back() -> None:
    """Links, events, status, scope and counts of what was dropped are those of the span recorded."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    linked = SpanContext(7, 8, is_remote=False)
    span = provider.get_tracer("shop.cart", "1.2").start_span("add", links=[Link(linked)])
    span.set_attributes({"a": 1, "b": (1.5, 2.5), "c": "x"})
    span.record_exception(ValueError("no"))
    span.set_status(Status(StatusCode.ERROR, "no"))
    span.end()
    assert isinstance(span, ReadableSpan)
    spans, _ = _decode(encode_spans([span]))
    assert _members(spans[0]) == _members(span)
    assert SpanView.of(spans[0]).attributes == {"a": 1, "b": (1.5, 2.5), "c": "x"}


def test_a_log_record_comes_back_as_the_sdk_wrote_it() -> None:
    """The mapping sees the same as of the SDK's own."""
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
    (decoded,) = decode_protobuf(encode_logs([written]).SerializeToString(), Signal.LOGS).log_records
    seen, expected = LogView.of(decoded), LogView.of(written)
    for name in ("name", "attributes", "trace_id", "span_id", "end_ns", "severity", "body", "parent_key"):
        assert getattr(seen, name) == getattr(expected, name), name
    assert dict(seen.resource.attributes) == {"service.name": "shop"}
    assert decoded.instrumentation_scope is not None
    assert (decoded.instrumentation_scope.name, decoded.instrumentation_scope.version) == ("browser", "1")


def test_both_encodings_say_the_same() -> None:
    """Protobuf and JSON of one empty-handed span give equal twins."""
    text = '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%s","name":"work"}]}]}]}'
    (from_json,) = decode_json(text % ((b"t" * 16).hex(), (b"s" * 8).hex())).spans
    (from_protobuf,), _ = _decode(_request(_span()))
    assert _members(from_json) == _members(from_protobuf)


def test_a_resource_is_one_object_for_all_requests_of_a_sender() -> None:
    """What is made of it needs to be made once."""
    body = encode_spans([make_span(), make_span()]).SerializeToString()
    seen = {id(span.resource) for _ in range(2) for span in decode_protobuf(body, Signal.TRACES).spans}
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("span", "fault"),
    [
        (_span(trace_id=b""), "traceId is missing or all zeros"),
        (_span(span_id=bytes(8)), "spanId is missing or all zeros"),
        (_span(trace_id=b"short"), "traceId has 5 bytes, not 16"),
        (_span(parent_span_id=b"x"), "parentSpanId has 1 bytes, not 8"),
        (_span(links=[Span.Link()]), "links[0].traceId is missing or all zeros"),
        (_span(name="x" * MAX_RECORD_BYTES), f"has {MAX_RECORD_BYTES + 32} bytes; at most {MAX_RECORD_BYTES} are read"),
    ],
)
def test_a_malformed_span_costs_only_itself(span: Span, fault: str) -> None:
    """The report says where and what, and the span beside it is read."""
    spans, faults = _decode(_request(span, _span()))
    assert len(spans) == 1
    (found,) = faults
    assert found.removeprefix("resourceSpans[0].scopeSpans[0].spans[0]").strip(". ") == fault


def test_text_that_is_no_utf8_costs_only_its_span() -> None:
    """A parser of the whole body would refuse all of it."""
    body = _request(_span(name="bad!"), _span(name="good")).SerializeToString().replace(b"bad!", b"\xff\xfe\xfd\xfc")
    spans, faults = _decode(body)
    assert [span.name for span in spans] == ["good"]
    assert faults == ("resourceSpans[0].scopeSpans[0].spans[0] is malformed protobuf",)


def test_a_malformed_resource_costs_its_spans_and_counts_them() -> None:
    """Whose spans they are is not known; those of the resource beside it are."""
    bad, good = _request(_span(), _span()), _request(_span())
    bad.resource_spans[0].resource.attributes.add(key="bad!")
    body = bad.SerializeToString().replace(b"bad!", b"\xff\xfe\xfd\xfc") + good.SerializeToString()
    decoded = decode_protobuf(body, Signal.TRACES)
    assert (len(decoded.spans), decoded.rejected) == (1, 2)
    assert [str(fault) for fault in decoded.faults] == ["resourceSpans[0].resource is malformed protobuf"]


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, 0x80 | len(content) & 0x7F, len(content) >> 7]) + content


def _nested(depth: int) -> bytes:
    """Return a span with lists in a list, written by hand since no library writes what it would not read."""
    value = _field(1, b"x")
    for _ in range(depth):
        value = _field(5, _field(1, value))
    return _span().SerializeToString() + _field(9, _field(1, b"deep") + _field(2, value))


@pytest.mark.parametrize("depth", [MAX_VALUE_DEPTH + 1, 100, 1000])
def test_values_have_a_greatest_depth(depth: int) -> None:
    """One nested beyond it costs its span, whether the parser or the reader refuses it; one up to it is read."""
    read, refused = (_decode(_field(1, _field(2, _field(2, _nested(level))))) for level in (MAX_VALUE_DEPTH, depth))
    assert [len(part) for part in (*read, *refused)] == [1, 0, 0, 1]


@pytest.mark.parametrize(
    "body", [b"\x0a\x03abc", b"{}", b"\x0b", b"\xff" * 20, b"\x0a\x80", b"\x09\x00", b"\x0a\x02\x12\x05"]
)
def test_what_is_no_protobuf_is_refused(body: bytes) -> None:
    """A frame that does not hold is one error, for all of the body."""
    with pytest.raises(OtlpError, match="not OTLP in protobuf"):
        decode_protobuf(body, Signal.TRACES)


def test_an_empty_request_is_one() -> None:
    """A request without anything in it succeeds, as does one of fields that OTLP may have one day."""
    assert _decode(b"") == ((), ())
    assert _decode(b"\x78\x01\x7a\x01x\x7d1234\x7912345678") == ((), ())


def test_the_other_signal_is_not_read() -> None:
    """A body of log records sent as one of spans has no sound span in it."""
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=START_NS)
    spans, faults = _decode(request.SerializeToString())
    assert (spans, len(faults)) == ((), 1)


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(b"\x0a\x00" * 2_000_000, id="empty blocks"),
        pytest.param(_request(*[Span()] * 200_000).SerializeToString(), id="empty spans"),
    ],
)
def test_many_empty_messages_cost_no_memory(bomb: bytes) -> None:
    """Two bytes of a body could make a message of a hundred: it is refused before it is built."""
    tracemalloc.start()
    try:
        with pytest.raises(TooManyRecordsError, match="more than 100000 records"):
            decode_protobuf(bomb, Signal.TRACES, 100_000)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(bomb) + 16_000_000
    finally:
        tracemalloc.stop()


def test_faults_are_all_counted_and_some_members() -> None:
    """Memory for the faults of a hostile body is bounded."""
    decoded = decode_protobuf(_request(*[Span()] * 1000).SerializeToString(), Signal.TRACES)
    assert (decoded.rejected, len(decoded.faults)) == (1000, MAX_FAULTS)


def test_mutated_bodies_are_read_or_refused() -> None:
    """Bytes changed, cut out or put in raise nothing but the one error."""
    chance = random.Random(7)
    whole = encode_spans([make_span(attributes={"k": ("x", "y"), "n": 5}) for _ in range(3)]).SerializeToString()
    refused = 0
    for _ in range(3000):
        body = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(body))
            body[at : at + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 2))
        try:
            for span in decode_protobuf(bytes(body), Signal.TRACES).spans:
                SpanView.of(span)
        except OtlpError:
            refused += 1
    assert 0 < refused < 3000
