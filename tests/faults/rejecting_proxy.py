"""A proxy for the local RUM that rejects each request that contains a word, as RUM rejects an invalid event."""

from __future__ import annotations

import gzip
import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@contextmanager
def rejecting_proxy(target: str, word: bytes) -> Iterator[tuple[str, list[int]]]:
    """Yield the URL of a proxy to a target, and the statuses of its responses."""
    statuses: list[int] = []

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            plain = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            if word in plain:
                self._respond(400, b'{"message": "an event is invalid"}', {"x-amzn-ErrorType": "ValidationException"})
                return
            connection = http.client.HTTPConnection(urlsplit(target).netloc)
            connection.request("POST", self.path, body, dict(self.headers))
            answer = connection.getresponse()
            self._respond(answer.status, answer.read(), {})
            connection.close()

        def log_message(self, *_: Any) -> None: ...

        def _respond(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            statuses.append(status)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", statuses
        server.shutdown()
        thread.join()
