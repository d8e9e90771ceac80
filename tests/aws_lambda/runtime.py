"""The Runtime API of Lambda, and functions that AWS's own runtime interface client runs in processes.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

TIMEOUT_SECONDS = 60.0
FUNCTION = "arn:aws:lambda:us-east-2:123456789012:function:otel-rum"


class Result(NamedTuple):
    """The value that the function returned, or the error that it raised."""

    response: Any
    error: Any


class RuntimeApi:
    """Gives one function its invocations."""

    def __init__(self) -> None:
        self._events: queue.Queue[tuple[Any, float] | None] = queue.Queue()
        self._results: queue.Queue[Result] = queue.Queue()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                invocation = api._events.get()
                if invocation is None:  # the process has ended
                    return
                event, seconds = invocation
                body = json.dumps(event).encode()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + seconds) * 1000)))
                self.send_header(
                    "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-2:123456789012:function:f"
                )
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                is_response = self.path.endswith("/response")
                api._results.put(Result(body, None) if is_response else Result(None, body))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Write nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def invoke(self, event: Any, seconds: float = TIMEOUT_SECONDS) -> Result:
        """Invoke the function with an event and a timeout."""
        self._events.put((event, seconds))
        return self._results.get(timeout=TIMEOUT_SECONDS)

    @contextmanager
    def running(self, handler: str, settings: Mapping[str, str]) -> Iterator[RuntimeApi]:
        """Run a function of the package in a process."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AWS_"))}
        process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", f"otel_rum_exporter.aws_lambda.{handler}"],
            env={
                **inherited,
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
                "AWS_REGION": "us-east-2",
                "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
                "AWS_SECRET_ACCESS_KEY": "example",
                **settings,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            yield self
        finally:
            process.kill()
            process.communicate()
            self._events.put(None)
            self._server.shutdown()
            thread.join()
            self._server.server_close()
