"""Full, failing and damaged disks: the application goes on, and lost events are counted."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter.delivery.spool.locked_file import BLOCK_BYTES
from otel_rum_exporter.delivery.spool.segment import SUFFIX
from otel_rum_exporter.ledger import DropReason
from otel_rum_exporter.local import Fault, LocalRum
from tests.faults.conftest import IS_LONG, ON_DISK
from tests.faults.numbered_spans import (
    TIMEOUT_SECONDS,
    NumberedSpans,
    assert_same_ids,
    received,
    session_id,
    wait_until_received,
)
from tests.faults.test_kill import ForkServer, fork_server, traced  # noqa: F401 - a fixture

Make = Callable[..., Any]
CHILD_SPANS = 21
MIB = 1024 * 1024

pytestmark = ON_DISK


@pytest.fixture
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of one megabyte, or of the size that the test sets."""
    place = tmp_path / "small disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={getattr(request, 'param', '1m')},mode=0700", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.usefixtures("short_export_wait")
@pytest.mark.parametrize("small_disk", ["256k"], indirect=True)
def test_events_stay_in_memory_while_the_disk_is_full(
    rum: LocalRum, numbered: NumberedSpans, exporter: Make, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are delivered, and later events are written to disk again."""
    rum.faults = [Fault(status=503)]
    one = exporter(spool_directory=str(small_disk / "spool"))
    for _ in range(15):
        one.export(numbered.spans(100, session_id()))
    assert sum("cannot be written" in line and "No space left" in line for line in caplog.messages) == 1
    rum.faults = []
    numbered.wait_until_received()
    assert one.force_flush(60_000)
    numbered.assert_counts(one.ledger)
    rum.faults = [Fault(status=503)]
    one.export([numbered.span()])
    one.shutdown(0)
    assert (one.ledger.stored, one.ledger.dropped) == (1, {}), "events in memory are dropped at shutdown"


@pytest.mark.usefixtures("short_export_wait")
def test_events_stay_in_memory_if_the_spool_cannot_be_created(
    numbered: NumberedSpans, exporter: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """One line is logged, and delivery goes on."""
    one = exporter(spool_directory="/proc/self/spool")
    one.export(numbered.spans(3))
    numbered.wait_until_received()
    assert one.force_flush()
    numbered.assert_counts(one.ledger)
    assert sum("events stay in memory only" in line for line in caplog.messages) == 1


@pytest.mark.usefixtures("short_export_wait")
def test_a_spool_deleted_by_others_is_created_again(
    rum: LocalRum, numbered: NumberedSpans, exporter: Make, storage: dict[str, Any]
) -> None:
    """Its events are delivered, and later events survive the process."""
    rum.faults = [Fault(status=503)]
    one = exporter()
    one.export([numbered.span()])
    shutil.rmtree(storage["spool_directory"])
    one.export([numbered.span()])
    assert [path.suffix for path in Path(storage["spool_directory"]).glob(f"*/*{SUFFIX}")] == [SUFFIX]
    rum.faults = []
    numbered.wait_until_received()
    assert one.force_flush()
    numbered.assert_counts(one.ledger)


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_a_disk_failure_at_any_call_loses_nothing(
    error: str,
    rum: LocalRum,
    fork_server: ForkServer,  # noqa: F811 - a fixture
    tmp_path: Path,
) -> None:
    """Once, or from some call on: the process delivers; events left on disk are sent again with the same ids.

    A disk that cannot be read any more loses what is on it.
    """
    whens = ["1", "3+2", "11+"]
    if IS_LONG:
        whens += ["2", "5", "1+", *(str(number) for number in range(3, 80, 8))]
    calls = ["pwrite64", "pread64", "fdatasync", "fsync", "ftruncate", "unlink", "openat", "flock"]
    failures = [(call, when) for call in calls for when in whens if call != "pread64" or not when.endswith("+")]
    numbers: set[int] = set()
    for index, (call, when) in enumerate(failures):
        first = 900 * index
        numbers |= set(range(first, first + CHILD_SPANS))
        spool = tmp_path / f"spool {index}"
        child = fork_server.fork(spool, first, has_no_threads=True, spans=CHILD_SPANS, flush_after=8)
        place = ["-P", str(spool)] if call == "openat" else []
        with traced(child, "-e", f"trace={call}", *place, "-e", f"inject={call}:error={error}:when={when}"):
            fork_server.go()
            assert fork_server.wait(child) == 0, (call, when)
    assert fork_server.accepted() == numbers
    wait_until_received(rum, numbers)
    assert_same_ids(received(rum))


@pytest.mark.usefixtures("short_export_wait")
def test_damaged_files_lose_only_damaged_events_and_count_them(
    rum: LocalRum, numbered: NumberedSpans, exporter: Make, tmp_path: Path
) -> None:
    """After a kill and damage: readable events are delivered, and the others are counted."""
    rum.faults = [Fault(status=503)]
    template = tmp_path / "template"
    first = exporter(spool_directory=str(template))
    for _ in range(40):
        first.export(numbered.spans(3, session_id()))
    first.shutdown(0)
    choose = random.Random(11)
    rounds = 60 if IS_LONG else 6
    for index in range(rounds):
        rum.clear()
        spool = tmp_path / f"spool {index}"
        shutil.copytree(template, spool)
        (victim,) = spool.glob(f"*/*{SUFFIX}")
        offset = choose.randrange(BLOCK_BYTES, victim.stat().st_size)
        with victim.open("r+b") as damaged:
            if index % 3 == 0:
                damaged.truncate(offset)
            else:
                damaged.seek(offset)
                damaged.write(choose.randbytes(1 if index % 3 == 1 else 512))
        second = exporter(spool_directory=str(spool))
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while list(spool.glob(f"*/*{SUFFIX}")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        second.shutdown(10_000)
        ledger = second.ledger
        lost = ledger.dropped[DropReason.DAMAGED]
        assert ledger.accepted == ledger.delivered + lost == len(numbered.exported), ledger
        assert len(received(rum)) == ledger.delivered
        assert_same_ids(received(rum))


def test_only_their_user_has_access_to_spool_files(
    numbered: NumberedSpans, exporter: Make, storage: dict[str, Any], rum: LocalRum
) -> None:
    """Events contain what people did."""
    rum.faults = [Fault(status=503)]
    one = exporter()
    one.export([numbered.span()])
    root = Path(storage["spool_directory"])
    modes = {path.stat().st_mode & 0o777 for path in root.glob("*/*")}
    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (root, *root.iterdir())} == {0o700}
    rum.faults = []
