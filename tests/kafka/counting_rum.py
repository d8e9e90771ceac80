"""A RUM that counts how often it accepted each event. It checks nothing, and so keeps up with a fleet on two cores."""

from __future__ import annotations

import gzip
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
from typing_extensions import Self


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Ignore connections of consumers that were killed."""


class CountingRum:
    """Serves PutRumEvents on a free port. `accepted` counts events by their ids.

    It responds after `delay_seconds`, and with 429 to requests beyond `max_requests_per_second`.
    """

    def __init__(self) -> None:
        self.accepted: Counter[str] = Counter()
        self.delay_seconds = 0.0
        self.max_requests_per_second: int | None = None
        self._second, self._requests = 0, 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def accept(self, body: bytes) -> int:
        """Return the status of the response to a request."""
        time.sleep(self.delay_seconds)
        with self._lock:
            if self._second != int(time.monotonic()):
                self._second, self._requests = int(time.monotonic()), 0
            self._requests += 1
            if self.max_requests_per_second is not None and self._requests > self.max_requests_per_second:
                return 429
            self.accepted.update(event["id"] for event in orjson.loads(body)["RumEvents"])
            return 200

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        accept = self.accept

        class Handler(BaseHTTPRequestHandler):
            """Serves one connection."""

            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:  # the consumer was killed
                    self.close_connection = True
                    return
                is_gzip = self.headers.get("Content-Encoding") == "gzip"
                self.send_response(accept(gzip.decompress(body) if is_gzip else body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler
