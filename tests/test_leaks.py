"""The check that every test runs under: it must see each kind of leak, and wait for what is ending."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_rum_exporter.exporter.registry import SharedPipeline
from tests import leaks
from tests.leaks import no_leaks
from tests.spans import make_config

IS_LINUX = sys.platform == "linux"


class Client:
    """A client that is never called."""

    def put_rum_events(self, **_: object) -> None:
        raise NotImplementedError


def _pipeline() -> Callable[[], object]:
    shared = SharedPipeline(make_config(), Client())
    return lambda: shared.leave(0.0)


def _thread() -> Callable[[], object]:
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    return release.set


def _descriptor() -> Callable[[], object]:
    file = Path(__file__).open(encoding="utf-8")  # noqa: SIM115 - the leak
    return file.close


def _child() -> Callable[[], object]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    return lambda: process.communicate(b"\n")


@pytest.mark.parametrize(
    ("leak", "named"),
    [
        (_pipeline, "SharedPipeline"),
        (_thread, "Thread"),
        pytest.param(_descriptor, "test_leaks.py", marks=pytest.mark.skipif(not IS_LINUX, reason="needs /proc")),
        pytest.param(_child, "child process", marks=pytest.mark.skipif(not IS_LINUX, reason="needs /proc")),
    ],
)
def test_a_leak_fails_and_is_named(
    leak: Callable[[], Callable[[], object]], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test's own check then passes, because the leak is released."""
    monkeypatch.setattr(leaks, "WAIT_SECONDS", 0.0)
    release: Callable[[], object] = int
    try:
        with pytest.raises(AssertionError, match=named), no_leaks():
            release = leak()
    finally:
        release()


def test_what_is_ending_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that ends after the block is no leak."""
    release = threading.Event()
    monkeypatch.setattr(time, "sleep", lambda _: release.set())
    with no_leaks():
        threading.Thread(target=release.wait).start()
