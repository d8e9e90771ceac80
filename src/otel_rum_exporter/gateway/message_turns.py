"""Turns of gRPC calls to receive their messages, so that messages that arrive stay within the memory limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import NamedTuple

from .error_response import Reason, RequestError

MAX_TURNS = 2
"""The number of messages that may arrive at once. gRPC hides the size of a message until it is complete."""

TURN_SECONDS = 1.0
"""The time for a message to arrive while other calls wait for a turn."""

MESSAGE_SECONDS = 30.0
"""The time for a call to wait for a turn, and for a message to arrive."""

MAX_WAITING = 256
"""The number of calls that may wait. The connection buffers the first 64 KiB of each."""


class _Call(NamedTuple):
    connection: str
    has_turn: asyncio.Future[bool]
    """False if the call is rejected."""


class MessageTurns:
    """Turns of calls to receive their message: at most one of each connection at once. Belongs to one event loop.

    Client addresses get turns one after another, so that one that opens many connections does not delay the others.
    """

    def __init__(self) -> None:
        self._active: dict[str, str] = {}
        """Addresses by connection."""
        self._waiting: dict[str, list[_Call]] = {}
        """By address, in the order of their next turns."""

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
    async def turn(self, address: str, connection: str) -> AsyncIterator[None]:
        """Wait for a turn, and end it with the block.

        Raises:
            RequestError: if there is none.
        """
        call = _Call(connection, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(address, []).append(call)
        self._give_free_turns()
        self._reject_above_limit()
        try:
            await asyncio.wait({call.has_turn}, timeout=MESSAGE_SECONDS)
            if not call.has_turn.done():
                raise RequestError(Reason.OVERLOADED, "no message could be received; retry later")
            if not call.has_turn.result():
                raise RequestError(Reason.OVERLOADED, "too many calls wait to send a message; retry later")
            yield
        finally:
            if not call.has_turn.done():
                self._remove(address, call)
            elif call.has_turn.result():
                del self._active[connection]
                self._give_free_turns()

    def _is_wanted(self, connection: str) -> bool:
        """Return whether another call would get the turn of a connection."""
        address = self._active[connection]
        return any(
            (call.connection == connection or call.connection not in self._active)
            and (other == address or self._turns(other) < self._turns(address))
            for other, calls in self._waiting.items()
            for call in calls
        )

    def _give_free_turns(self) -> None:
        while len(self._active) < MAX_TURNS:
            found = next(
                (
                    (address, call)
                    for address in sorted(self._waiting, key=self._turns)
                    for call in self._waiting[address]
                    if call.connection not in self._active
                ),
                None,
            )
            if found is None:
                return
            address, call = found
            self._remove(address, call)
            if address in self._waiting:  # to the end
                self._waiting[address] = self._waiting.pop(address)
            self._active[call.connection] = address
            call.has_turn.set_result(True)

    def _reject_above_limit(self) -> None:
        if sum(map(len, self._waiting.values())) > MAX_WAITING:
            address = max(self._waiting, key=lambda address: len(self._waiting[address]))
            call = self._waiting[address][-1]
            self._remove(address, call)
            call.has_turn.set_result(False)

    def _turns(self, address: str) -> int:
        return list(self._active.values()).count(address)

    def _remove(self, address: str, call: _Call) -> None:
        self._waiting[address].remove(call)
        if not self._waiting[address]:
            del self._waiting[address]
