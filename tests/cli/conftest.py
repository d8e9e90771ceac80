"""Processes of `otel-rum local`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.cli.program import TIMEOUT_SECONDS, start


@pytest.fixture
def start_local() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `otel-rum local` on free ports, and stop it after the test."""
    started: list[subprocess.Popen[str]] = []

    def start_one(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        started.append(start("local", "--port", "0", *arguments, **variables))
        return started[-1]

    yield start_one
    for process in started:
        process.terminate()
        process.communicate(timeout=TIMEOUT_SECONDS)
