"""Turns of gRPC calls to receive their messages, so that messages that arrive stay within the memory limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from .error_response import Reason, RequestError

MAX_TURNS = 2
"""The number of messages that may arrive at once. gRPC hides the size of a message until it is complete."""

TURN_SECONDS = 1.0
"""The time for a message to arrive while other calls wait for a turn."""

MESSAGE_SECONDS = 30.0
"""The time for a call to wait for a turn, and for a message to arrive."""

MAX_WAITING = 256
"""The number of calls that may wait. The connection buffers the first 64 KiB of each."""


class MessageTurns:
    """Turns for at most one call of each connection at once. Belongs to one event loop."""

    def __init__(self) -> None:
        self._active: set[str] = set()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    async def receive(self, connection: str, read: Awaitable[bytes | object]) -> bytes:
        """Return the message of a call that has a turn; b"" if the call ends without one.

        Raises:
            RequestError: if it takes too long.
        """
        reading = asyncio.ensure_future(read)
        try:
            for _ in range(round(MESSAGE_SECONDS / TURN_SECONDS)):
                await asyncio.wait({reading}, timeout=TURN_SECONDS)
                if reading.done():
                    message = reading.result()
                    return message if isinstance(message, bytes) else b""
                if self._is_wanted(connection):
                    reason = f"the message took more than {TURN_SECONDS:.0f} s while others wait; retry later"
                    raise RequestError(Reason.OVERLOADED, reason)
        finally:
            reading.cancel()
        raise RequestError(Reason.TOO_SLOW, f"the message took more than {MESSAGE_SECONDS:.0f} seconds")

    @asynccontextmanager
    async def turn(self, connection: str) -> AsyncIterator[None]:
        """Wait for a turn, and end it with the block.

        Raises:
            RequestError: if there is none.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise RequestError(Reason.OVERLOADED, "too many calls wait to send a message; retry later")
        entry = connection, asyncio.get_running_loop().create_future()
        self._waiting.append(entry)
        self._give_free_turns()
        try:
            await asyncio.wait({entry[1]}, timeout=MESSAGE_SECONDS)
            if not entry[1].done():
                raise RequestError(Reason.OVERLOADED, "no message could be received; retry later")
            yield
        finally:
            if entry[1].done():
                self._active.remove(connection)
                self._give_free_turns()
            else:
                self._waiting.remove(entry)

    def _is_wanted(self, connection: str) -> bool:
        """Return whether another call would get the turn of a connection."""
        return any(waiting == connection or waiting not in self._active for waiting, _ in self._waiting)

    def _give_free_turns(self) -> None:
        for entry in tuple(self._waiting):
            connection, turn = entry
            if len(self._active) < MAX_TURNS and connection not in self._active:
                self._waiting.remove(entry)
                self._active.add(connection)
                turn.set_result(None)
