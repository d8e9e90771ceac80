"""Files of OTLP: encoding, frames and signal are found out."""

from __future__ import annotations

import json

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource

from otel_rum_exporter.otlp import DecodedSpan, OtlpError, decode_file
from tests.spans import START_NS, make_span

SPANS = encode_spans([make_span("one"), make_span("two")]).SerializeToString()
LOGS = encode_logs(
    [ReadableLogRecord(LogRecord(timestamp=START_NS, event_name="shown"), Resource({"service.name": "shop"}))]
).SerializeToString()
JSON = b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "%s", "spanId": "%s", "name": "one"}]}]}]}' % (
    b"a" * 32,
    b"b" * 16,
)


def _framed(*bodies: bytes) -> bytes:
    return b"".join(len(body).to_bytes(4, "big") + body for body in bodies)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        pytest.param(SPANS, ["one", "two"], id="spans"),
        pytest.param(LOGS, ["shown"], id="log records"),
        pytest.param(_framed(SPANS, LOGS, SPANS), ["one", "two", "shown", "one", "two"], id="both, framed"),
        pytest.param(JSON, ["one"], id="JSON"),
        pytest.param(JSON + b"\n" + JSON, ["one", "one"], id="JSON lines"),
    ],
)
def test_a_file_says_what_it_is(content: bytes, names: list[str]) -> None:
    """Spans and log records come in their order, whatever the file is written in."""
    decoded = decode_file(content)
    found = [r.name if isinstance(r, DecodedSpan) else r.log_record.event_name for r in decoded.records]
    assert found == names
    assert decoded.faults == ()


def test_a_message_that_is_malformed_costs_only_itself() -> None:
    """The fault has its number in the file."""
    decoded = decode_file(_framed(SPANS, b"\x0a\x03abc"))
    assert len(decoded.records) == 2
    assert str(decoded.faults[0]).startswith("message 2 is not OTLP in protobuf: ")


def _metrics() -> bytes:
    reader = InMemoryMetricReader()
    MeterProvider([reader]).get_meter("x").create_counter("c").add(1)
    return bytes(encode_metrics(reader.get_metrics_data()).SerializeToString())  # type: ignore[arg-type]


def test_an_empty_file_is_an_error() -> None:
    """It is neither encoding, and both would say so at length."""
    with pytest.raises(OtlpError, match=r"^it is empty$"):
        decode_file(b"")


@pytest.mark.parametrize("content", [_metrics(), b"not telemetry", b"\x00\x00\x00\x05ab", json.dumps([1]).encode()])
def test_what_is_no_telemetry_for_rum_is_refused(content: bytes) -> None:
    """The error says why it is neither of the encodings."""
    with pytest.raises(OtlpError, match=r"neither JSON .* nor protobuf"):
        decode_file(content)
