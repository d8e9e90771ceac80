"""A close that loses no response, however much the client sends after its last request (RFC 9112, section 9.6)."""

from __future__ import annotations

import asyncio
from typing import Any

LINGER_SECONDS = 3.0
"""The time that a connection stays open after its last response: less than `server.DRAIN_SECONDS`."""

MAX_DISCARDED_BYTES = 16 * 1024 * 1024
"""Most bytes of a connection that are read after its last request."""


class LingeringTransport:
    """A transport whose `close` ends the responses at once, and the connection when the client has read them.

    The kernel resets a connection that is closed with unread bytes, and then the client may lose what it has not read.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._discarded_bytes = 0
        self.is_lingering = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Return whether no response can follow."""
        return self.is_lingering or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Write unless the client is gone: uvloop raises an error then."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Send what was written and the end of the stream. The caller discards what arrives until the client closes."""
        if self.is_closing():
            return
        if not self._transport.can_write_eof():  # TLS
            self._transport.close()
            return
        self.is_lingering = True
        self._timer = self._loop.call_later(LINGER_SECONDS, self._transport.abort)
        try:
            self._transport.write_eof()
        except OSError:  # the client is gone
            self._transport.abort()
        else:
            self._transport.resume_reading()

    def close_now(self) -> None:
        """Close, also while lingering."""
        self._transport.close()

    def discard(self, data: bytes) -> None:
        """Count bytes that are not read, and abort the connection after too many."""
        self._discarded_bytes += len(data)
        if self._discarded_bytes > MAX_DISCARDED_BYTES:
            self._transport.abort()

    def lost(self) -> None:
        """End the time limit of a connection that is lost."""
        if self._timer is not None:
            self._timer.cancel()
