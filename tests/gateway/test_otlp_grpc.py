"""OTLP over gRPC, apart from what otlp_conformance checks: events, authentication, limits and error responses."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from otel_rum_exporter.gateway import message_turns
from otel_rum_exporter.gateway.error_response import Reason, RequestError
from otel_rum_exporter.gateway.message_turns import MessageTurns
from otel_rum_exporter.gateway.otlp_grpc import peer_host
from otel_rum_exporter.gateway.server import Server
from otel_rum_exporter.local import LocalRum
from tests.gateway.bodies import spans
from tests.gateway.conftest import MakeGateway, Serve

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def _export(port: int, body: bytes, *metadata: tuple[str, str]) -> ExportTraceServiceResponse:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
        return ExportTraceServiceResponse.FromString(call(body, timeout=30, metadata=metadata))


def _error(port: int, body: bytes, *metadata: tuple[str, str]) -> tuple[grpc.StatusCode, Status]:
    with pytest.raises(grpc.RpcError) as raised:
        _export(port, body, *metadata)
    error = raised.value
    assert isinstance(error, grpc.Call)
    details = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    assert isinstance(details, bytes)
    return error.code(), Status.FromString(details)


def test_spans_become_events(rum: LocalRum, make_gateway: MakeGateway, serve: Serve) -> None:
    """The response is empty."""
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
    """Clients send it as metadata `authorization`."""
    port = serve(make_gateway(token="secret")).grpc_port
    for metadata in ((), (("authorization", "Bearer wrong"),)):
        assert _error(port, b"", *metadata)[0] is grpc.StatusCode.UNAUTHENTICATED
    _export(port, b"", ("authorization", "Bearer secret"))


def test_the_byte_rate_of_an_address_is_limited(make_gateway: MakeGateway, serve: Serve) -> None:
    """Above it the response is UNAVAILABLE with a retry delay; all ports of an address count together."""
    port = serve(make_gateway(client_bytes_per_second=1)).grpc_port
    _export(port, spans("work"))
    code, status = _error(port, spans("work"))
    retry = RetryInfo()
    assert status.details[0].Unpack(retry)
    assert (code, status.code) == (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE.value[0])
    assert retry.retry_delay.ToSeconds() >= 1


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_compressed_message_is_accepted_within_the_limit(
    rum: LocalRum, make_gateway: MakeGateway, serve: Serve, compression: grpc.Compression
) -> None:
    """The limit applies to the decompressed size."""
    port = serve(make_gateway(max_body_bytes=100_000)).grpc_port
    with grpc.insecure_channel(f"127.0.0.1:{port}", compression=compression) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
        assert call(spans("work"), timeout=30) == b""
        with pytest.raises(grpc.RpcError) as raised:
            call(bytes(100_001), timeout=30)
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    rum.wait_for("work")


@contextmanager
def _silent_calls(port: int, connections: int, calls: int) -> Iterator[Sequence[grpc.Future[bytes]]]:
    """Start calls that send their headers and no message."""
    may_end = threading.Event()

    def no_message() -> Iterator[bytes]:
        may_end.wait(60)
        yield from ()

    with ExitStack() as stack:
        stack.callback(may_end.set)
        silent = []
        for _ in range(connections):
            options = [("grpc.use_local_subchannel_pool", 1)]
            channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}", options))
            send: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(EXPORT)
            silent += [send.future(no_message()) for _ in range(calls)]
        yield silent
        for one in silent:
            one.cancel()


@pytest.mark.parametrize(("connections", "calls"), [(1, 16), (4, 1), (6, 2)])
def test_calls_without_a_message_do_not_block_others(
    rum: LocalRum, make_gateway: MakeGateway, serve: Serve, connections: int, calls: int
) -> None:
    """They give up their turn to others, also if no token is set."""
    port = serve(make_gateway()).grpc_port
    with _silent_calls(port, connections, calls):
        for number in range(3):
            _export(port, spans(f"work_{number}"))
    assert {event.type for event in rum.wait_for(count=3)} == {"work_0", "work_1", "work_2"}


def test_a_call_is_authenticated_before_its_message(make_gateway: MakeGateway, serve: Serve) -> None:
    """A call without the token ends at once."""
    port = serve(make_gateway(token="secret")).grpc_port
    with _silent_calls(port, 1, 5) as silent:
        for call in silent:
            error = call.exception(timeout=20)
            assert isinstance(error, grpc.RpcError)
            assert isinstance(error, grpc.Call)
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_message_that_does_not_arrive_is_an_error(
    make_gateway: MakeGateway, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its call does not stay forever."""
    monkeypatch.setattr(message_turns, "TURN_SECONDS", 0.05)
    monkeypatch.setattr(message_turns, "MESSAGE_SECONDS", 0.1)
    with _silent_calls(serve(make_gateway()).grpc_port, 1, 1) as (silent,):
        error = silent.exception(timeout=20)
        assert isinstance(error, grpc.Call)
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_turns_are_shared_by_connections_in_order() -> None:
    """Each connection has one turn at most. A call that is cancelled gives its place away."""

    async def run() -> list[str]:
        turns, order, may_end = MessageTurns(), [], asyncio.Event()

        async def call(connection: str, name: str) -> None:
            async with turns.turn("192.0.2.1", connection):
                order.append(name)
                await may_end.wait()

        tasks = []
        for name in ("a1", "a2", "b1", "c1", "c2"):
            tasks.append(asyncio.create_task(call(name[0], name)))
            await asyncio.sleep(0)
        assert order == ["a1", "b1"]
        tasks[3].cancel()
        tasks[2].cancel()
        await asyncio.wait(tasks[2:4])
        await asyncio.sleep(0)
        may_end.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not turns._active
        assert not turns._waiting
        return order

    assert asyncio.run(run()) == ["a1", "b1", "c2", "a2"]


def test_addresses_get_turns_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client with many connections that send nothing stopped the receiver for all others."""
    monkeypatch.setattr(message_turns, "TURN_SECONDS", 0.01)

    async def run() -> list[str]:
        turns, order = MessageTurns(), []

        async def call(address: str, connection: str, message: asyncio.Future[bytes]) -> None:
            async with turns.turn(address, connection):
                order.append(connection)
                await turns.receive(connection, message)

        never = asyncio.get_running_loop().create_future()
        silent = [asyncio.create_task(call("silent", f"silent {n}", asyncio.shield(never))) for n in range(100)]
        await asyncio.sleep(0)
        for number in range(3):
            message = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(call("client", f"client {number}", message))
            while f"client {number}" not in order:  # noqa: ASYNC110 - an event would be set after each turn
                await asyncio.sleep(0.001)
            turn_of_silent = len(order)
            while len(order) < turn_of_silent + 5:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            assert not task.done(), "the calls of the other address wait for its own turn"
            message.set_result(b"")
            await task
        for one in silent:
            one.cancel()
        await asyncio.gather(*silent, return_exceptions=True)
        return order

    order = asyncio.run(run())
    places = [order.index(f"client {number}") for number in range(3)]
    assert places[0] <= 3
    assert places[2] < 100


def test_too_many_waiting_calls_are_rejected() -> None:
    """Each occupies memory. Those of the address with most of them are rejected."""

    async def run() -> None:
        turns = MessageTurns()
        async with turns.turn("a", "a"), turns.turn("b", "b"):
            waiting = [asyncio.create_task(turns.turn("a", "a").__aenter__()) for _ in range(message_turns.MAX_WAITING)]
            await asyncio.sleep(0)
            other = asyncio.create_task(turns.turn("c", "c").__aenter__())
            with pytest.raises(RequestError) as raised:
                await waiting[-1]
            assert raised.value.reason is Reason.OVERLOADED
            assert not other.done()
            assert not any(task.done() for task in waiting[:-1])
            for task in (*waiting[:-1], other):
                task.cancel()
            await asyncio.wait([*waiting, other])
        assert not turns._waiting

    asyncio.run(run())


def test_an_internal_error_is_reported_as_internal(
    make_gateway: MakeGateway, serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets no details."""

    def fail(*_: object) -> None:
        raise ValueError("boom")

    monkeypatch.setattr("otel_rum_exporter.gateway.receiver.decode_protobuf", fail)
    code, status = _error(serve(make_gateway()).grpc_port, b"")
    assert (code, status.message) == (grpc.StatusCode.INTERNAL, "internal error")
    assert "To fix: report this traceback" in caplog.text
    caplog.clear()  # the traceback refers to the server


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
    """GRPC has several notations."""
    assert peer_host(peer) == host
