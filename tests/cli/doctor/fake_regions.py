"""Fake servers for the doctor: RUM in several regions, and another web server."""

from __future__ import annotations

import email.utils
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGE = b"<html>sign in</html>"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.do_GET()

    def do_GET(self) -> None:
        raise NotImplementedError

    def respond(self, status: int, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def web_server(status: int = 200, requested: list[str] | None = None) -> Iterator[str]:
    """Serve a web page to every request, as a network does before the user signs in; `requested` gets the paths."""

    class Handler(_Handler):
        def do_GET(self) -> None:
            if requested is not None:
                requested.append(self.path)
            self.respond(status, "text/html", PAGE)

    with _serving(Handler) as url:
        yield url


@contextmanager
def _serving(handler: type[_Handler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class FakeRegions:
    """RUM in several regions. The signature of a request selects the region; unsigned requests are rejected.

    `monitors` has one app monitor for each region.
    """

    def __init__(
        self, monitors: dict[str, dict[str, Any]], *, clock_ahead_seconds: float = 0.0, is_readable: bool = True
    ) -> None:
        self._monitors = monitors
        self._is_readable = is_readable
        self.clock_ahead_seconds = clock_ahead_seconds
        self.url = ""

    def response(self, method: str, path: str, authorization: str) -> tuple[int, dict[str, Any]]:
        """Return status and body."""
        signed = re.search(r"Credential=[^/]+/\d+/([^/]+)/rum/", authorization)
        if signed is None:
            return 403, {"__type": "MissingAuthenticationTokenException", "message": "Missing Authentication Token"}
        monitor = self._monitors.get(signed[1])
        if not self._is_readable and not path.startswith("/appmonitors/"):
            return 403, {"__type": "AccessDeniedException", "message": "not authorized"}
        if (method, path) == ("POST", "/appmonitors"):
            return 200, {"AppMonitorSummaries": [monitor] if monitor else []}
        if method == "GET" and monitor and path == f"/appmonitor/{monitor['Name']}":
            return 200, {"AppMonitor": monitor}
        if method == "POST" and monitor and monitor["Id"] in path:
            return 200, {}
        return 404, {"__type": "ResourceNotFoundException", "message": "not here"}

    @contextmanager
    def serving(self) -> Iterator[FakeRegions]:
        """Serve in a thread."""
        regions = self

        class Handler(_Handler):
            def do_GET(self) -> None:
                status, body = regions.response(self.command, self.path, self.headers.get("Authorization", ""))
                self.respond(status, "application/json", json.dumps(body).encode())

            def date_time_string(self, timestamp: float | None = None) -> str:
                now = time.time() if timestamp is None else timestamp
                return email.utils.formatdate(now + regions.clock_ahead_seconds, usegmt=True)

        with _serving(Handler) as self.url:
            yield self
