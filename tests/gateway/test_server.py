"""The gateway as a process: its output, its signals, and the delivery of acknowledged events."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from otel_rum_exporter.gateway import GatewaySettings
from otel_rum_exporter.gateway.server import serve
from otel_rum_exporter.local import LocalRum
from tests.cli.program import run
from tests.gateway.bodies import JSON, PROTOBUF, json_spans, spans
from tests.spans import APP_MONITOR_ID
from tests.waiting import TIMEOUT_SECONDS, wait_until, wait_until_reachable


class GatewayProcess:
    """A gateway in its own process."""

    def __init__(self, environment: dict[str, str], *options: str) -> None:
        command = [sys.executable, "-c", "from otel_rum_exporter.cli import main; main()", "gateway", *options]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AWS_"))}
        self.process = subprocess.Popen(
            command, env={**clean, "PYTHONUNBUFFERED": "1", **environment}, stdout=subprocess.PIPE, text=True
        )

    def wait_for_url(self) -> str:
        """Wait until the gateway serves, and return the URL of OTLP over HTTP from its output."""
        assert self.process.stdout is not None
        found = re.search(r"http://\S+", self.process.stdout.readline())
        assert found, "the gateway did not start"
        self.process.stdout.readline()
        wait_until_reachable(f"{found[0]}/healthz")
        return found[0]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(TIMEOUT_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def start(rum: LocalRum) -> Iterator[Callable[..., GatewayProcess]]:
    """Start gateways that send to `rum`."""
    processes: list[GatewayProcess] = []
    environment = {
        "OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": APP_MONITOR_ID,
        "OTEL_EXPORTER_AWS_RUM_ENDPOINT": rum.url,
        "OTEL_EXPORTER_AWS_RUM_SIGNING": "none",
        "OTEL_EXPORTER_AWS_RUM_SESSION_START": "minted",
        "OTEL_RUM_GATEWAY_HTTP_PORT": "0",
        "OTEL_RUM_GATEWAY_GRPC_PORT": "0",
    }

    def make(*options: str, **variables: str) -> GatewayProcess:
        processes.append(GatewayProcess({**environment, **variables}, *options))
        return processes[-1]

    yield make
    for process in processes:
        if process.process.poll() is None:
            process.process.kill()
            process.process.wait()
        assert process.process.stdout is not None
        process.process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains(rum: LocalRum, start: Callable[..., GatewayProcess], number: int) -> None:
    """Acknowledged events are delivered before the process exits with 0."""
    process = start()
    url = process.wait_for_url()
    rum.delay_seconds = 0.02
    for index in range(20):
        body = spans(f"work_{index}", session_id=f"session {index}")
        assert httpx.post(f"{url}/v1/traces", content=body, headers=PROTOBUF, verify=False).status_code == 200
    assert process.end(number) == 0
    assert len(rum.events) == 20


def test_a_kill_loses_no_acknowledged_event(
    rum: LocalRum, start: Callable[..., GatewayProcess], tmp_path: Path
) -> None:
    """RUM is unreachable, the gateway is killed, and its successor delivers every acknowledged span."""
    rum.answer(503, times=1_000_000)
    spool = {"OTEL_EXPORTER_AWS_RUM_SPOOL_DIRECTORY": str(tmp_path / "spool")}
    process = start(**spool)
    url = process.wait_for_url()
    acknowledged = set()
    for index in range(100):
        # A child span waits for its parent. Pending spans are in the spool too.
        body = json_spans({"name": f"work_{index}", "traceId": f"{index + 1:032x}", "parentSpanId": "f" * 16})
        if httpx.post(f"{url}/v1/traces", content=body, headers=JSON, verify=False).status_code == 200:
            acknowledged.add(f"work_{index}")
    process.end(signal.SIGKILL)
    rum.clear()
    successor = start(**spool)
    assert successor.wait_for_url()
    rum.wait_for(count=len(acknowledged), timeout_seconds=30)
    assert len(acknowledged) == 100
    assert {event.type for event in rum.events} == acknowledged


def test_workers_listen_when_they_are_announced_and_share_the_ports(
    rum: LocalRum, start: Callable[..., GatewayProcess], tmp_path: Path
) -> None:
    """A client that reads the line can connect at once. Two processes serve one port, and both drain."""
    spool = str(tmp_path / "spool")
    process = start("--workers", "2", "--grpc", "false", "--json", OTEL_EXPORTER_AWS_RUM_SPOOL_DIRECTORY=spool)
    assert process.process.stdout is not None
    announced = json.loads(process.process.stdout.readline())
    url = announced["http"]
    assert url.startswith("http://127.0.0.1:")
    assert announced["grpc"] is None
    if sys.platform == "linux":
        assert _listeners(int(url.rpartition(":")[2])) == 2
    for index in range(50):
        body = spans(f"work_{index}")
        assert httpx.post(f"{url}/v1/traces", content=body, headers=PROTOBUF, verify=False).status_code == 200
    assert process.end() == 0
    assert {event.type for event in rum.wait_for(count=50)} == {f"work_{index}" for index in range(50)}


def _listeners(port: int) -> int:
    """Return how many sockets listen on a port."""
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return len([row for row in table if row[1].endswith(f":{port:04X}") and row[3] == "0A"])


SIGNALLED = """
import os, signal, sys
import uvicorn
from otel_rum_exporter.gateway import GatewaySettings, server

def patched(owner, name):
    original = getattr(owner, name)
    def first(*arguments, **named):
        os.kill(os.getpid(), signal.SIGTERM)
        return original(*arguments, **named)
    setattr(owner, name, first)

if sys.argv[1] == "serve":
    patched(server.Server, "run")
elif sys.argv[1] in ("run", "capture_signals"):
    patched(uvicorn.Server, sys.argv[1])
server.serve(
    GatewaySettings.read({"http_port": 0, "grpc_port": 0, "workers": int(sys.argv[2])}, {}), os.environ,
    lambda _: os.kill(os.getpid(), signal.SIGTERM),
)
"""


@pytest.mark.usefixtures("exporter_environment")
@pytest.mark.parametrize(
    ("moment", "workers"), [("serve", 1), ("run", 1), ("capture_signals", 1), ("ready", 1), ("ready", 2)]
)
def test_a_signal_while_the_gateway_starts_ends_it(moment: str, workers: int, tmp_path: Path) -> None:
    """Before the ready line, and with it."""
    (tmp_path / "gateway.py").write_text(SIGNALLED.replace("server.serve(", 'if __name__ == "__main__": server.serve('))
    command = [sys.executable, str(tmp_path / "gateway.py"), moment, str(workers)]
    assert subprocess.run(command, check=False, timeout=60).returncode == 0


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


SLOW_RECEIVER = """
import time
from otel_rum_exporter.gateway.receiver import Receiver

original = Receiver.receive
Receiver.receive = lambda *arguments: (time.sleep(0.5), original(*arguments))[1]
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_grpc_messages_stay_within_the_memory_limit(start: Callable[..., GatewayProcess], tmp_path: Path) -> None:
    """Twenty-four messages of the largest size at once. Those without room are UNAVAILABLE, and may be sent again."""
    (tmp_path / "sitecustomize.py").write_text(SLOW_RECEIVER)
    largest = 8 * 1024 * 1024
    options = ["--max-body-bytes", str(largest), "--client-bytes-per-second", "0", "--json"]
    process = start(*options, PYTHONPATH=str(tmp_path)).process
    assert process.stdout is not None
    announced = json.loads(process.stdout.readline())
    target = announced["grpc"]
    assert announced["http"].startswith("http://127.0.0.1:")
    assert target.startswith("127.0.0.1:")
    channel_options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.insecure_channel(target, channel_options) for _ in range(4)]
    method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    calls: list[grpc.UnaryUnaryMultiCallable[bytes, bytes]] = [channel.unary_unary(method) for channel in channels]
    assert calls[0](spans("work"), timeout=60) == b""
    before = _peak_bytes(process.pid)
    body = b"\xff" * largest
    futures = [calls[number % 4].future(body, timeout=100) for number in range(24)]
    codes = {future.exception().code() for future in futures}  # type: ignore[union-attr]
    for channel in channels:
        channel.close()
    assert codes == {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAVAILABLE}
    # Four of them, and copies that gRPC and the allocator keep for some time: 11 to 14 times the size. All would be 24.
    assert _peak_bytes(process.pid) - before < 18 * largest


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_a_worker_that_dies_ends_all_workers(start: Callable[..., GatewayProcess], tmp_path: Path) -> None:
    """Otherwise its share of the connections would hang."""
    process = start("--workers", "2", OTEL_EXPORTER_AWS_RUM_SPOOL_DIRECTORY=str(tmp_path / "spool"))
    assert process.wait_for_url()
    os.kill(workers_of(process)[0], signal.SIGKILL)
    assert process.process.wait(TIMEOUT_SECONDS) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_workers_end_with_their_parent(start: Callable[..., GatewayProcess], tmp_path: Path) -> None:
    """Also if it is killed. Otherwise they would share the port with those of the next parent."""
    process = start("--workers", "2", OTEL_EXPORTER_AWS_RUM_SPOOL_DIRECTORY=str(tmp_path / "spool"))
    assert process.wait_for_url()
    workers = workers_of(process)
    assert len(workers) == 2
    process.process.kill()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def workers_of(process: GatewayProcess) -> list[int]:
    """Return the ids of the worker processes."""
    parent = process.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_wrong_setting_or_port_is_one_line_at_the_start(
    start: Callable[..., GatewayProcess], capfd: pytest.CaptureFixture[str]
) -> None:
    """The process exits with an error."""
    settings = {"OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": APP_MONITOR_ID, "OTEL_EXPORTER_AWS_RUM_SIGNING": "none"}
    wrong = [
        run("gateway", "--max-body-bytes", "5", **settings),
        run("gateway", OTEL_RUM_GATEWAY_TOKN="x", **settings),
        run("gateway"),
    ]
    assert [ended.returncode for ended in wrong] == [2, 2, 2]
    taken = start()
    port = taken.wait_for_url().rpartition(":")[2]
    assert start("--http-port", port).process.wait(TIMEOUT_SECONDS) == 1
    lines = [*(ended.stderr.rstrip("\n") for ended in wrong), *capfd.readouterr().err.splitlines()]
    assert [line.partition(" ")[0] for line in lines] == ["otel-rum:"] * 4
    for line, expected in zip(
        lines, ("--max-body-bytes='5'", "OTEL_RUM_GATEWAY_TOKEN", "APP_MONITOR_ID", port), strict=True
    ):
        assert expected in line


@pytest.fixture
def signal_handlers() -> Iterator[None]:
    """Restore the handlers of signals."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _raise(_: object) -> None:
    raise BrokenPipeError


@pytest.mark.usefixtures("exporter_environment", "signal_handlers")
@pytest.mark.parametrize(
    ("settings", "cause", "error"),
    [
        ({"grpc_port": "taken"}, "", OSError),
        ({"http_port": "taken"}, "", OSError),
        ({"grpc_port": "taken", "workers": 2}, "", OSError),
        ({}, "grpc is missing", ImportError),
        ({}, "signals have no handlers outside the main thread", ValueError),
        ({"workers": 2}, "signals have no handlers outside the main thread", ValueError),
        ({}, "the output is closed", BrokenPipeError),
        ({"grpc": False}, "the output is closed", BrokenPipeError),
    ],
)
def test_a_start_that_fails_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], cause: str, error: type[Exception]
) -> None:
    """In the process of an application, which may go on. `no_leaks` looks for what is left."""
    if cause == "grpc is missing":
        monkeypatch.setitem(sys.modules, "otel_rum_exporter.gateway.otlp_grpc", None)
    with socket.create_server(("127.0.0.1", 0)) as taken, ThreadPoolExecutor(1) as other_thread:
        port = taken.getsockname()[1]
        ports = {name: port if value == "taken" else value for name, value in settings.items()}
        chosen = GatewaySettings.read({"http_port": 0, "grpc_port": 0, **ports}, {})
        start = partial(serve, chosen, os.environ, _raise if cause == "the output is closed" else lambda _: None)
        with pytest.raises(error):
            other_thread.submit(start).result() if cause.startswith("signals") else start()
    gc.collect()


@pytest.mark.parametrize("missing", ["starlette", "grpc"])
def test_a_missing_extra_is_one_line(
    start: Callable[..., GatewayProcess], capfd: pytest.CaptureFixture[str], tmp_path: Path, missing: str
) -> None:
    """The line has the package and the pip command."""
    (tmp_path / f"{missing}.py").write_text(f"raise ModuleNotFoundError('none', name={missing!r})\n")
    assert start(PYTHONPATH=str(tmp_path)).process.wait(TIMEOUT_SECONDS) == 2
    message = f"otel-rum: {missing} is not installed: pip install 'otel-rum-exporter[gateway]'\n"
    assert capfd.readouterr().err == message
