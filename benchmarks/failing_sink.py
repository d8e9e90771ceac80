"""A server that accepts the requests of all exporters, counts the spans in them, and can fail.

It is a process of its own. A line on stdin is a command: `fail`, `work`, or `report`, whose response is on stdout.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_SPAN = re.compile(rb"span-(\d{7})")


class Sink:
    """A client of the server process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, __file__], stdin=-1, stdout=-1, text=True)
        self.url = f"http://127.0.0.1:{self._read_line()}"

    def set_failing(self, *, is_failing: bool) -> None:
        """Make the server respond to all requests with 503, or accept them again."""
        self._write_line("fail" if is_failing else "work")

    def report(self) -> dict[int, int]:
        """Return how often each span was received, by its number."""
        self._write_line("report")
        return {int(number): times for number, times in json.loads(self._read_line()).items()}

    def close(self) -> None:
        """Stop the server."""
        self._process.communicate()

    def _write_line(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _read_line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def main() -> None:
    """Serve until the end of stdin."""
    received: Counter[int] = Counter()
    is_working = threading.Event()
    is_working.set()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not is_working.is_set():
                self._respond(503, b"{}")
                return
            plain = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            numbers = {int(number) for number in _SPAN.findall(plain)}
            with lock:
                received.update(numbers)
            if "/track" in self.path:  # Azure's exporter reads these counts
                count = len(json.loads(plain))
                counts = {"itemsReceived": count, "itemsAccepted": count, "errors": []}
                self._respond(200, json.dumps(counts).encode())
            else:
                self._respond(200, b"")

        def log_message(self, *_: Any) -> None: ...

        def _respond(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if body else "application/x-protobuf")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    for line in sys.stdin:
        if line.strip() == "report":
            with lock:
                print(json.dumps(received), flush=True)
        elif line.strip() == "fail":
            is_working.clear()
        else:
            is_working.set()


if __name__ == "__main__":
    main()
