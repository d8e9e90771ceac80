"""OTLP over gRPC: what reaches RUM, who may send, what is refused; what all receivers owe is in otlp_conformance."""

from __future__ import annotations

import socket
from collections.abc import Callable

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from otel_rum_exporter.gateway import Gateway, GatewaySettings
from otel_rum_exporter.gateway.otlp_grpc import _host
from otel_rum_exporter.gateway.server import Server
from otel_rum_exporter.local import LocalRum
from tests.gateway.bodies import spans
from tests.gateway.conftest import MakeGateway

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
Serve = Callable[[Gateway], GatewaySettings]


def _export(port: int, body: bytes, *metadata: tuple[str, str]) -> ExportTraceServiceResponse:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
        return ExportTraceServiceResponse.FromString(call(body, timeout=30, metadata=metadata))


def _refused(port: int, body: bytes, *metadata: tuple[str, str]) -> tuple[grpc.StatusCode, Status]:
    with pytest.raises(grpc.RpcError) as raised:
        _export(port, body, *metadata)
    error = raised.value
    assert isinstance(error, grpc.Call)
    details = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    assert isinstance(details, bytes)
    return error.code(), Status.FromString(details)


def test_spans_become_events(rum: LocalRum, make_gateway: MakeGateway, serve: Serve) -> None:
    """Through the exporter's mapping, with an empty response."""
    response = _export(serve(make_gateway()).grpc_port, spans("work"))
    assert not response.HasField("partial_success")
    rum.wait_for("work")


def test_partial_success_has_count_and_reason(make_gateway: MakeGateway, serve: Serve) -> None:
    """Only the malformed record is rejected."""
    request = ExportTraceServiceRequest.FromString(spans("work", "other"))
    request.resource_spans[0].scope_spans[0].spans[1].trace_id = b"short"
    partial = _export(serve(make_gateway()).grpc_port, request.SerializeToString()).partial_success
    assert partial.rejected_spans == 1
    assert partial.error_message.endswith("spans[1].traceId has 5 bytes, not 16")


def test_a_token_is_required_if_set(make_gateway: MakeGateway, serve: Serve) -> None:
    """In the metadata `authorization`."""
    port = serve(make_gateway(token="secret")).grpc_port
    for metadata in ((), (("authorization", "Bearer wrong"),)):
        assert _refused(port, b"", *metadata)[0] is grpc.StatusCode.UNAUTHENTICATED
    _export(port, b"", ("authorization", "Bearer secret"))


def test_the_request_rate_of_an_address_is_limited(make_gateway: MakeGateway, serve: Serve) -> None:
    """Above it the response is UNAVAILABLE with a retry delay; all ports of an address count together."""
    port = serve(make_gateway(client_bytes_per_second=1)).grpc_port
    _export(port, spans("work"))
    code, status = _refused(port, spans("work"))
    retry = RetryInfo()
    assert status.details[0].Unpack(retry)
    assert (code, status.code) == (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE.value[0])
    assert retry.retry_delay.ToSeconds() >= 1


def test_an_internal_error_is_reported_as_internal(
    make_gateway: MakeGateway, serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without details for the client."""

    def fail(*_: object) -> None:
        raise ValueError("boom")

    monkeypatch.setattr("otel_rum_exporter.gateway.receiver.decode_protobuf", fail)
    code, status = _refused(serve(make_gateway()).grpc_port, b"")
    assert (code, status.message) == (grpc.StatusCode.INTERNAL, "internal error")
    assert "To fix: report this" in caplog.text


def test_a_port_in_use_is_an_error(make_gateway: MakeGateway) -> None:
    """An OSError names it, and the HTTP port is released."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=str(port)):
            Server(make_gateway(grpc_port=port))


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:192.0.2.1:4317", "192.0.2.1"),
        ("ipv6:%5B2001:db8::1%5D:4317", "2001:db8::1"),
        ("ipv6:[::1]:4317", "::1"),
        ("unix:/run/otlp.sock", "/run/otlp.sock"),
        ("", ""),
    ],
)
def test_a_peer_has_an_address(peer: str, host: str) -> None:
    """In each notation of gRPC."""
    assert _host(peer) == host
