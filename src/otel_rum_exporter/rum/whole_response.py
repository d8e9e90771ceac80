"""HTTP responses with one time limit for head and body, and with a whole head.

http.client starts its timeout again with each byte, and takes the end of a connection for the end of a head: a head
that is cut off after status 200 would count as delivery.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import time
from typing import Any

_SIMPLE_HEAD = re.compile(rb"HTTP/1\.1 200 ([ -~]*)\r\n((?:[\w-]+:[ -~]*\r\n)+)\r\n")
"""The head of a success of one line for each header. A header that has been folded is not simple."""

_FRAMING = frozenset(("connection", "keep-alive", "proxy-connection", "transfer-encoding"))
"""With these headers the body does not simply end after Content-Length, or the connection after the body."""


def limit_responses(session: Any, timeout_seconds: float) -> None:
    """Limit the responses of a botocore HTTP session that has not sent a request yet."""

    class Response(http.client.HTTPResponse):
        fp: io.BufferedReader

        def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
            super().__init__(sock, *args, **named)
            self._reader = _Reader(self.fp.detach(), sock, time.monotonic() + timeout_seconds)
            self.fp = io.BufferedReader(self._reader)

        def begin(self) -> None:
            if self.debuglevel or not self._has_begun():
                super().begin()
                if self._reader.is_at_end:
                    raise http.client.IncompleteRead(b"")

        def _has_begun(self) -> bool:
            """Read a head as RUM sends it after a success; false if http.client must read it.

            http.client reads every head with the parser of e-mails, which takes longer than to sign the request.
            """
            head = _SIMPLE_HEAD.match(self.fp.peek())
            if head is None:
                return False
            headers = http.client.HTTPMessage()
            for line in head[2].decode().splitlines():
                name, _, value = line.partition(":")
                headers[name] = value.lstrip(" ")
            length = headers.get("content-length", "")
            if not length.isdecimal() or not _FRAMING.isdisjoint(map(str.lower, headers)):
                return False
            self.fp.read(head.end())
            self.version, self.code, self.status, self.reason = 11, 200, 200, head[1].decode().strip()
            self.headers = self.msg = headers
            self.chunked, self.length, self.will_close = False, int(length), False
            return True

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
