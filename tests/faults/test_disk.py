"""Disks that are full, fail, or give back something else: the application goes on, and what is lost is counted."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter.delivery.spool.file import PAGE_BYTES
from otel_rum_exporter.ledger import DropReason
from otel_rum_exporter.local import Fault, LocalRum
from tests.faults.account import PATIENCE_SECONDS, Account, assert_same_ids, session_id, taken, wait_until_taken
from tests.faults.conftest import IS_LONG, ON_DISK
from tests.faults.test_kill import Nursery, nursery, traced  # noqa: F401 - a fixture

Make = Callable[..., Any]
LIFE_SPANS = 21
MIB = 1024 * 1024

pytestmark = ON_DISK


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of one megabyte."""
    place = tmp_path / "small disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.usefixtures("hasty")
def test_when_the_disk_is_full_events_stay_in_memory_and_delivery_goes_on(
    rum: LocalRum, account: Account, exporter: Make, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also of those on the full disk, which has room again afterwards."""
    rum.faults = [Fault(status=503)]
    one = exporter(spool_directory=str(small_disk / "spool"))
    for _ in range(60):
        one.export(account.spans(30, session_id()))
    delivery = one._shared.pipeline._delivery
    in_memory = [parcel for parcel in delivery._outbox.parcels() if parcel.place is None]
    assert in_memory, "the disk is too large for this test"
    assert sum("cannot be written" in line and "full" in line for line in caplog.messages) == 1
    rum.faults = []
    account.wait_until_all_are_taken()
    assert one.force_flush(60_000)
    account.assert_balanced(one.ledger)
    rum.faults = [Fault(status=503)]
    one.export([account.span()])
    assert all(parcel.place is not None for parcel in delivery._outbox.parcels())
    rum.faults = []


@pytest.mark.usefixtures("hasty")
def test_a_spool_that_cannot_be_made_leaves_the_outbox_in_memory(
    account: Account, exporter: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says so, and nothing else is different."""
    one = exporter(spool_directory="/proc/self/spool")
    one.export(account.spans(3))
    account.wait_until_all_are_taken()
    assert one.force_flush()
    account.assert_balanced(one.ledger)
    assert sum("events are in memory alone" in line for line in caplog.messages) == 1


@pytest.mark.usefixtures("hasty")
def test_a_spool_that_is_emptied_while_the_process_runs_is_used_again(
    rum: LocalRum, account: Account, exporter: Make, form: dict[str, Any]
) -> None:
    """What it held is delivered, and what comes later survives the process."""
    rum.faults = [Fault(status=503)]
    one = exporter()
    one.export([account.span()])
    shutil.rmtree(form["spool_directory"])
    one.export([account.span()])
    assert [path.suffix for path in Path(form["spool_directory"]).glob("*/*.db")] == [".db"]
    rum.faults = []
    account.wait_until_all_are_taken()
    assert one.force_flush()
    account.assert_balanced(one.ledger)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync", "ftruncate", "unlink", "openat"])
def test_a_disk_that_fails_at_any_call_loses_nothing(
    error: str,
    call: str,
    rum: LocalRum,
    nursery: Nursery,  # noqa: F811 - a fixture
    tmp_path: Path,
) -> None:
    """Once, or from some call on: the process lives and delivers; what stayed on disk comes again with the same ids."""
    whens = ["1", "2", "5", "11+", "23", "37", "1+", "3+2"]
    if IS_LONG:
        whens += [str(number) for number in range(3, 120, 4)]
    numbers: set[int] = set()
    for index, when in enumerate(whens):
        first = 900 * index
        numbers |= set(range(first, first + LIFE_SPANS))
        spool = tmp_path / f"spool {index}"
        child = nursery.bear(spool, first, calm=True, spans=LIFE_SPANS, flush_after=8)
        place = ["-P", str(spool)] if call == "openat" else []
        with traced(child, "-e", f"trace={call}", *place, "-e", f"inject={call}:error={error}:when={when}"):
            nursery.go()
            assert nursery.wait(child) == 0
    assert nursery.accepted() == numbers
    wait_until_taken(rum, numbers)
    assert_same_ids(taken(rum))


@pytest.mark.usefixtures("hasty")
def test_a_file_that_was_damaged_loses_what_was_damaged_and_counts_it(
    rum: LocalRum, account: Account, exporter: Make, tmp_path: Path
) -> None:
    """Killed, damaged, started again: everything that can be read is delivered, and the rest is told."""
    rum.faults = [Fault(status=503)]
    template = tmp_path / "template"
    first = exporter(spool_directory=str(template))
    for _ in range(40):
        first.export(account.spans(3, session_id()))
    killed, ended = tmp_path / "killed", tmp_path / "ended"
    shutil.copytree(template, killed)  # its log is not yet part of the database
    first.shutdown(0)
    shutil.copytree(template, ended)
    choose = random.Random(11)
    rounds = 60 if IS_LONG else 10
    for index in range(rounds):
        rum.clear()
        spool = tmp_path / f"spool {index}"
        shutil.copytree(choose.choice((killed, ended)), spool)
        victims = [path for path in spool.glob("*/*") if path.stat().st_size > PAGE_BYTES]
        victim = choose.choice([*victims, victims[-1]])
        offset = choose.randrange(PAGE_BYTES, victim.stat().st_size)
        with victim.open("r+b") as damaged:
            if index % 3 == 0:
                damaged.truncate(offset)
            else:
                damaged.seek(offset)
                damaged.write(choose.randbytes(1 if index % 3 == 1 else 512))
        second = exporter(spool_directory=str(spool))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while list(spool.glob("*/*.db")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        ledger = second.ledger
        second.shutdown(10_000)
        lost = ledger.dropped[DropReason.DAMAGED]
        assert ledger.accepted == ledger.delivered + lost, ledger
        assert len(taken(rum)) == ledger.delivered
        assert_same_ids(taken(rum))
        if victim.suffix == ".db" and victim.parent.parent == ended:
            assert len(taken(rum)) + lost >= len(account.given)
        elif index % 3 or victim.suffix == ".db":  # of a log that was cut short nobody knows that it was longer
            # What a log ends with may be damaged, or cut short by a crash; 512 bytes may reach the transaction before.
            last = 6 if victim.suffix != ".db" else 0
            assert lost or len(taken(rum)) >= len(account.given) - last, (index, victim, offset)


def test_files_are_for_their_owner_alone(account: Account, exporter: Make, form: dict[str, Any], rum: LocalRum) -> None:
    """Events tell what people did."""
    rum.faults = [Fault(status=503)]
    one = exporter()
    one.export([account.span()])
    root = Path(form["spool_directory"])
    modes = {path.stat().st_mode & 0o777 for path in root.glob("*/*")}
    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (root, *root.iterdir())} == {0o700}
    rum.faults = []
