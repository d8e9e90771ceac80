"""HTTP responses with one time limit for head and body, and with a whole head.

http.client starts its timeout again with each byte, and takes the end of a connection for the end of a head: a head
that is cut off after status 200 would count as delivery.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any


def limit_responses(session: Any, timeout_seconds: float) -> None:
    """Limit the responses of a botocore HTTP session that has not sent a request yet."""

    class Response(http.client.HTTPResponse):
        fp: io.BufferedReader

        def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
            super().__init__(sock, *args, **named)
            self._reader = _Reader(self.fp.detach(), sock, time.monotonic() + timeout_seconds)
            self.fp = io.BufferedReader(self._reader)

        def begin(self) -> None:
            super().begin()
            if self._reader.is_at_end:
                raise http.client.IncompleteRead(b"")

    # botocore has no public way to the connections of a session. Its managers, also those of proxies, share the table.
    pools = getattr(session, "_pool_classes_by_scheme", {})
    for scheme, pool in pools.items():
        connection = type("Connection", (pool.ConnectionCls,), {"response_class": Response})
        pools[scheme] = type("Pool", (pool,), {"ConnectionCls": connection})


class _Reader(io.RawIOBase):
    """Reads from a socket until a deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._deadline = deadline
        self.is_at_end = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the response took too long")
        self._sock.settimeout(seconds)
        count: int | None = self._raw.readinto(buffer)
        self.is_at_end = count == 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
