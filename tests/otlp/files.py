"""Bodies of OTLP and files of them."""

from __future__ import annotations

from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource

from tests.otlp.encodings import JSON_SPAN, json_request
from tests.spans import START_NS, make_span

TWO_SPANS = encode_spans([make_span("one"), make_span("two")]).SerializeToString()
ONE_LOG_RECORD = encode_logs(
    [ReadableLogRecord(LogRecord(timestamp=START_NS, event_name="shown"), Resource({"service.name": "shop"}))]
).SerializeToString()
ONE_JSON_SPAN = json_request(JSON_SPAN)


def framed(*bodies: bytes) -> bytes:
    """Return a file in which each body follows its length, as the Collector writes it."""
    return b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
