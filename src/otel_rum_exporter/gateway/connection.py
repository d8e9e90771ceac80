"""One connection over HTTP, with the bounds that uvicorn leaves to a proxy in front: time, heads and trailers.

What an application reads of a body, and for how long, is bounded where it is read.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20.0
"""How long a connection may take to begin its first request, and each request to tell its head."""

BODY_SECONDS = 60.0
"""How long all of a body may take; before that the application has given it up, and answered."""

MAX_HEAD_BYTES = 65_536
"""What may come beside the body: head, trailers, and the framing of chunks that are not smaller than it."""


class Connection(HttpToolsProtocol):
    """Close what takes too long or has no end."""

    _timer: asyncio.TimerHandle | None = None
    _body_bytes = 0
    _other_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._allow(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._allow(None)

    def data_received(self, data: bytes) -> None:
        self._other_bytes += len(data)
        super().data_received(data)
        # The parser gathers a header before it tells any of it.
        if self._other_bytes > MAX_HEAD_BYTES + self._body_bytes:
            self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._allow(HEAD_SECONDS)
        self._other_bytes = self._body_bytes = 0

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._allow(BODY_SECONDS)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._body_bytes += len(body)
        self._other_bytes -= len(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._allow(None)

    def _allow(self, seconds: float | None) -> None:
        """Close the connection after a time, unless this is called before; None allows any."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)
