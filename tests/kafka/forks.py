"""Consumers forked from one process that has imported everything. A new Python for each would take most of the time."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from typing_extensions import Self

from tests.waiting import wait_until


class ForkedConsumer:
    """A process of `otel-rum kafka`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def kill(self) -> None:
        """End it. It has no time to commit."""
        os.kill(self._pid, signal.SIGKILL)
        self.wait()

    def terminate(self) -> None:
        """Ask it to end."""
        os.kill(self._pid, signal.SIGTERM)

    def wait(self) -> None:
        """Wait for its end."""
        wait_until(self._has_ended)

    def _has_ended(self) -> bool:
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return True
        return False


class ConsumerForks:
    """The process that forks consumers. Not thread-safe."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.kafka.forks"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def start(self, options: Sequence[str], environment: Mapping[str, str], log: Path) -> ForkedConsumer:
        """Run `otel-rum` with options."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([options, environment, str(log)]) + "\n")
        self._process.stdin.flush()
        return ForkedConsumer(int(self._process.stdout.readline()))


def _run(options: list[str], environment: dict[str, str], log: str) -> None:
    from otel_rum_exporter.cli import main

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environment)
    output = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    for descriptor in range(3):
        os.dup2(output, descriptor)
    sys.argv = ["otel-rum", *options]
    main()


def _fork() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nothing waits for the children
    while line := sys.stdin.readline():
        pid = os.fork()
        if not pid:
            _run(*json.loads(line))
            return
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _import() -> None:
    """Import what a consumer needs, and read AWS's data files."""
    import botocore.session

    from otel_rum_exporter.cli import program  # noqa: F401
    from otel_rum_exporter.config import Config
    from otel_rum_exporter.exporter import pipeline  # noqa: F401
    from otel_rum_exporter.kafka import process  # noqa: F401
    from otel_rum_exporter.rum.client import build_client

    botocore.session.create_loader = cache(botocore.session.create_loader)
    build_client(Config(signing="none", endpoint="http://127.0.0.1:1"))
    gc.collect()
    gc.freeze()  # so that no child copies this memory


if __name__ == "__main__":
    _import()
    _fork()
