"""An HTTP connection with limits that uvicorn leaves to a reverse proxy: time, heads and trailers.

The application limits the size and time of bodies.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20.0
"""How long a connection may take to start its first request, and each request to complete its head."""

BODY_SECONDS = 60.0
"""How long a whole body may take; the application responds with an error before that."""

MAX_HEAD_BYTES = 65_536
"""Most bytes beside the body: head, trailers and chunk framing."""


class Connection(HttpToolsProtocol):
    """Close connections that are too slow or send endless heads."""

    _timer: asyncio.TimerHandle | None = None
    _body_bytes = 0
    _other_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._set_deadline(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._set_deadline(None)

    def data_received(self, data: bytes) -> None:
        self._other_bytes += len(data)
        super().data_received(data)
        # The parser buffers a whole header before it reports any of it.
        if self._other_bytes > MAX_HEAD_BYTES + self._body_bytes:
            self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._set_deadline(HEAD_SECONDS)
        self._other_bytes = self._body_bytes = 0

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._set_deadline(BODY_SECONDS)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._body_bytes += len(body)
        self._other_bytes -= len(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._set_deadline(None)

    def _set_deadline(self, seconds: float | None) -> None:
        """Close the connection after a time unless called again before; None means no limit."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)
