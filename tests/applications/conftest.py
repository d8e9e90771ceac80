"""Applications as their users run them: real servers and workers, and the exporter from the environment."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from otel_rum_exporter.local import Event, LocalRum
from tests.spans import APP_MONITOR_ID

FOLDER = Path(__file__).parent
BIN = Path(sys.executable).parent
INSTRUMENT = str(BIN / "opentelemetry-instrument")
TIMEOUT_SECONDS = 60


class Application(NamedTuple):
    """The folder and the environment of applications that send to `rum`."""

    rum: LocalRum
    folder: Path
    environment: dict[str, str]

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program until it ends."""
        return subprocess.run(
            command,
            cwd=FOLDER,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    @contextmanager
    def serving(self, *command: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        """Run a server, and stop it as a service manager does. It may not fail while it runs or ends."""
        log = self.folder / "server.log"
        with (
            log.open("w") as output,
            subprocess.Popen(
                [INSTRUMENT, *command],
                cwd=FOLDER,
                env={**self.environment, **variables},
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            ) as process,
        ):
            try:
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(TIMEOUT_SECONDS)

    def log(self) -> str:
        """Return what the server printed."""
        return (self.folder / "server.log").read_text()

    def events(self) -> Counter[tuple[str, str]]:
        """Count the events by type and what they are about, after a check that RUM kept all of them."""
        assert (self.rum.refused, self.rum.dropped, self.rum.removed) == ((), (), ())
        return Counter((event.type.removeprefix("com.amazon.rum."), about(event)) for event in self.rum.events)

    def wait_for(self, expected: Mapping[tuple[str, str], int]) -> None:
        """Wait until as many events have arrived as are expected."""
        wait_until(lambda: len(self.rum.events) >= sum(expected.values()))


def about(event: Event) -> str:
    """Return what an event is about: its page, its request with the status, or its error."""
    details = event.details
    if "request" in details:
        response = details.get("response", {}).get("status", "no response")
        return f"{details['request']['method']} {urlsplit(details['request']['url']).path} {response}"
    if "pageId" in details:
        return str(details["pageId"])
    if "message" in details:
        return f"{details['type']} in {Path(details.get('filename', '')).name}"
    return str(event.metadata.get("pageId", "")) if event.type.endswith("navigation_event") else ""


@pytest.fixture
def application(rum: LocalRum, tmp_path: Path) -> Application:
    """Let applications send spans and log records to a RUM."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AWS_"))}
    environment = {
        **inherited,
        "OTEL_TRACES_EXPORTER": "aws_rum",
        "OTEL_LOGS_EXPORTER": "aws_rum",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": APP_MONITOR_ID,
        "OTEL_EXPORTER_AWS_RUM_ENDPOINT": rum.url,
        "OTEL_EXPORTER_AWS_RUM_SIGNING": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "100",  # servers that end by a signal do not flush
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
        "DATABASE": str(tmp_path / "database"),
        "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
        "no_proxy": "127.0.0.1",
    }
    return Application(rum, tmp_path, environment)


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """Start a Redis server of its own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: is_open(port))
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def is_open(port: int) -> bool:
    """Return whether a server listens on a port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, and fail after a time-out."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition does not hold in time"
        time.sleep(0.05)
