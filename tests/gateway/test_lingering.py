"""The close of a connection whose client is gone."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from otel_rum_exporter.gateway.lingering import LingeringTransport


class _Protocol(asyncio.Protocol):
    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.transport: asyncio.Future[asyncio.Transport] = loop.create_future()
        self.is_lost = loop.create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport.set_result(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.is_lost.set_result(True)


@pytest.mark.parametrize("is_reset", [True, False])
def test_a_connection_that_the_client_closed_ends(*, is_reset: bool) -> None:
    """The operating system refuses to end the stream of a connection that was reset."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        protocol = _Protocol()
        server = await loop.create_server(lambda: protocol, "127.0.0.1", 0)
        with socket.create_connection(server.sockets[0].getsockname(), timeout=20) as client:
            transport = LingeringTransport(await protocol.transport, loop)
            if is_reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The loop has not seen the end of the client yet.
        transport.close()
        assert transport.is_closing()
        transport.close()
        await asyncio.wait_for(protocol.is_lost, 60)
        transport.write(b"late")
        transport.lost()
        server.close()
        await server.wait_closed()

    asyncio.run(run())
