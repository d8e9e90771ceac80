"""The examples as their readers run them: a process in the example's folder, which sends to a local RUM."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_rum_exporter.local import Events, LocalRum

EXAMPLES = Path(__file__).parents[2] / "examples"
INSTRUMENT = str(Path(sys.executable).with_name("opentelemetry-instrument"))
TIMEOUT_SECONDS = 90


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without settings of OpenTelemetry, with no proxy to LocalRum, and variables."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "RUM_"))}
    return {**inherited, "no_proxy": "127.0.0.1", **variables}


def run(folder: Path, *command: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command until it ends."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(**variables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait until a condition holds; fail if the process ends before, or after a time-out."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        if process.poll() is not None:
            pytest.fail(f"the process exited with {process.returncode}")
        if time.monotonic() > deadline:
            pytest.fail("the process took too long")
        time.sleep(0.05)


def received_events(rum: LocalRum) -> Events:
    """Return the events that RUM received, after a check that it kept all of them."""
    assert (rum.refused, rum.dropped, rum.removed) == ((), (), ())
    return rum.events
