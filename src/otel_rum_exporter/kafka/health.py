"""HTTP for orchestrators: `/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from ..exporter.exposition import CONTENT_TYPE


class Health(NamedTuple):
    """The responses of the paths."""

    is_alive: Callable[[], bool]
    is_ready: Callable[[], bool]
    metrics: Callable[[], str]


class HealthServer:
    """Serves the paths from threads of its own.

    Raises:
        OSError: if the port is in use.
    """

    def __init__(self, host: str, port: int, health: Health) -> None:
        self._server = ThreadingHTTPServer((host, port), _handler(health))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="otel-rum-health", daemon=True)

    def start(self) -> None:
        """Serve until `close`."""
        self._thread.start()

    def close(self) -> None:
        """End the server, also one that did not start."""
        if self._thread.ident is not None:  # or `shutdown` would wait for ever
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def _handler(health: Health) -> type[BaseHTTPRequestHandler]:
    checks = {"/healthz": health.is_alive, "/readyz": health.is_ready}

    class Handler(BaseHTTPRequestHandler):
        """Responds to GET."""

        timeout = 10.0

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._respond(200, health.metrics(), CONTENT_TYPE)
            elif self.path in checks:
                is_well = checks[self.path]()
                self._respond(200 if is_well else 503, "ok\n" if is_well else "not ready\n", "text/plain")
            else:
                self._respond(404, "use /healthz, /readyz or /metrics\n", "text/plain")

        def log_message(self, *_: object) -> None:
            """Log no requests."""

        def _respond(self, status: int, text: str, content_type: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
