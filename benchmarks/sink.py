"""A fast server in a process of its own. It responds to every request with 200, and counts requests and bytes."""

from __future__ import annotations

import heapq
import json
import selectors
import socket
import subprocess
import sys
import time
from types import TracebackType

from typing_extensions import Self

AZURE_PATH = b"/track "
AZURE_BODY = b'{"itemsReceived":1,"itemsAccepted":1,"errors":[]}'
"""Azure's exporter reads this body. RUM's success is empty."""


class Sink:
    """A server that runs during a `with` block. `requests` and `body_bytes` are set after the block."""

    def __init__(self, *, delay_millis: int = 0, port: int = 0) -> None:
        self._delay_millis = delay_millis
        self._port = port
        self.requests = 0
        self.body_bytes = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(self._delay_millis), str(self._port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.endpoint = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        counts, _ = self._process.communicate("")
        self.requests, self.body_bytes = json.loads(counts)


class _Server:
    """A server with one thread for all connections."""

    def __init__(self, delay_seconds: float, port: int) -> None:
        self._delay_seconds = delay_seconds
        self._selector = selectors.DefaultSelector()
        self._buffers: dict[socket.socket, bytearray] = {}
        self._responses: list[tuple[float, int, socket.socket, bytes]] = []
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.requests = 0
        self.body_bytes = 0

    def serve(self) -> None:
        print(self._listener.getsockname()[1], flush=True)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            wait = max(0.0, self._responses[0][0] - time.monotonic()) if self._responses else None
            for key, _ in self._selector.select(wait):
                if key.fileobj is sys.stdin:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    self._receive(key.fileobj)
            while self._responses and self._responses[0][0] <= time.monotonic():
                self._respond(*heapq.heappop(self._responses)[2:])

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffers[connection] = bytearray()
        self._selector.register(connection, selectors.EVENT_READ)

    def _receive(self, connection: socket.socket) -> None:
        try:
            received = connection.recv(1 << 20)
        except OSError:
            received = b""
        if not received:
            self._close(connection)
            return
        buffer = self._buffers[connection]
        buffer += received
        while (head_bytes := buffer.find(b"\r\n\r\n") + 4) > 3:
            head = bytes(buffer[:head_bytes])
            length = _content_length(head)
            if len(buffer) < head_bytes + length:
                return
            del buffer[: head_bytes + length]
            self.requests += 1
            self.body_bytes += length
            body = AZURE_BODY if AZURE_PATH in head else b""
            if self._delay_seconds:
                due = time.monotonic() + self._delay_seconds
                heapq.heappush(self._responses, (due, self.requests, connection, body))
            else:
                self._respond(connection, body)

    def _respond(self, connection: socket.socket, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        try:
            connection.sendall(head + body)
        except OSError:
            self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        if self._buffers.pop(connection, None) is not None:
            self._selector.unregister(connection)
            connection.close()


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


if __name__ == "__main__":
    server = _Server(int(sys.argv[1]) / 1000, int(sys.argv[2]))
    server.serve()
    print(json.dumps([server.requests, server.body_bytes]))
