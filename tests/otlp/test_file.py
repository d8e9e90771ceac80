"""Files of OTLP: encoding, frames and signal are detected."""

from __future__ import annotations

import json

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_rum_exporter.otlp import DecodedLogRecord, DecodedSpan, OtlpError, decode_file, decode_json_file
from tests.otlp.encodings import JSON_SPAN, json_request
from tests.otlp.files import ONE_JSON_SPAN, ONE_LOG_RECORD, TWO_SPANS, framed

INDENTED = json.dumps(json.loads(ONE_JSON_SPAN), indent=2).encode()
BLOCK = json.dumps(json.loads(ONE_JSON_SPAN)["resourceSpans"][0]).encode()
"""As the exporter for Java's logs writes it."""


@pytest.mark.parametrize(
    ("content", "names"),
    [
        pytest.param(TWO_SPANS, ["one", "two"], id="spans"),
        pytest.param(ONE_LOG_RECORD, ["shown"], id="log records"),
        pytest.param(framed(TWO_SPANS, ONE_LOG_RECORD, TWO_SPANS), ["one", "two", "shown", "one", "two"], id="frames"),
        pytest.param(ONE_JSON_SPAN, ["work"], id="JSON"),
        pytest.param(ONE_JSON_SPAN + b"\n" + ONE_JSON_SPAN, ["work", "work"], id="JSON lines"),
        pytest.param(INDENTED, ["work"], id="indented JSON"),
        pytest.param(INDENTED + b"\n" + INDENTED, ["work", "work"], id="indented documents"),
        pytest.param(ONE_JSON_SPAN + ONE_JSON_SPAN, ["work", "work"], id="documents without a line feed"),
        pytest.param(b"[" + ONE_JSON_SPAN + b"," + ONE_JSON_SPAN + b"]", ["work", "work"], id="a list of requests"),
        pytest.param(BLOCK, ["work"], id="the block of a resource"),
        pytest.param(BLOCK + b"\n" + BLOCK, ["work", "work"], id="blocks as lines"),
        pytest.param(b"[" + BLOCK + b"]", ["work"], id="a list of blocks"),
    ],
)
def test_format_is_detected(content: bytes, names: list[str]) -> None:
    """Records keep their order."""
    result = decode_file(content)
    found = [r.name if isinstance(r, DecodedSpan) else r.log_record.event_name for r in result.records]
    assert found == names
    assert result.failures == ()


def test_malformed_message_is_rejected_alone() -> None:
    """The failure has its number in the file."""
    result = decode_file(framed(TWO_SPANS, b"\x0a\x03abc"))
    assert len(result.records) == 2
    assert str(result.failures[0]).startswith("message 2 is not OTLP in protobuf: ")


def test_malformed_line_is_rejected_alone() -> None:
    """Spans and log records keep the order of the lines. Failures have the number of the line."""
    log = b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"eventName": "e"}]}]}]}'
    malformed_span = json_request({**JSON_SPAN, "spanId": 5})
    result = decode_json_file(b"\r\n".join([ONE_JSON_SPAN, b"", log, malformed_span, ONE_JSON_SPAN[:-9]]))
    assert [type(record) for record in result.records] == [DecodedSpan, DecodedLogRecord]
    first, second = map(str, result.failures)
    assert first == "line 4: resourceSpans[0].scopeSpans[0].spans[0].spanId is 5, not a string"
    assert second.startswith("line 5 is not JSON: ")


def _metrics() -> bytes:
    reader = InMemoryMetricReader()
    MeterProvider([reader]).get_meter("x").create_counter("c").add(1)
    return bytes(encode_metrics(reader.get_metrics_data()).SerializeToString())  # type: ignore[arg-type]


def test_empty_file_is_an_error() -> None:
    """The message is not that of either encoding."""
    with pytest.raises(OtlpError, match=r"^it is empty$"):
        decode_file(b"")


@pytest.mark.parametrize("content", [_metrics(), b"not telemetry", b"\x00\x00\x00\x05ab", json.dumps([1]).encode()])
def test_other_content_is_an_error(content: bytes) -> None:
    """The message has the reason for both encodings."""
    with pytest.raises(OtlpError, match=r"neither JSON .* nor protobuf"):
        decode_file(content)


def test_other_text_is_an_error() -> None:
    """The message has the reason for the whole file and for its first line."""
    with pytest.raises(OtlpError, match=r"^not JSON: .*line 1 is not JSON: "):
        decode_json_file(b"hello\nworld\n")
