"""Measure OTLP receivers side by side: `python -m benchmarks.gateway`.

Each receiver is a process of its own. It gets the same compressed requests of 512 spans over four connections, and
sends its output to the same sink. CPU is the process time from the first request until the process is idle, without the
start. ROTEL is the path of `rotel-agent` of the wheel `rotel`, a Collector in Rust. Without it, that row is missing.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import urllib3
from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

from .corpus import spans
from .exporters import APP_MONITOR_ID, ENVIRONMENT
from .sink import Sink

BATCH = 512
CONNECTIONS = 4
WARM_UP = 4
START_SECONDS = 30
IDLE_SECONDS = 1.0
END_SECONDS = 120
ROTEL = os.environ.get("ROTEL", "")
PROTOBUF, JSON = "application/x-protobuf", "application/json"


class Receiver(NamedTuple):
    """A program to measure. Its arguments and variables may contain `{port}`, `{sink}` and `{folder}`."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = {}
    content_type: str = PROTOBUF


class Figures(NamedTuple):
    """The figures of one run: CPU of the receiver, time until the last response, peak memory."""

    cpu_seconds: float
    wall_seconds: float
    memory_mebibytes: float


_GATEWAY = (str(Path(sys.executable).with_name("otel-rum")), "gateway", "--http-port", "{port}", "--grpc", "false")
_UNLIMITED = ("--client-requests-per-second", "0", "--client-bytes-per-second", "0")
_TO_SINK = {
    "OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": APP_MONITOR_ID,
    "OTEL_EXPORTER_AWS_RUM_REGION": "eu-central-1",
    "OTEL_EXPORTER_AWS_RUM_ENDPOINT": "{sink}",
    "OTEL_EXPORTER_AWS_RUM_MAX_REQUESTS_PER_SECOND": "0",
}
_ROTEL = (
    *(ROTEL, "start", "--pid-file", "{folder}/pid", "--otlp-http-endpoint", "127.0.0.1:{port}"),
    *("--otlp-grpc-endpoint", "127.0.0.1:0", "--exporter", "otlp", "--otlp-exporter-protocol", "http"),
    *("--otlp-exporter-endpoint", "{sink}", "--batch-timeout", "200ms"),
)
RECEIVERS = (
    Receiver("gateway", (*_GATEWAY, *_UNLIMITED), _TO_SINK),
    Receiver("gateway, JSON", (*_GATEWAY, *_UNLIMITED), _TO_SINK, JSON),
    Receiver(
        "gateway, spool",
        (*_GATEWAY, *_UNLIMITED),
        {**_TO_SINK, "OTEL_EXPORTER_AWS_RUM_SPOOL_DIRECTORY": "{folder}"},
    ),
    Receiver(
        "relay in Python (no mapping)",
        (sys.executable, "-m", "uvicorn", "benchmarks.relay:app", "--port", "{port}", "--log-level", "warning"),
        {"SINK": "{sink}"},
    ),
    *([Receiver("rotel, in Rust (no mapping)", _ROTEL)] if ROTEL else []),
)


def main() -> None:
    """Print a table in Markdown, with the medians of the rounds for each receiver."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=51_200)
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    made = spans(arguments.spans + WARM_UP * BATCH, sessions=arguments.sessions)
    batches = [made[start : start + BATCH] for start in range(0, len(made), BATCH)]
    bodies = {
        content_type: [gzip.compress(body, 4) for body in map(encode, batches)]
        for content_type, encode in ((PROTOBUF, in_protobuf), (JSON, in_json))
    }
    runs: dict[str, list[Figures]] = {receiver.name: [] for receiver in RECEIVERS}
    for number in range(arguments.rounds):
        for receiver in RECEIVERS[:: -1 if number % 2 else 1]:
            runs[receiver.name].append(_measure(receiver, bodies[receiver.content_type]))
    print("| receiver | spans/s per core | CPU per span, µs | spans/s | memory, MiB |\n|---|---|---|---|---|")
    for name, figures in runs.items():
        cpu, wall, memory = (median(column) for column in zip(*figures, strict=True))
        count = arguments.spans
        print(f"| {name} | {count / cpu:,.0f} | {cpu / count * 1e6:.1f} | {count / wall:,.0f} | {memory:.0f} |")


def _measure(receiver: Receiver, bodies: Sequence[bytes]) -> Figures:
    with Sink() as sink, _running(receiver, sink.endpoint) as (process, url):
        with urllib3.PoolManager(maxsize=CONNECTIONS) as pool, ThreadPoolExecutor(CONNECTIONS) as senders:

            def send(body: bytes) -> None:
                _send(pool, url, body, receiver.content_type)

            list(senders.map(send, bodies[:WARM_UP]))
            _wait_until_idle(process.pid)
            cpu, begun = _cpu_seconds(process.pid), time.monotonic()
            list(senders.map(send, bodies[WARM_UP:]))
            wall = time.monotonic() - begun
            _wait_until_idle(process.pid)
        return Figures(_cpu_seconds(process.pid) - cpu, wall, _peak_mebibytes(process.pid))


def _send(pool: urllib3.PoolManager, url: str, body: bytes, content_type: str) -> None:
    """Send a request, and retry while the receiver has no room."""
    headers = {"content-type": content_type, "content-encoding": "gzip"}
    for _ in range(1000):
        response = pool.request("POST", url, body=body, headers=headers)
        if response.status == 200:
            return
        if response.status not in {429, 503}:
            raise RuntimeError(f"{url} responded with {response.status}: {response.data[:200]!r}")
        time.sleep(0.05)
    raise TimeoutError(url)


@contextmanager
def _running(receiver: Receiver, sink: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
        unused.close()
        values = {"port": port, "sink": sink, "folder": folder}
        environment = {name: value.format(**values) for name, value in receiver.environment.items()}
        process = subprocess.Popen(
            [word.format(**values) for word in receiver.command],
            env={**os.environ, **ENVIRONMENT, **environment},
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_until_open(process, port)
            yield process, f"http://127.0.0.1:{port}/v1/traces"
        finally:
            process.terminate()
            process.wait(END_SECONDS)


def _wait_until_open(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen on port {port}")


def _wait_until_idle(pid: int) -> None:
    """Wait until a process uses at most 0.03 seconds of CPU in a second."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        used = _cpu_seconds(pid)
        time.sleep(IDLE_SECONDS)
        if _cpu_seconds(pid) - used <= 0.03:
            return
    raise TimeoutError(f"process {pid} is still busy")


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads: fields 14 and 15 of https://man7.org/linux/man-pages/man5/proc.5.html."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mebibytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def in_protobuf(batch: Sequence[ReadableSpan]) -> bytes:
    """Return the body of an export request in protobuf."""
    return encode_spans(batch).SerializeToString()


def in_json(batch: Sequence[ReadableSpan]) -> bytes:
    """Return the body of an export request in JSON."""
    message = MessageToDict(encode_spans(batch), use_integers_for_enums=True)
    return json.dumps(_with_hex_ids(message)).encode()


def _with_hex_ids(value: Any) -> Any:
    """Return the JSON of a message with ids in hex, as OTLP requires; protobuf's JSON mapping has Base64."""
    if isinstance(value, list):
        return [_with_hex_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64decode(item).hex() if name in {"traceId", "spanId", "parentSpanId"} else _with_hex_ids(item)
        for name, item in value.items()
    }


if __name__ == "__main__":
    main()
