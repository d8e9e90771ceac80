"""A server that takes what any of the exporters sends, notes which spans are in it, and fails when it is told to.

It runs as a process of its own, told by lines on stdin: `fail`, `work`, or `report`, which is answered on stdout.
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
    """The process of a sink, as the programs that measure use it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, __file__], stdin=-1, stdout=-1, text=True)
        self.url = f"http://127.0.0.1:{self._ask()}"

    def tell(self, word: str) -> None:
        """Let it `fail` or `work`."""
        self._write(word)

    def report(self) -> dict[int, int]:
        """Return how often each span was taken, by its number."""
        self._write("report")
        return {int(number): times for number, times in json.loads(self._ask()).items()}

    def close(self) -> None:
        """End it."""
        self._process.communicate()

    def _write(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def _ask(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def main() -> None:
    """Serve until stdin ends."""
    taken: Counter[int] = Counter()
    is_working = threading.Event()
    is_working.set()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not is_working.is_set():
                self._answer(503, b"{}")
                return
            plain = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            numbers = {int(number) for number in _SPAN.findall(plain)}
            with lock:
                taken.update(numbers)
            if "/track" in self.path:  # Azure wants to read that all were taken
                count = len(json.loads(plain))
                told = {"itemsReceived": count, "itemsAccepted": count, "errors": []}
                self._answer(200, json.dumps(told).encode())
            else:
                self._answer(200, b"")

        def log_message(self, *_: Any) -> None: ...

        def _answer(self, status: int, body: bytes) -> None:
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
                print(json.dumps(taken), flush=True)
        elif line.strip() == "fail":
            is_working.clear()
        else:
            is_working.set()


if __name__ == "__main__":
    main()
