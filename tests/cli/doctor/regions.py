"""AWS as little as it can be: RUM in several regions, with a clock of its own."""

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


@contextmanager
def portal() -> Iterator[str]:
    """Serve a page to every request, whatever it asks for, as a network does that wants a sign-in."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            self.do_GET()

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(PAGE)))
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *_: object) -> None: ...

    with _serving(Handler) as url:
        yield url


PAGE = b"<html>sign in</html>"


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Regions:
    """Answer for the region that a signature names; what asks without one is refused."""

    def __init__(
        self, monitors: dict[str, dict[str, Any]], *, clock_ahead_seconds: float = 0.0, is_readable: bool = True
    ) -> None:
        self._is_readable = is_readable
        self._monitors = monitors
        """By region."""
        self.clock_ahead_seconds = clock_ahead_seconds
        self.url = ""

    def answer(self, method: str, path: str, authorization: str) -> tuple[int, dict[str, Any]]:
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
    def serving(self) -> Iterator[Regions]:
        """Serve from a thread."""
        regions = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                self._answer()

            def do_GET(self) -> None:
                self._answer()

            def _answer(self) -> None:
                status, body = regions.answer(self.command, self.path, self.headers.get("Authorization", ""))
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def date_time_string(self, timestamp: float | None = None) -> str:
                moment = (time.time() if timestamp is None else timestamp) + regions.clock_ahead_seconds
                return email.utils.formatdate(moment, usegmt=True)

            def log_message(self, *_: object) -> None: ...

        with _serving(Handler) as self.url:
            yield self
