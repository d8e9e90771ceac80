"""The socket, thread and web server of `LocalRum`, and the limits of each connection.

Separate from the application: this module runs any ASGI application.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from .http_response import TRANSPORT

_LOGGERS = ("uvicorn.error", "uvicorn.access")

# Limit for the first request of a connection, and for the head of each request.
HEAD_TIMEOUT_SECONDS = 20.0

# Interval at which the web server updates the Date header.
_TICK_SECONDS = 1.0

_SHUTDOWN_ROUNDS = 8

# Far above the needs of clients, far below a process's limit of open files.
_MAX_CONNECTIONS = 500


class Listener:
    """A bound socket and the thread that serves it."""

    def __init__(self, application: ASGIApp, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Listens at once, so that a client can connect before the thread runs.
        self._listener = socket.create_server((host, port), family=family)
        self.port: int = self._listener.getsockname()[1]
        config = uvicorn.Config(
            application,
            loop="asyncio",
            http=_Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_MAX_CONNECTIONS,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._listener],), name=f"otel-rum-local-{self.port}", daemon=True
        )
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._is_allowed)
        self._thread.start()

    def stop(self) -> None:
        """Close all connections and the socket, and end the thread."""
        self._server.end()
        self._thread.join()
        self._listener.close()
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self._is_allowed)

    def _is_allowed(self, record: logging.LogRecord) -> bool:
        # uvicorn's loggers are shared by the whole process, so only this thread's records are filtered.
        return record.thread != self._thread.ident or record.levelno >= logging.ERROR


class _Connection(H11Protocol):
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # uvicorn copies this into the state of each request.
        self.app_state = {TRANSPORT: transport}
        self._start_head_timer()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_head_timer()

    def _start_head_timer(self) -> None:
        # uvicorn has a timeout between requests, but none for a head that arrives slowly.
        if self.conn.their_state is not h11.IDLE:
            self._stop_head_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_SECONDS, self.transport.abort)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _Server(uvicorn.Server):
    """A uvicorn server that stops without uvicorn's pauses: a test suite stops it hundreds of times."""

    _loop: asyncio.AbstractEventLoop | None = None

    def end(self) -> None:
        """Stop the server. Thread-safe."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is already closed
                self._loop.call_soon_threadsafe(self._ending.set)

    async def main_loop(self) -> None:
        self._ending = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # asyncio would leak connections that it accepts just before the server closes, so it stops accepting first.
        for one in sockets or ():
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().remove_reader(one)
        # An upload or a delayed answer would delay the shutdown; aborting its connection ends it.
        for _ in range(_SHUTDOWN_ROUNDS):
            await asyncio.sleep(0)
            for connection in list(self.server_state.connections):
                connection.transport.abort()
        for server in self.servers:
            server.close()
        for one in sockets or ():
            one.close()
        if self.server_state.tasks:
            await asyncio.wait(list(self.server_state.tasks), timeout=_TICK_SECONDS)
        for server in self.servers:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(server.wait_closed(), _TICK_SECONDS)
