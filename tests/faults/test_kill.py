"""SIGKILL: what was accepted is delivered by whoever comes next, at every system call and at random moments."""

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
from tests.faults.account import PATIENCE_SECONDS, assert_same_ids, taken, wait_until_taken
from tests.faults.conftest import IS_LONG, ON_DISK
from tests.faults.nursery import EVENTS_PER_REQUEST

Make = Callable[..., Any]
SYSTEM_CALLS = ("pwrite64", "write", "fdatasync", "fsync", "rename", "unlink", "ftruncate")
"""What changes a disk, and what makes it last."""

LIFE_SPANS = 18
FLUSH_AFTER = 10
FAMILY = 8
RANDOM_KILLS = 200 if IS_LONG else 24

pytestmark = [pytest.mark.skipif(not hasattr(os, "fork"), reason="lives are forked"), ON_DISK]


class Nursery:
    """The process that gives birth to lives, as a test sees it."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self._endpoint = endpoint
        self._folder = folder
        self._births = itertools.count()
        self.accepted_file = folder / "accepted"
        command = [sys.executable, "-m", "tests.faults.nursery", endpoint]
        root = Path(__file__).parent.parent.parent
        self._process = subprocess.Popen(command, cwd=root, stdin=-1, stdout=-1, stderr=-1, text=True, bufsize=1)

    def bear(
        self, spool: Path, first: int, *, calm: bool = False, spans: int = LIFE_SPANS, flush_after: int = 0
    ) -> int:
        """Return the process id of a life that waits for `go`."""
        self._gate = self._folder / f"gate {next(self._births)}"
        os.mkfifo(self._gate)
        told = {
            "endpoint": self._endpoint,
            "spool": str(spool),
            "accepted": str(self.accepted_file),
            "gate": str(self._gate),
            "first": first,
            "spans": spans,
            "calm": calm,
            "flush_after": flush_after,
        }
        self._write(told)
        return int(self._read())

    def go(self) -> None:
        """Let the youngest life begin."""
        self._gate.open("w").close()
        self._gate.unlink()

    def wait(self, child: int) -> int:
        """Return how a life ended: its exit status, or the signal that killed it, negative."""
        self._write({"wait": child})
        return int(self._read())

    def accepted(self) -> set[int]:
        """Return the numbers of the spans that exporters have accepted."""
        return {int(line) for line in self.accepted_file.read_text().split()} if self.accepted_file.exists() else set()

    def close(self) -> None:
        """End it."""
        _, complaints = self._process.communicate(timeout=PATIENCE_SECONDS)
        assert self._process.returncode == 0, complaints

    def _write(self, told: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._process.communicate()[1]
        return str(line)


@pytest.fixture
def nursery(rum: LocalRum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nursery]:
    """Open a nursery; whoever settles what is left in the end does not wait five seconds for each 32 files."""
    monkeypatch.setattr(pipeline, "RECOVER_SECONDS", 0.1)
    made = Nursery(rum.url, tmp_path)
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


def settle(folder: Path, spools: list[Path], make: Make, rum: LocalRum, numbers: set[int]) -> None:
    """Deliver what is left in spools, all at once."""
    together = folder / "together"
    for file in [file for spool in spools for file in spool.glob("*/*")]:
        place = together / file.parent.name
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.rename(place / file.name)
    one = make(spool_directory=str(together))
    wait_until_taken(rum, numbers)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := _left(together)) or one.ledger.stored:
        assert time.monotonic() < deadline, f"{left} stay on the disk; {one.ledger}"
        time.sleep(0.05)
    assert (one.ledger.accepted, one.ledger.stored) == (one.ledger.delivered, 0), one.ledger
    one.shutdown(10_000)


def _left(folder: Path) -> list[str]:
    """Return what is left of spools, without files that a process had only begun to make."""
    files = {}
    for file in folder.glob("*/*"):
        with contextlib.suppress(FileNotFoundError):  # delivered, and deleted just now
            files[file.name] = file.stat().st_size
    begun = {name for name, size in files.items() if name.endswith(".db") and not size}
    return [name for name in files if re.sub(r"-\w+$", "", name) not in begun]


def test_killed_at_any_system_call_a_life_loses_nothing_it_accepted(
    rum: LocalRum, nursery: Nursery, exporter: Make, tmp_path: Path
) -> None:
    """Each write, sync, truncation and deletion of a life that takes over, stores, delivers and ends."""
    left = tmp_path / "left by another"
    child = nursery.bear(left, 0, calm=True)
    with traced(child, "-e", "inject=fdatasync:signal=KILL:when=12"):
        nursery.go()
        assert nursery.wait(child) == -signal.SIGKILL
    firsts = itertools.count(900, 900)

    def spool() -> Path:
        """Return a copy of what a dead process left, under a name of its own."""
        made = tmp_path / f"spool {uuid.uuid4()}"
        name = uuid.uuid4().hex
        for file in left.glob("*/*"):
            place = made / file.parent.name
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copy(file, place / re.sub(r"^[0-9a-f]+", name, file.name))
        return made

    log = tmp_path / "log"
    spools = [spool()]
    child = nursery.bear(spools[0], next(firsts), calm=True, flush_after=FLUSH_AFTER)
    with traced(child, "-o", str(log)):
        nursery.go()
        assert nursery.wait(child) == 0
    calls = Counter(re.findall(r"^\d+ +(\w+)\(", log.read_text(), re.MULTILINE))
    assert {"pwrite64", "fdatasync", "unlink"} <= calls.keys()
    points = [(name, when) for name, count in calls.items() for when in range(1, count + 1)]
    killed = 0
    for name, when in points if IS_LONG else points[::9]:
        spools.append(spool())
        child = nursery.bear(spools[-1], next(firsts), calm=True, flush_after=FLUSH_AFTER)
        with traced(child, "-e", f"inject={name}:signal=KILL:when={when}"):
            nursery.go()
            killed += nursery.wait(child) == -signal.SIGKILL
    assert killed >= 0.9 * len(spools[1:]), "a life is the same each time, but for a call or two"
    settle(tmp_path, [*spools, left], exporter, rum, nursery.accepted())
    assert_same_ids(taken(rum))
    again = sum(len(ids) - 1 for number, ids in taken(rum).items() if number >= 900)
    assert again <= EVENTS_PER_REQUEST * killed, "only what was on its way comes again"


def test_killed_at_random_moments_one_life_after_another_loses_nothing(
    rum: LocalRum, nursery: Nursery, exporter: Make, tmp_path: Path
) -> None:
    """In the middle of anything, also of a request, while RUM is at its worst; each life takes over from the last."""
    rum.faults = [
        Fault(latency_seconds=0.02, probability=0.5, seed=1),
        Fault(status=503, probability=0.1, seed=2),
        Fault(cut="before_answer", taken=True, probability=0.1, seed=3),
    ]
    choose, spool = random.Random(7), tmp_path / "spool"
    for number in range(RANDOM_KILLS):
        child = nursery.bear(spool, 900 * number)
        nursery.go()
        time.sleep(choose.uniform(0.0, 0.3))
        os.kill(child, signal.SIGKILL)
        nursery.wait(child)
    assert len(nursery.accepted()) >= RANDOM_KILLS / 4, "hardly a life began"
    rum.faults = []
    settle(tmp_path, [spool], exporter, rum, nursery.accepted())
    assert_same_ids(taken(rum))


def test_eight_processes_on_one_spool_with_kills_between_lose_nothing_and_double_nothing_else(
    rum: LocalRum, nursery: Nursery, exporter: Make, tmp_path: Path
) -> None:
    """Who dies is replaced, as workers of a server are; what it left, one of the others delivers, or its successor."""
    choose, spool = random.Random(8), tmp_path / "spool"
    firsts = itertools.count(0, 900)
    rum.delay_seconds = 0.01

    def newborn() -> int:
        child = nursery.bear(spool, next(firsts), spans=399)
        nursery.go()
        return child

    family = [newborn() for _ in range(FAMILY)]
    kills = 40 if IS_LONG else 12
    for _ in range(kills):
        time.sleep(choose.uniform(0.0, 0.3))
        dying = family.pop(choose.randrange(FAMILY))
        os.kill(dying, signal.SIGKILL)
        nursery.wait(dying)
        family.append(newborn())
    statuses = [nursery.wait(child) for child in family]
    assert statuses == [0] * FAMILY, "the others ended as they should"
    settle(tmp_path, [spool], exporter, rum, nursery.accepted())
    assert_same_ids(taken(rum))
    again = sum(len(ids) - 1 for ids in taken(rum).values())
    assert again <= kills * EVENTS_PER_REQUEST * 8, "only what was on its way from a process that died comes again"
