"""OTLP over gRPC.

https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from target import ATTEMPTS, PROTOBUF, TIMEOUT_SECONDS, Target, padded, trace_request, valid_body

EXPORT = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}


class GrpcClient:
    """Calls `Export` of the server under test with any bytes."""

    def __init__(self, target: Target, channel: grpc.Channel) -> None:
        self._target = target
        self._channel = channel

    def export(self, body: bytes, method: str = EXPORT["traces"], compression: grpc.Compression | None = None) -> bytes:
        """Return the response.

        If the server throttles, for example by a rate limit, the call is repeated after the given delay.
        """
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(method)
        metadata = tuple((name.lower(), value) for name, value in self._target.headers.items())
        for _ in range(ATTEMPTS):
            try:
                return call(body, timeout=TIMEOUT_SECONDS, metadata=metadata, compression=compression)
            except grpc.RpcError as error:
                retry = _retry_info(error)
                if retry is None or self._target.is_overloaded:
                    raise
                time.sleep(retry.retry_delay.ToSeconds())
        pytest.fail(f"throttled {ATTEMPTS} times")

    def export_error(self, body: bytes, **options: Any) -> tuple[grpc.StatusCode, RetryInfo | None]:
        """Return the status of a call that must fail, and its retry delay."""
        with pytest.raises(grpc.RpcError) as raised:
            self.export(body, **options)
        error = raised.value
        assert isinstance(error, grpc.Call)
        return error.code(), _retry_info(error)


def _retry_info(error: grpc.RpcError) -> RetryInfo | None:
    assert isinstance(error, grpc.Call)
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in Status.FromString(value).details:
                info = RetryInfo()
                if detail.Unpack(info):
                    return info
    return None


@pytest.fixture
def client(target: Target) -> Iterator[GrpcClient]:
    """Open a channel to the server."""
    if target.grpc is None:
        pytest.skip("--grpc is not set")
    with grpc.insecure_channel(target.grpc, options=[("grpc.max_send_message_length", -1)]) as channel:
        yield GrpcClient(target, channel)


@pytest.mark.requirement("G0", "MUST", "Export of spans and of log records succeeds; partial_success is unset")
@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip], ids=["plain", "gzip"])
def test_export(client: GrpcClient, signal: str, compression: grpc.Compression | None) -> None:
    """Each signal has a service with one method.

    https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-response
    """
    response = client.export(valid_body(signal, PROTOBUF), EXPORT[signal], compression)
    kind = ExportTraceServiceResponse if signal == "traces" else ExportLogsServiceResponse
    assert not kind.FromString(response).HasField("partial_success")


@pytest.mark.requirement("G0", "MUST", "Export of spans and of log records succeeds; partial_success is unset")
def test_empty_request(client: GrpcClient) -> None:
    """A request without telemetry succeeds.

    https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-request
    """
    assert not ExportTraceServiceResponse.FromString(client.export(b"")).HasField("partial_success")


@pytest.mark.requirement("G0b", "MUST", "partial success has the number of rejected records and the reason")
def test_partial_success(client: GrpcClient) -> None:
    """Rejected records are counted in a response with the status OK.

    https://opentelemetry.io/docs/specs/otlp/#partial-success
    """
    request = trace_request("valid", "without an id")
    request.resource_spans[0].scope_spans[0].spans[1].span_id = b""
    response = ExportTraceServiceResponse.FromString(client.export(request.SerializeToString()))
    if response.HasField("partial_success"):
        assert response.partial_success.rejected_spans in {0, 1}
        assert response.partial_success.error_message


@pytest.mark.requirement("G1", "MUST", "a message over the limit is RESOURCE_EXHAUSTED without RetryInfo")
@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip], ids=["plain", "gzip"])
def test_limit(target: Target, client: GrpcClient, compression: grpc.Compression | None) -> None:
    """A retry would fail again, so there is no RetryInfo, which asks for one.

    https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-request
    """
    body = padded(PROTOBUF, target.max_body_bytes + 1)
    code, retry = client.export_error(body, compression=compression)
    assert (code, retry) == (grpc.StatusCode.RESOURCE_EXHAUSTED, None)
    client.export(valid_body("traces", PROTOBUF))


@pytest.mark.requirement("G2", "MUST", "overload is UNAVAILABLE, or RESOURCE_EXHAUSTED with RetryInfo")
def test_overload(target: Target, client: GrpcClient) -> None:
    """Clients retry RESOURCE_EXHAUSTED only with RetryInfo.

    https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-throttling
    """
    with target.overloaded():
        code, retry = client.export_error(valid_body("traces", PROTOBUF))
    assert code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert code is grpc.StatusCode.UNAVAILABLE or retry is not None
    assert retry is None or retry.retry_delay.ToSeconds() >= 0


@pytest.mark.requirement("G3", "SHOULD", "an undecodable body is INVALID_ARGUMENT, which clients do not retry")
def test_bad_data(client: GrpcClient) -> None:
    """Malformed telemetry is the client's error.

    https://opentelemetry.io/docs/specs/otlp/#failures
    """
    assert client.export_error(b"\x0a\x7f")[0] in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL}


@pytest.mark.requirement("G4", "MUST", "an unknown service is UNIMPLEMENTED")
def test_unknown_service(client: GrpcClient) -> None:
    """Clients do not retry unsupported telemetry.

    https://grpc.io/docs/guides/status-codes/
    """
    method = "/opentelemetry.proto.collector.nothing.v1.NothingService/Export"
    assert client.export_error(b"", method=method)[0] is grpc.StatusCode.UNIMPLEMENTED
