"""The socket, the thread and the web server under `LocalRum`, and the limits of each connection.

What is served is not known here.
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

# So long a connection may take to tell what it wants: until its first request, and for the head of each.
HEAD_TIMEOUT_SECONDS = 20.0

# How often the web server looks at the clock, for the Date of its answers.
_TICK_SECONDS = 1.0

_TURNS = 8

# Far above what senders need, far below what a process may open.
_MAX_CONNECTIONS = 500


class Listener:
    """One bound socket and the thread that serves it."""

    def __init__(self, application: ASGIApp, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Listening already, so that a client may connect before the thread is up.
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
            logging.getLogger(name).addFilter(self._is_not_quiet)
        self._thread.start()

    def stop(self) -> None:
        """End all connections, the thread and the socket."""
        self._server.end()
        self._thread.join()
        self._listener.close()
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self._is_not_quiet)

    def _is_not_quiet(self, record: logging.LogRecord) -> bool:
        # uvicorn's loggers belong to the whole process, so only what this thread says is kept quiet.
        return record.thread != self._thread.ident or record.levelno >= logging.ERROR


class _Connection(H11Protocol):
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # A copy of this becomes the state of each request.
        self.app_state = {TRANSPORT: transport}
        self._start_head_timer()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_head_timer()

    def _start_head_timer(self) -> None:
        # The web server has a time-out for silence between requests only, and none for a head that trickles in.
        if self.conn.their_state is not h11.IDLE:
            self._stop_head_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_SECONDS, self.transport.abort)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _Server(uvicorn.Server):
    """The web server without its pauses, since a test suite ends it hundreds of times."""

    _loop: asyncio.AbstractEventLoop | None = None

    def end(self) -> None:
        """End from any thread, at any time."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it may have ended by itself
                self._loop.call_soon_threadsafe(self._ending.set)

    async def main_loop(self) -> None:
        self._ending = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # asyncio forgets, unclosed, what it accepted some turns of its loop before its server was closed.
        for one in sockets or ():
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().remove_reader(one)
        # An upload or a delayed answer would hold up the end; without its connection it is over.
        for _ in range(_TURNS):
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
