"""OTLP in protobuf: malformed and hostile messages."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from otel_rum_exporter.mapping.span_view import SpanView
from otel_rum_exporter.otlp import OtlpError, Signal, TooManyRecordsError, decode_protobuf
from otel_rum_exporter.otlp.model import MAX_IGNORED_PARTS, MAX_VALUE_DEPTH
from otel_rum_exporter.otlp.proto_wire import signal_of
from otel_rum_exporter.otlp.protobuf import MAX_RECORD_BYTES
from tests.otlp.encodings import protobuf_request, protobuf_span
from tests.spans import START_NS, make_span

INVALID_UTF8 = b"\xff\xfe\xfd\xfc"


def too_deep_attribute() -> KeyValue:
    """Return an attribute that is nested too deeply."""
    value = AnyValue()
    for _ in range(MAX_VALUE_DEPTH + 1):
        value = AnyValue(array_value=ArrayValue(values=[value]))
    return KeyValue(key="deep", value=value)


def test_resource_is_shared_by_requests() -> None:
    """The mapping caches what it reads of a resource by its identity."""
    body = encode_spans([make_span(), make_span()]).SerializeToString()
    resources = {id(span.resource) for _ in range(2) for span in decode_protobuf(body, Signal.TRACES).spans}
    assert len(resources) == 1


@pytest.mark.parametrize(
    ("span", "failure"),
    [
        (protobuf_span(trace_id=b"short"), ".traceId has 5 bytes, not 16"),
        (
            protobuf_span(name="x" * MAX_RECORD_BYTES),
            f" has {MAX_RECORD_BYTES + 32} bytes; at most {MAX_RECORD_BYTES} are read",
        ),
    ],
)
def test_malformed_span_is_rejected_with_path_and_reason(span: Span, failure: str) -> None:
    """The valid span beside it is decoded."""
    result = decode_protobuf(protobuf_request(span, protobuf_span()), Signal.TRACES)
    assert len(result.spans) == 1
    assert [str(one) for one in result.failures] == [f"resourceSpans[0].scopeSpans[0].spans[0]{failure}"]


@pytest.mark.parametrize(
    ("span", "failure"),
    [
        (protobuf_span(parent_span_id=b"x"), ".parentSpanId has 1 bytes, not 8; it is ignored"),
        (protobuf_span(links=[Span.Link(span_id=b"x")]), ".links[0].spanId has 1 bytes, not 8; it is ignored"),
    ],
)
def test_malformed_part_costs_only_itself(span: Span, failure: str) -> None:
    """The span is decoded without it."""
    result = decode_protobuf(protobuf_request(span), Signal.TRACES)
    assert (len(result.spans), result.rejected) == (1, 0)
    assert (result.spans[0].parent, result.spans[0].links) == (None, ())
    assert [str(one) for one in result.failures] == [f"resourceSpans[0].scopeSpans[0].spans[0]{failure}"]


def test_invalid_utf8_rejects_only_its_span() -> None:
    """A parser of the whole body would reject all spans."""
    request = protobuf_request(protobuf_span(name="bad!"), protobuf_span(name="good"))
    result = decode_protobuf(request.replace(b"bad!", INVALID_UTF8), Signal.TRACES)
    assert [span.name for span in result.spans] == ["good"]
    assert [str(one) for one in result.failures] == ["resourceSpans[0].scopeSpans[0].spans[0] is malformed protobuf"]


def test_malformed_resource_rejects_all_its_spans() -> None:
    """They have no known app monitor. The spans of the resource beside it are decoded."""
    bad = TracesData.FromString(protobuf_request(protobuf_span(), protobuf_span()))
    bad.resource_spans[0].resource.attributes.add(key="bad!")
    body = bad.SerializeToString().replace(b"bad!", INVALID_UTF8) + protobuf_request(protobuf_span())
    result = decode_protobuf(body, Signal.TRACES)
    assert (len(result.spans), result.rejected) == (1, 2)
    assert [str(failure) for failure in result.failures] == ["resourceSpans[0].resource is malformed protobuf"]


@pytest.mark.parametrize(
    "body", [b"\x0a\x03abc", b"{}", b"\x0b", b"\xff" * 20, b"\x0a\x80", b"\x09\x00", b"\x0a\x02\x12\x05"]
)
def test_malformed_body_is_an_error(body: bytes) -> None:
    """Fields whose lengths do not fit reject the whole body."""
    with pytest.raises(OtlpError, match="not OTLP in protobuf"):
        decode_protobuf(body, Signal.TRACES)


def test_unknown_fields_are_ignored() -> None:
    """Of any wire type."""
    result = decode_protobuf(b"\x78\x01\x7a\x01x\x7d1234\x7912345678", Signal.TRACES)
    assert (result.records, result.failures) == ((), ())


def test_body_of_the_other_signal_is_read() -> None:
    """Log records that are sent as spans begin with their time."""
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=START_NS)
    result = decode_protobuf(request.SerializeToString(), Signal.TRACES)
    assert (len(result.log_records), result.failures) == (1, ())


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\x0a\x00" * 1_000_000, id="empty blocks"),
        pytest.param(protobuf_request(*[Span()] * 150_000), id="empty spans"),
    ],
)
def test_many_empty_messages_take_no_memory(body: bytes) -> None:
    """Two bytes of a body can be a message of a hundred bytes in memory, so the body is rejected before parsing."""
    tracemalloc.start()
    try:
        with pytest.raises(TooManyRecordsError, match="more than 100000 records"):
            decode_protobuf(body, Signal.TRACES, 100_000)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(body) + 16_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("part", ["events", "links"])
def test_an_event_or_link_counts_as_several_values(part: str) -> None:
    """Two bytes can be an event of hundreds of bytes in memory: a request of 8 MB took more than a gigabyte."""
    counted = {"events": [Span.Event()] * 250, "links": [Span.Link(trace_id=b"t" * 16, span_id=b"s" * 8)] * 250}
    body = protobuf_request(protobuf_span(**{part: counted[part]}))
    assert len(decode_protobuf(body, Signal.TRACES, 125).spans) == 1
    with pytest.raises(TooManyRecordsError, match="more than 2480 values"):
        decode_protobuf(body, Signal.TRACES, 124)


def test_the_search_for_the_kind_of_a_record_is_bounded() -> None:
    """A record may have a hundred thousand unknown fields."""
    number = b"\x80\x01\x00"
    span = protobuf_span().SerializeToString()
    assert signal_of(number + span, 0, len(number + span)) is Signal.TRACES
    assert signal_of(number * 100 + span, 0, len(number * 100 + span)) is None, "it is not read so far"


@pytest.mark.parametrize(
    "malformed",
    [
        Span(links=[Span.Link()] * (MAX_IGNORED_PARTS + 1)),
        Span(attributes=[too_deep_attribute()] * (MAX_IGNORED_PARTS + 1)),
        Span(events=[Span.Event(attributes=[too_deep_attribute()])] * (MAX_IGNORED_PARTS + 1)),
    ],
    ids=["links", "attributes", "attributes of events"],
)
def test_span_with_many_malformed_parts_is_rejected(malformed: Span) -> None:
    """4 MB of links with two bytes each took minutes. The span beside it is decoded."""
    malformed.MergeFrom(protobuf_span())
    result = decode_protobuf(protobuf_request(malformed, protobuf_span()), Signal.TRACES)
    assert (len(result.spans), result.rejected, result.ignored) == (1, 1, 0)
    assert [str(one) for one in result.failures] == [
        f"resourceSpans[0].scopeSpans[0].spans[0] has more than {MAX_IGNORED_PARTS} malformed parts"
    ]


@pytest.mark.parametrize("field", [b"\x28\x01", b"\x2d1234", b"\x2912345678"], ids=["number", "4 bytes", "8 bytes"])
@pytest.mark.parametrize("tags", [b"", b"\x0a", b"\x12\x0a"], ids=["body", "block", "scope"])
def test_fields_that_otlp_does_not_have_count_as_records(field: bytes, tags: bytes) -> None:
    """A message of 64 MiB of them, which compresses to some kilobytes, took 20 seconds."""
    body = field * 11
    for tag in tags:
        body = bytes([tag, len(body)]) + body
    assert decode_protobuf(body, Signal.TRACES, 100).records == ()
    with pytest.raises(TooManyRecordsError):
        decode_protobuf(body, Signal.TRACES, 10)


def test_mutated_bodies_raise_only_otlp_errors() -> None:
    """Bytes are changed, removed and inserted."""
    random_source = random.Random(7)
    original = encode_spans([make_span(attributes={"k": ("x", "y"), "n": 5}) for _ in range(3)]).SerializeToString()
    errors = 0
    for _ in range(3000):
        body = bytearray(original)
        for _ in range(random_source.randint(1, 4)):
            at = random_source.randrange(len(body))
            body[at : at + random_source.randint(0, 2)] = random_source.randbytes(random_source.randint(0, 2))
        try:
            for span in decode_protobuf(bytes(body), Signal.TRACES).spans:
                SpanView.of(span)
        except OtlpError:
            errors += 1
    assert 0 < errors < 3000
