"""Messages of queues: encoding, compression and signal are detected by content."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from otel_rum_exporter.otlp import OtlpError, Signal, decode_message, proto_wire
from tests.otlp.encodings import JSON_SPAN, json_request, protobuf_field
from tests.otlp.files import ONE_JSON_SPAN, ONE_LOG_RECORD, TWO_SPANS

TIMES = st.integers(0, 2**64 - 1)
COUNTS = st.integers(0, 2**32 - 1)
IDS = st.binary(min_size=16, max_size=16).filter(any), st.binary(min_size=8, max_size=8).filter(any)
VALUES = st.builds(AnyValue, string_value=st.text(max_size=8)) | st.builds(AnyValue, int_value=st.integers(0, 9))
ATTRIBUTES = st.lists(st.builds(KeyValue, key=st.text(max_size=8), value=VALUES), max_size=2)
SPANS = st.builds(
    Span,
    trace_id=IDS[0],
    span_id=IDS[1],
    trace_state=st.text(max_size=8),
    parent_span_id=st.just(b"") | IDS[1],
    name=st.text(max_size=8),
    kind=st.sampled_from(Span.SpanKind.values()),
    start_time_unix_nano=TIMES,
    end_time_unix_nano=TIMES,
    attributes=ATTRIBUTES,
    dropped_attributes_count=COUNTS,
    events=st.lists(st.builds(Span.Event, name=st.text(max_size=8)), max_size=2),
    links=st.lists(st.builds(Span.Link, trace_id=IDS[0], span_id=IDS[1]), max_size=1),
    status=st.none() | st.builds(Status, message=st.text(max_size=4)),
    flags=COUNTS,
)
LOG_RECORDS = st.builds(
    LogRecord,
    time_unix_nano=TIMES,
    observed_time_unix_nano=TIMES,
    severity_number=st.integers(0, 24),
    severity_text=st.text(max_size=8),
    body=st.none() | VALUES,
    attributes=ATTRIBUTES,
    dropped_attributes_count=COUNTS,
    flags=COUNTS,
    trace_id=st.just(b"") | IDS[0],
    span_id=st.just(b"") | IDS[1],
    event_name=st.text(max_size=8),
)
RESOURCES = st.none() | st.builds(Resource, attributes=ATTRIBUTES)
SCOPES = st.none() | st.builds(InstrumentationScope, name=st.text(max_size=8))
SPAN_SCOPES = st.builds(ScopeSpans, scope=SCOPES, spans=st.lists(SPANS, max_size=3), schema_url=st.text(max_size=4))
LOG_SCOPES = st.builds(ScopeLogs, scope=SCOPES, log_records=st.lists(LOG_RECORDS, max_size=3))
TRACE_REQUESTS = st.builds(
    ExportTraceServiceRequest,
    resource_spans=st.lists(
        st.builds(ResourceSpans, resource=RESOURCES, scope_spans=st.lists(SPAN_SCOPES, max_size=2)), max_size=2
    ),
)
LOG_REQUESTS = st.builds(
    ExportLogsServiceRequest,
    resource_logs=st.lists(
        st.builds(ResourceLogs, resource=RESOURCES, scope_logs=st.lists(LOG_SCOPES, max_size=2)), max_size=2
    ),
)
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "fast zlib": lambda content: zlib.compress(content, 1),
    "zstd": zstd.compress,
}


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(TWO_SPANS, (2, 0), id="spans"),
        pytest.param(ONE_LOG_RECORD, (0, 1), id="log record"),
        pytest.param(ONE_JSON_SPAN, (1, 0), id="JSON"),
        pytest.param(b"\n  " + ONE_JSON_SPAN, (1, 0), id="JSON after a newline"),
        pytest.param(b"\xef\xbb\xbf" + ONE_JSON_SPAN, (1, 0), id="JSON with a byte order mark"),
        pytest.param(b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{}]}]}]}', (0, 1), id="log record in JSON"),
        pytest.param(b'{"resourceSpans": []}', (0, 0), id="empty JSON"),
    ],
)
def test_form_is_detected(compress: Callable[[bytes], bytes], body: bytes, expected: tuple[int, int]) -> None:
    """Every encoding in every compression."""
    result = decode_message(compress(body))
    assert (len(result.spans), len(result.log_records), result.failures) == (*expected, ())


@settings(max_examples=25)
@given(TRACE_REQUESTS)
def test_random_spans_are_spans(request: ExportTraceServiceRequest) -> None:
    """Whichever fields are set."""
    sent = [span for block in request.resource_spans for scope in block.scope_spans for span in scope.spans]
    result = decode_message(request.SerializeToString())
    assert [span.context.span_id.to_bytes(8, "big") for span in result.spans] == [span.span_id for span in sent]
    assert (result.log_records, result.rejected) == ((), 0)


@settings(max_examples=25)
@given(LOG_REQUESTS)
def test_random_log_records_are_log_records(request: ExportLogsServiceRequest) -> None:
    """Whichever fields are set, also none."""
    sent = [record for block in request.resource_logs for scope in block.scope_logs for record in scope.log_records]
    result = decode_message(request.SerializeToString())
    assert [record.log_record.event_name or "" for record in result.log_records] == [r.event_name for r in sent]
    assert (result.spans, result.rejected) == ((), 0)


def test_protobuf_that_begins_like_json_is_read() -> None:
    """The tag of the first field is a newline, and a block of 123 bytes has a brace as its length."""
    for padding in range(200):
        span = Span(trace_id=b"t" * 16, span_id=b"s" * 8, name="x" * padding)
        scope = ScopeSpans(spans=[span])
        body = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[scope])]).SerializeToString()
        if body.startswith(b"\n{"):
            break
    assert body.startswith(b"\n{")
    assert len(decode_message(body).spans) == 1


def test_malformed_record_is_rejected_alone() -> None:
    """The others of its message are read."""
    result = decode_message(json_request(JSON_SPAN, {**JSON_SPAN, "spanId": 5}))
    assert (len(result.spans), result.rejected) == (1, 1)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"not telemetry", id="text"),
        pytest.param(b"\n", id="newline"),
        pytest.param(b"\x10\x01", id="other protobuf"),
        pytest.param(json_request({}), id="no valid record"),
        pytest.param(b'{"resourceMetrics": []}', id="metrics"),
        pytest.param(protobuf_field(1, protobuf_field(2, protobuf_field(2, b"\x0a\x05queue"))), id="protobuf metrics"),
        pytest.param(b"{", id="incomplete JSON"),
        pytest.param(b"\n{", id="incomplete JSON or protobuf"),
        pytest.param(b"[" * 100_000, id="nested JSON"),
        pytest.param(gzip.compress(TWO_SPANS)[:-1], id="incomplete gzip"),
        pytest.param(zlib.compress(TWO_SPANS)[:-1], id="incomplete zlib"),
        pytest.param(zstd.compress(TWO_SPANS)[:-1], id="incomplete zstd"),
        pytest.param(zstd.compress(TWO_SPANS) + b"x", id="more after zstd"),
        pytest.param(gzip.compress(b"") * 10_000, id="empty gzip members"),
        pytest.param(b'{"resourceSpans":[' + b"{}," * 100_001 + b"{}]}", id="too many blocks of JSON"),
        pytest.param(b'{"x":[' + b"0," * 4_000_000 + b"0]}", id="too many values of JSON"),
        pytest.param(b"\x0a\x00" * 100_001, id="too many blocks of protobuf"),
    ],
)
def test_other_content_is_an_error(value: bytes) -> None:
    """Every failure has one type."""
    with pytest.raises(OtlpError):
        decode_message(value)


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_size_is_limited(compress: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds after decompression."""
    monkeypatch.setattr("otel_rum_exporter.otlp.message.MAX_MESSAGE_BYTES", 1000)
    with pytest.raises(OtlpError, match="more than 1000 bytes"):
        decode_message(compress(bytes(1001)))


def test_random_bytes_raise_only_otlp_errors() -> None:
    """Mutations of every form."""
    dice = random.Random(15)
    forms = [
        compress(body) for compress in COMPRESSIONS.values() for body in (TWO_SPANS, ONE_LOG_RECORD, ONE_JSON_SPAN)
    ]
    for _ in range(2000):
        value = bytearray(dice.choice(forms))
        for _ in range(dice.randint(1, 3)):
            value[dice.randrange(len(value))] = dice.randrange(256)
        try:
            decode_message(bytes(value[: dice.randint(1, len(value))]))
        except OtlpError:
            continue


def test_the_search_for_the_signal_of_a_message_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 MiB of empty blocks, which are few bytes compressed, took gigabytes of memory."""
    monkeypatch.setattr(proto_wire, "MAX_RECORDS", 10)
    assert proto_wire.signal_in(b"\x0a\x00" * 5 + TWO_SPANS) is Signal.TRACES
    assert proto_wire.signal_in(b"\x0a\x00" * 50 + TWO_SPANS) is Signal.LOGS, "it is not read so far"
    with pytest.raises(proto_wire.WireError, match="neither spans nor log records"):
        proto_wire.signal_in(b"\x12\x00" * 50 + TWO_SPANS)
    with pytest.raises(proto_wire.WireError, match="neither spans nor log records"):
        proto_wire.signal_in(b"\x28\x01" * 50 + TWO_SPANS)


def test_the_search_for_the_signal_of_a_record_is_bounded() -> None:
    """A record of many empty trace states, whose tag log records have too, took half a minute."""
    common, of_log = b"\x1a\x00", b"\x32\x00"
    assert proto_wire.signal_of(common * 3 + of_log, 0, 8) is Signal.LOGS
    assert proto_wire.signal_of(common * 1000 + of_log, 0, 2002) is None, "it is not read so far"
