"""The server under test, and requests to it."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PROTOBUF, JSON = "application/x-protobuf", "application/json"
ENCODINGS = (PROTOBUF, JSON)
PATHS = {"traces": "/v1/traces", "logs": "/v1/logs"}
TIMEOUT_SECONDS = 60
ATTEMPTS = 10
RETRYABLE = frozenset({429, 503})
START_NS = 1_795_000_000_000_000_000

both_encodings = pytest.mark.parametrize("encoding", ENCODINGS, ids=["protobuf", "json"])

TRACE_ID, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


@dataclass(frozen=True)
class Response:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip()

    def export(self, signal: str = "traces") -> dict[str, Any]:
        """Return an export response in the form of JSON: `{}` or `{"partialSuccess": ...}`."""
        if self.media_type == JSON:
            read = json.loads(self.body)
            assert isinstance(read, dict)
            # In protobuf's JSON, null means that a field is not set.
            return {name: value for name, value in read.items() if value is not None}
        response = {"traces": ExportTraceServiceResponse, "logs": ExportLogsServiceResponse}[signal]()
        response.ParseFromString(self.body)
        if not response.HasField("partial_success"):
            return {}
        partial = response.partial_success
        rejected = partial.rejected_spans if signal == "traces" else partial.rejected_log_records
        return {"partialSuccess": {"rejected": rejected, "errorMessage": partial.error_message}}

    def status_message(self) -> str:
        """Return the message of a `google.rpc.Status`; fail if the body is not one."""
        if self.media_type == JSON:
            read = json.loads(self.body)
            assert isinstance(read, dict)
            assert set(read) <= {"code", "message", "details"}, f"not a Status: {read}"
            return str(read.get("message", ""))
        status = Status()
        status.ParseFromString(self.body)
        assert status.message or status.code, "an empty Status"
        return str(status.message)


@dataclass
class Target:
    """A server under test.

    `overload` makes the server reject requests as if it had no room, until `end_overload`. None if that is impossible.
    `deviations` has the reason for each requirement that the server does not meet on purpose, by its id.
    """

    url: str
    grpc: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    max_body_bytes: int = 64 * 1024 * 1024
    origin: str | None = None
    overload: Callable[[], None] | None = None
    end_overload: Callable[[], None] | None = None
    deviations: Mapping[str, str] = field(default_factory=dict)
    is_overloaded: bool = False

    @contextmanager
    def overloaded(self) -> Iterator[None]:
        """Overload the server until the end of the block."""
        if self.overload is None or self.end_overload is None:
            pytest.skip("this server cannot be overloaded on purpose")
        self.overload()
        self.is_overloaded = True
        try:
            yield
        finally:
            self.is_overloaded = False
            self.end_overload()

    def send(
        self,
        path: str,
        body: bytes | Sequence[bytes] = b"",
        *,
        method: str = "POST",
        **headers: str,
    ) -> Response:
        """Send a request. Names of headers have `_` for `-`. A body in pieces is sent chunked, without a length.

        If the server throttles, for example by a rate limit, the request is sent again after the given delay.
        """
        for _ in range(ATTEMPTS):
            with self.connection() as connection:
                response = self.send_on(connection, path, body, method=method, **headers)
            if self.is_overloaded or response.status not in RETRYABLE:
                break
            time.sleep(float(response.headers.get("retry-after", "1")))
        return response

    def send_on(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        body: bytes | Sequence[bytes] = b"",
        *,
        method: str = "POST",
        **headers: str,
    ) -> Response:
        """Send a request on an open connection."""
        named = {name.replace("_", "-"): value for name, value in headers.items()} | dict(self.headers)
        is_chunked = not isinstance(body, bytes)
        place = urlsplit(self.url).path.rstrip("/") + path
        # A server may respond and close before it has the whole request.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, place, body, named, encode_chunked=is_chunked)
        response = connection.getresponse()
        return Response(
            response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        )

    @contextmanager
    def connection(self) -> Iterator[http.client.HTTPConnection]:
        """Open a connection until the end of the block."""
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
        try:
            yield connection
        finally:
            connection.close()

    def export(self, encoding: str, body: bytes | None = None, signal: str = "traces", **headers: str) -> Response:
        """Send an export request, with one valid record unless there is a body."""
        content = valid_body(signal, encoding) if body is None else body
        return self.send(PATHS[signal], content, content_type=encoding, **headers)


def valid_body(signal: str, encoding: str, *, name: str = "conformance") -> bytes:
    """Return the body of an export request with one valid record."""
    resource = [{"key": "service.name", "value": {"stringValue": "otlp-conformance"}}]
    if encoding == JSON:
        span = {
            "traceId": TRACE_ID,
            "spanId": SPAN_ID,
            "name": name,
            "kind": 2,
            "startTimeUnixNano": str(START_NS),
            "endTimeUnixNano": str(START_NS + 5_000_000),
        }
        log = {"timeUnixNano": str(START_NS), "severityNumber": 9, "body": {"stringValue": name}}
        block: dict[str, Any] = {"resource": {"attributes": resource}}
        if signal == "traces":
            return json.dumps({"resourceSpans": [block | {"scopeSpans": [{"spans": [span]}]}]}).encode()
        return json.dumps({"resourceLogs": [block | {"scopeLogs": [{"logRecords": [log]}]}]}).encode()
    if signal == "traces":
        return trace_request(name).SerializeToString()
    logs = ExportLogsServiceRequest()
    logs_block = logs.resource_logs.add()
    logs_block.resource.attributes.add(key="service.name").value.string_value = "otlp-conformance"
    record = logs_block.scope_logs.add().log_records.add(time_unix_nano=START_NS, severity_number=9)
    record.body.string_value = name
    return logs.SerializeToString()


def trace_request(*names: str) -> ExportTraceServiceRequest:
    """Return an export request with a valid span of each name."""
    request = ExportTraceServiceRequest()
    block = request.resource_spans.add()
    block.resource.attributes.add(key="service.name").value.string_value = "otlp-conformance"
    spans = block.scope_spans.add().spans
    for number, name in enumerate(names, 1):
        spans.add(
            trace_id=bytes.fromhex(TRACE_ID),
            span_id=number.to_bytes(8, "big"),
            name=name,
            kind=2,
            start_time_unix_nano=START_NS,
            end_time_unix_nano=START_NS + 5_000_000,
        )
    return request


def json_span(**fields: Any) -> bytes:
    """Return a JSON body with one span with the required and these fields."""
    span = {"traceId": TRACE_ID, "spanId": SPAN_ID, "name": "conformance", **fields}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def padded(encoding: str, size_bytes: int) -> bytes:
    """Return a valid body of the given size: blanks in JSON, an unknown field in protobuf."""
    if encoding == JSON:
        return b"{" + b" " * (size_bytes - 2) + b"}"
    length = size_bytes - 5
    varint = bytes([0x80 | length >> shift & 0x7F for shift in (0, 7, 14)] + [length >> 21 & 0x7F])
    return b"\x7a" + varint + bytes(length)


def gzipped(body: bytes) -> bytes:
    """Return a body compressed by gzip."""
    return gzip.compress(body, 6)
