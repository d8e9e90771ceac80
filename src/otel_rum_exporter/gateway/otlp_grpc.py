"""OTLP over gRPC.

https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import NoReturn

import anyio
import grpc
import grpc.aio

from ..otlp import Signal
from .body import Budget
from .client import Client, address_of, authenticate
from .error_response import UNEXPECTED_ERROR, Reason, RequestError
from .message_turns import MessageTurns
from .metrics import Counts
from .receiver import LARGE_BYTES, PartialSuccess, Receiver
from .response import Encoding, error_status, export_response
from .settings import GatewaySettings
from .threads import in_thread

LOGGER = logging.getLogger("otel_rum_exporter")

MAX_STREAMS = 16
"""Concurrent requests of one connection; gRPC clients queue the others."""

WORKERS = 4
"""Concurrent requests, each with a complete message."""

HANDSHAKE_SECONDS = 20
"""The time for a connection to start HTTP/2."""

_TRANSPORT = "grpc"
_DETAILS = "grpc-status-details-bin"
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_SERVICES = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
}
_COMPRESSIONS = {0x1F: "gzip", 0x78: "deflate"}
"""By the first byte. An export request is empty or starts with the tag of its only field, 0x0A."""


class GrpcReceiver:
    """The gRPC services."""

    def __init__(self, receiver: Receiver, settings: GatewaySettings, counts: Counts, budget: Budget) -> None:
        self._receiver = receiver
        self._settings = settings
        self._counts = counts
        self._budget = budget
        self._turns = MessageTurns()
        self._workers = anyio.CapacityLimiter(WORKERS)
        self._large = anyio.CapacityLimiter(1)

    async def server(self, host: str, port: int) -> tuple[grpc.aio.Server, int]:
        """Return a server that is bound but not started, and its port. It belongs to the running event loop.

        Raises:
            OSError: if the port is in use.
        """
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", self._settings.max_body_bytes),
                ("grpc.max_concurrent_streams", MAX_STREAMS),
                ("grpc.so_reuseport", int(self._settings.workers > 1)),
                ("grpc.server_handshake_timeout_ms", HANDSHAKE_SECONDS * 1000),
                # gRPC would decompress a message without limit, and grow the buffers of calls that wait for a turn.
                ("grpc.per_message_decompression", 0),
                ("grpc.http2.bdp_probe", 0),
            ],
        )
        server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(
                    # Without a deserializer, the handler gets bytes. As a stream, it decides when it receives them.
                    service,
                    {"Export": grpc.stream_unary_rpc_method_handler(partial(self._export, signal))},
                )
                for signal, service in _SERVICES.items()
            ]
        )
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound: int = server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address} for gRPC. To fix: free the port, or choose another") from error
        return server, bound

    async def _export(
        self, signal: Signal, _: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> bytes:
        try:
            result = await self._receive(signal, context)
        except RequestError as raised:
            error = raised.copy()
        except Exception:
            LOGGER.exception(UNEXPECTED_ERROR)
            error = RequestError(Reason.INTERNAL, "internal error")
        else:
            self._counts.responded(_TRANSPORT, grpc.StatusCode.OK.name)
            return export_response(signal, Encoding.PROTOBUF, result.rejected, result.message)
        # The traceback of the first error refers to the message. gRPC would keep it until the next collection.
        return await self._abort(context, error)

    async def _receive(self, signal: Signal, context: grpc.aio.ServicerContext[bytes, bytes]) -> PartialSuccess:
        headers = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        authenticate(headers.get("authorization", ""), self._settings)
        connection = context.peer()
        client = Client(address_of(peer_host(connection)))
        self._receiver.admit(client)
        with self._budget.reservation(client.address) as reserve:
            async with self._turns.turn(client.address, connection):
                with self._budget.reservation(None) as reserve_turn:
                    reserve_turn(self._settings.max_body_bytes)
                    body = await self._turns.receive(connection, context.read())
            reserve(len(body))
            limiter = self._large if len(body) >= LARGE_BYTES else self._workers
            return await in_thread(limiter, self._process, signal, body, client, reserve)

    def _process(self, signal: Signal, body: bytes, client: Client, reserve: Callable[[int], None]) -> PartialSuccess:
        compression = _COMPRESSIONS.get(body[0], "identity") if body else "identity"
        body = self._receiver.unpack(body, compression, client, reserve)
        return self._receiver.receive(signal, Encoding.PROTOBUF, body, client)

    async def _abort(self, context: grpc.aio.ServicerContext[bytes, bytes], error: RequestError) -> NoReturn:
        code = _CODES[error.reason.value.grpc_code]
        self._counts.responded(_TRANSPORT, code.name)
        await context.abort(code, error.message, ((_DETAILS, error_status(error, Encoding.PROTOBUF)),))


class GrpcServer:
    """A gRPC server with a thread and an event loop of its own. It is bound when it is created.

    Raises:
        OSError: if the port is in use.
    """

    def __init__(self, receiver: GrpcReceiver, settings: GatewaySettings) -> None:
        self._loop = asyncio.new_event_loop()
        try:
            server, self.port = self._loop.run_until_complete(receiver.server(settings.host, settings.grpc_port))
        except OSError:
            self._loop.close()
            raise
        self._is_started = threading.Event()
        self._grace_seconds: asyncio.Future[float] = self._loop.create_future()
        # Only the thread refers to the server: gRPC's own thread ends when the server is collected.
        self._thread = threading.Thread(target=self._run, args=(server,), name="otel-rum-grpc", daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._is_started.wait()

    def stop(self, grace_seconds: float) -> None:
        """Reject new calls, wait for those in flight, and end the thread. Later calls do nothing."""
        if self._loop.is_closed():
            return
        if self._thread.ident is None:
            self.start()  # gRPC releases the port of a server that ran
        self._loop.call_soon_threadsafe(self._grace_seconds.set_result, grace_seconds)
        self._thread.join()

    def _run(self, server: grpc.aio.Server) -> None:
        self._loop.run_until_complete(self._serve(server))
        self._loop.close()

    async def _serve(self, server: grpc.aio.Server) -> None:
        await server.start()
        self._is_started.set()
        await server.stop(await self._grace_seconds)


def peer_host(peer: str) -> str:
    """Return the address of a gRPC peer: `ipv4:127.0.0.1:5555`, `ipv6:%5B::1%5D:5555`."""
    kind, _, rest = peer.partition(":")
    host = rest.rpartition(":")[0] if kind in {"ipv4", "ipv6"} else rest
    return host.removeprefix("%5B").removesuffix("%5D").strip("[]")
