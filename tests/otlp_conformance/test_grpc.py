"""OTLP over gRPC.

https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from target import ATTEMPTS, PROTOBUF, TIMEOUT_SECONDS, Target, padded, sound, trace_request

EXPORT = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}


@pytest.fixture
def channel(target: Target) -> Iterator[grpc.Channel]:
    """Open a channel."""
    if target.grpc is None:
        pytest.skip("no --grpc is given")
    with grpc.insecure_channel(target.grpc, options=[("grpc.max_send_message_length", -1)]) as opened:
        yield opened


def _export(
    target: Target,
    channel: grpc.Channel,
    body: bytes,
    method: str = EXPORT["traces"],
    compression: grpc.Compression | None = None,
) -> bytes:
    """Call, and again where the server asks for it, as one that limits its clients' rates does."""
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    metadata = tuple((name.lower(), value) for name, value in target.headers.items())
    for _ in range(ATTEMPTS):
        try:
            return call(body, timeout=TIMEOUT_SECONDS, metadata=metadata, compression=compression)
        except grpc.RpcError as error:
            retry = _retry_info(error)
            if retry is None or target.is_overloaded:
                raise
            time.sleep(retry.retry_delay.ToSeconds())
    pytest.fail(f"refused {ATTEMPTS} times")


def _retry_info(error: grpc.RpcError) -> RetryInfo | None:
    assert isinstance(error, grpc.Call)
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in Status.FromString(value).details:
                info = RetryInfo()
                if detail.Unpack(info):
                    return info
    return None


def _refused(
    target: Target,
    channel: grpc.Channel,
    body: bytes,
    method: str = EXPORT["traces"],
    compression: grpc.Compression | None = None,
) -> tuple[grpc.StatusCode, RetryInfo | None]:
    with pytest.raises(grpc.RpcError) as raised:
        _export(target, channel, body, method, compression)
    error = raised.value
    assert isinstance(error, grpc.Call)
    return error.code(), _retry_info(error)


@pytest.mark.duty("G0", "MUST", "Export of spans and of log records succeeds; partial_success is unset")
@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip], ids=["plain", "gzip"])
def test_export(target: Target, channel: grpc.Channel, signal: str, compression: grpc.Compression | None) -> None:
    """Each signal has a service of its own, with one method.

    https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-response
    """
    answer = _export(target, channel, sound(signal, PROTOBUF), EXPORT[signal], compression)
    response = ExportTraceServiceResponse if signal == "traces" else ExportLogsServiceResponse
    assert not response.FromString(answer).HasField("partial_success")


@pytest.mark.duty("G0", "MUST", "Export of spans and of log records succeeds; partial_success is unset")
def test_empty_request(target: Target, channel: grpc.Channel) -> None:
    """A request without telemetry succeeds.

    https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-request
    """
    assert not ExportTraceServiceResponse.FromString(_export(target, channel, b"")).HasField("partial_success")


@pytest.mark.duty("G0b", "MUST", "partial success over gRPC has the number of rejected records, and why")
def test_partial_success(target: Target, channel: grpc.Channel) -> None:
    """A part that is not taken is counted in a response that is OK.

    https://opentelemetry.io/docs/specs/otlp/#partial-success
    """
    request = trace_request("sound", "without an id")
    request.resource_spans[0].scope_spans[0].spans[1].span_id = b""
    response = ExportTraceServiceResponse.FromString(_export(target, channel, request.SerializeToString()))
    if response.HasField("partial_success"):
        assert response.partial_success.rejected_spans in {0, 1}
        assert response.partial_success.error_message


@pytest.mark.duty("G1", "MUST", "a message over the limit is RESOURCE_EXHAUSTED without RetryInfo")
@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip], ids=["plain", "gzip"])
def test_limit(target: Target, channel: grpc.Channel, compression: grpc.Compression | None) -> None:
    """It would be too large the next time too; so RetryInfo, which invites the next time, is left out.

    https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-request
    """
    body = padded(PROTOBUF, target.max_body_bytes + 1)
    code, retry = _refused(target, channel, body, compression=compression)
    assert (code, retry) == (grpc.StatusCode.RESOURCE_EXHAUSTED, None)
    _export(target, channel, sound("traces", PROTOBUF))


@pytest.mark.duty("G2", "MUST", "overload is UNAVAILABLE, or RESOURCE_EXHAUSTED with RetryInfo")
def test_overload(target: Target, channel: grpc.Channel) -> None:
    """A client drops what RESOURCE_EXHAUSTED refuses, unless RetryInfo says that it may come again.

    https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-throttling
    """
    with target.overloaded():
        code, retry = _refused(target, channel, sound("traces", PROTOBUF))
    assert code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert code is grpc.StatusCode.UNAVAILABLE or retry is not None
    assert retry is None or retry.retry_delay.ToSeconds() >= 0


@pytest.mark.duty("G3", "SHOULD", "what cannot be decoded is INVALID_ARGUMENT, which is not retried")
def test_bad_data(target: Target, channel: grpc.Channel) -> None:
    """Malformed telemetry is the client's error.

    https://opentelemetry.io/docs/specs/otlp/#failures
    """
    assert _refused(target, channel, b"\x0a\x7f")[0] in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL}


@pytest.mark.duty("G4", "MUST", "a service that is not there is UNIMPLEMENTED")
def test_unknown_service(target: Target, channel: grpc.Channel) -> None:
    """Telemetry that is not supported is not retried.

    https://grpc.io/docs/guides/status-codes/
    """
    method = "/opentelemetry.proto.collector.nothing.v1.NothingService/Export"
    assert _refused(target, channel, b"", method)[0] is grpc.StatusCode.UNIMPLEMENTED
