"""Sends one span with the core dependencies alone: `python tests/minimal_install.py` in an environment without extras.

It is a script: pytest and the local RUM need packages that a minimal installation does not have.
"""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import entry_points
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_rum_exporter import RumSpanExporter

APP_MONITOR_ID = "00000000-1111-4222-8333-444444444444"


class Handler(BaseHTTPRequestHandler):
    """Answers each request as RUM does, with an empty 200."""

    received: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012 - one list for all requests

    def do_POST(self) -> None:
        """Keep the path and the body."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.received.append((self.path, json.loads(body)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write no access log."""


def main() -> None:
    """Send a span and check what the server received."""
    (entry_point,) = entry_points(group="opentelemetry_traces_exporter", name="aws_rum")
    assert entry_point.load() is RumSpanExporter
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        provider = TracerProvider()
        exporter = RumSpanExporter(
            app_monitor_id=APP_MONITOR_ID,
            region="eu-central-1",
            endpoint=f"http://127.0.0.1:{server.server_port}",
            signing="none",
        )
        provider.add_span_processor(BatchSpanProcessor(exporter))
        with provider.get_tracer("minimal").start_as_current_span("checkout"):
            pass
        provider.shutdown()
        server.shutdown()
    events = [event["type"] for path, body in Handler.received for event in body["RumEvents"] if APP_MONITOR_ID in path]
    assert "checkout" in events, Handler.received
    print(f"received: {', '.join(events)}")  # noqa: T201 - the result of the script


if __name__ == "__main__":
    main()
