"""After SIGKILL, at each system call and at random times, the next process delivers all accepted events."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter.exporter import pipeline
from otel_rum_exporter.local import Fault, LocalRum
from tests.faults.conftest import IS_LONG, ON_DISK
from tests.faults.fork_server import EVENTS_PER_REQUEST
from tests.faults.numbered_spans import TIMEOUT_SECONDS, assert_same_ids, received, wait_until_received

Make = Callable[..., Any]
SYSTEM_CALLS = ("pwrite64", "write", "fdatasync", "fsync", "rename", "unlink", "ftruncate")
"""System calls that change or synchronize files."""

CHILD_SPANS = 18
FLUSH_AFTER = 10
PROCESSES = 8
SHARING_SPANS = 399 if IS_LONG else 60
RANDOM_KILLS = 200 if IS_LONG else 12

pytestmark = [pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked"), ON_DISK]


class ForkServer:
    """Controls the process that forks exporter processes."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self._endpoint = endpoint
        self._folder = folder
        self._counter = itertools.count()
        self.accepted_file = folder / "accepted"
        command = [sys.executable, "-m", "tests.faults.fork_server", endpoint]
        root = Path(__file__).parent.parent.parent
        self._process = subprocess.Popen(command, cwd=root, stdin=-1, stdout=-1, stderr=-1, text=True, bufsize=1)

    def fork(
        self, spool: Path, first: int, *, has_no_threads: bool = False, spans: int = CHILD_SPANS, flush_after: int = 0
    ) -> int:
        """Fork a process that waits for `go`, and return its id."""
        self._fifo = self._folder / f"fifo {next(self._counter)}"
        os.mkfifo(self._fifo)
        options = {
            "endpoint": self._endpoint,
            "spool": str(spool),
            "accepted": str(self.accepted_file),
            "fifo": str(self._fifo),
            "first": first,
            "spans": spans,
            "has_no_threads": has_no_threads,
            "flush_after": flush_after,
        }
        self._write(options)
        return int(self._read())

    def go(self) -> None:
        """Start the process forked last."""
        self._fifo.open("w").close()
        self._fifo.unlink()

    def wait(self, child: int) -> int:
        """Wait for the end of a process. Return its exit status, or the negative signal that killed it."""
        self._write({"wait": child})
        return int(self._read())

    def accepted(self) -> set[int]:
        """Return the numbers of the spans that exporters accepted."""
        return {int(line) for line in self.accepted_file.read_text().split()} if self.accepted_file.exists() else set()

    def wait_until_accepted(self, count: int) -> None:
        """Wait until all processes together have accepted this number of spans."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while len(self.accepted()) < count:
            assert time.monotonic() < deadline, f"{len(self.accepted())} of {count} spans are accepted"
            time.sleep(0.005)

    def close(self) -> None:
        """End the fork server."""
        _, errors = self._process.communicate(timeout=TIMEOUT_SECONDS)
        assert self._process.returncode == 0, errors

    def _write(self, options: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(options) + "\n")
        self._process.stdin.flush()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._process.communicate()[1]
        return str(line)


@pytest.fixture
def fork_server(rum: LocalRum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkServer]:
    """Start a fork server, and shorten the interval of recovery, which opens 32 files each time."""
    monkeypatch.setattr(pipeline, "RECOVER_SECONDS", 0.1)
    made = ForkServer(rum.url, tmp_path)
    yield made
    made.close()


@contextlib.contextmanager
def traced(process_id: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Trace a process until it ends."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    calls = ",".join(SYSTEM_CALLS)
    command = [strace, "-f", "-p", str(process_id), "-e", f"trace={calls}", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        line = tracer.stderr.readline()
        if "attached" not in line:
            os.kill(process_id, signal.SIGKILL)
            pytest.skip(f"processes cannot be traced here: {line}")
        yield tracer
        tracer.communicate()


def deliver_rest(folder: Path, spools: list[Path], make: Make, rum: LocalRum, numbers: set[int]) -> None:
    """Deliver the rest in all spools with one exporter."""
    together = folder / "together"
    for file in [file for spool in spools for file in spool.glob("*/*")]:
        place = together / file.parent.name
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.rename(place / file.name)
    one = make(spool_directory=str(together))
    wait_until_received(rum, numbers)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (left := _left(together)) or one.ledger.stored:
        assert time.monotonic() < deadline, f"{left} stay on disk; {one.ledger}"
        time.sleep(0.05)
    assert (one.ledger.accepted, one.ledger.stored) == (one.ledger.delivered, 0), one.ledger
    one.shutdown(10_000)


def _left(folder: Path) -> list[str]:
    """Return the files of spools."""
    return [file.name for file in folder.glob("*/*")]


def test_a_kill_at_any_system_call_loses_nothing(
    rum: LocalRum, fork_server: ForkServer, exporter: Make, tmp_path: Path
) -> None:
    """At each write, sync, truncation and deletion of a process that recovers, stores, delivers and ends."""
    left = tmp_path / "left by another"
    child = fork_server.fork(left, 0, has_no_threads=True)
    with traced(child, "-e", "inject=fdatasync:signal=KILL:when=12"):
        fork_server.go()
        assert fork_server.wait(child) == -signal.SIGKILL
    firsts = itertools.count(900, 900)

    def spool() -> Path:
        """Return a copy of the spool of a dead process, with a new name."""
        made = tmp_path / f"spool {uuid.uuid4()}"
        name = uuid.uuid4().hex
        for file in left.glob("*/*"):
            place = made / file.parent.name
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copy(file, place / re.sub(r"^[0-9a-f]+", name, file.name))
        return made

    log = tmp_path / "log"
    spools = [spool()]
    child = fork_server.fork(spools[0], next(firsts), has_no_threads=True, flush_after=FLUSH_AFTER)
    with traced(child, "-o", str(log)):
        fork_server.go()
        assert fork_server.wait(child) == 0
    calls = Counter(re.findall(r"^\d+ +(\w+)\(", log.read_text(), re.MULTILINE))
    assert {"pwrite64", "fdatasync", "unlink"} <= calls.keys()
    points = [(name, when) for name, count in calls.items() for when in range(1, count + 1)]
    killed = 0
    for name, when in points if IS_LONG else points[::9]:
        spools.append(spool())
        child = fork_server.fork(spools[-1], next(firsts), has_no_threads=True, flush_after=FLUSH_AFTER)
        with traced(child, "-e", f"inject={name}:signal=KILL:when={when}"):
            fork_server.go()
            killed += fork_server.wait(child) == -signal.SIGKILL
    assert killed >= 0.9 * len(spools[1:]), "processes make the same calls each time, with few exceptions"
    deliver_rest(tmp_path, [*spools, left], exporter, rum, fork_server.accepted())
    assert_same_ids(received(rum))
    again = sum(len(ids) - 1 for number, ids in received(rum).items() if number >= 900)
    assert again <= EVENTS_PER_REQUEST * killed, "only events in flight are sent again"


def test_kills_at_random_times_lose_nothing(
    rum: LocalRum, fork_server: ForkServer, exporter: Make, tmp_path: Path
) -> None:
    """Also during a request, while RUM fails at random. Each process recovers the events of the one before."""
    rum.faults = [
        Fault(latency_seconds=0.02, probability=0.5, seed=1),
        Fault(status=503, probability=0.1, seed=2),
        Fault(cut="before_answer", taken=True, probability=0.1, seed=3),
    ]
    choose, spool = random.Random(7), tmp_path / "spool"
    for number in range(RANDOM_KILLS):
        child = fork_server.fork(spool, 900 * number)
        fork_server.go()
        fork_server.wait_until_accepted(len(fork_server.accepted()) + choose.randint(0, CHILD_SPANS))
        time.sleep(choose.uniform(0.0, 0.05))  # the kill is between two spans, during a request, or during the flush
        os.kill(child, signal.SIGKILL)
        fork_server.wait(child)
    rum.faults = []
    deliver_rest(tmp_path, [spool], exporter, rum, fork_server.accepted())
    assert_same_ids(received(rum))


def test_eight_processes_with_one_spool_and_kills_lose_nothing(
    rum: LocalRum, fork_server: ForkServer, exporter: Make, tmp_path: Path
) -> None:
    """A killed process is replaced, as server workers are. Any other process delivers its events."""
    choose, spool = random.Random(8), tmp_path / "spool"
    firsts = itertools.count(0, 900)
    rum.delay_seconds = 0.01

    def start() -> int:
        child = fork_server.fork(spool, next(firsts), spans=SHARING_SPANS)
        fork_server.go()
        return child

    children = [start() for _ in range(PROCESSES)]
    kills = 40 if IS_LONG else 6
    for _ in range(kills):
        # The process that started last is alive, so at least `SHARING_SPANS` more are accepted.
        fork_server.wait_until_accepted(len(fork_server.accepted()) + choose.randint(0, SHARING_SPANS // 2))
        victim = children.pop(choose.randrange(PROCESSES))
        os.kill(victim, signal.SIGKILL)
        fork_server.wait(victim)
        children.append(start())
    statuses = [fork_server.wait(child) for child in children]
    assert statuses == [0] * PROCESSES, "the others end regularly"
    deliver_rest(tmp_path, [spool], exporter, rum, fork_server.accepted())
    assert_same_ids(received(rum))
    again = sum(len(ids) - 1 for ids in received(rum).values())
    assert again <= kills * EVENTS_PER_REQUEST * 8, "only events in flight in a killed process are sent again"
