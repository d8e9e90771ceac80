"""The spool: a directory that processes share, and a disk that fails."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.delivery.spool import directory as module
from otel_rum_exporter.delivery.spool.directory import Spool
from otel_rum_exporter.delivery.spool.file import SpoolFile
from tests.delivery.queued import event, parcel

MIB = 1024 * 1024


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Spool]]:
    """Make spools in one directory, and close them."""
    made: list[Spool] = []

    def spool(
        directory: Path = tmp_path / "spool",
        destination: str = "eu",
        max_bytes: int = 100 * MIB,
        log: RateLimitedLog | None = None,
    ) -> Spool:
        made.append(Spool(str(directory), destination=destination, max_bytes=max_bytes, log=log or RateLimitedLog()))
        return made[-1]

    yield spool
    for one in made:
        one.close()


def files(directory: Path, suffix: str = ".db") -> list[Path]:
    """Return the files of a spool."""
    return list(directory.glob(f"*/*{suffix}"))


def test_what_one_process_leaves_the_next_takes_over(make: Callable[..., Spool], tmp_path: Path) -> None:
    """With nothing lost and nothing left behind."""
    first = make()
    kept, delivered = parcel("a", 1), parcel("a", 2)
    first.replace((), [kept, delivered])
    first.remove([delivered])
    first.close()
    second = make()
    (found,), lost_events = second.recover()
    assert (second.events(found), lost_events) == ((event(1),), 0)
    assert second.recover() == ([], 0)
    second.remove([found])
    assert files(tmp_path / "spool") == []


def test_living_processes_do_not_touch_each_other(make: Callable[..., Spool], tmp_path: Path) -> None:
    """Each has a file of its own."""
    first, second = make(), make()
    first.replace((), [parcel("a", 1)])
    second.replace((), [parcel("a", 2)])
    assert first.recover() == second.recover() == ([], 0)
    assert len(files(tmp_path / "spool")) == 2


def test_programs_with_another_destination_are_strangers(make: Callable[..., Spool]) -> None:
    """Events for one region must not go to another."""
    first = make(destination="eu")
    first.replace((), [parcel("a", 1)])
    first.close()
    assert make(destination="us").recover() == ([], 0)
    assert len(make(destination="eu").recover().parcels) == 1


def test_a_file_that_another_process_just_makes_is_left_alone(make: Callable[..., Spool], tmp_path: Path) -> None:
    """It is still empty; later it is one that nobody will fill."""
    spool = make()
    spool.replace((), [parcel("a", 1)])
    young = files(tmp_path / "spool")[0].with_name("young.db")
    young.touch()
    assert spool.recover() == ([], 0)
    assert young.exists()
    os.utime(young, (0, 0))
    spool.recover()
    assert not young.exists()


def test_the_directory_is_for_its_user_alone(make: Callable[..., Spool], tmp_path: Path) -> None:
    """Also where the umask would let others in, or it was there already."""
    directory = tmp_path / "spool"
    spool = make(directory)
    spool.replace((), [parcel("a", 1)])
    (inner,) = directory.iterdir()
    inner.chmod(0o777)
    spool.close()
    spool = make(directory)
    spool.recover()
    assert stat.S_IMODE(inner.stat().st_mode) == 0o700
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give a directory away")
def test_a_directory_of_somebody_else_is_refused(
    make: Callable[..., Spool], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever owns it could read and change what is in it; events stay in memory."""
    directory = tmp_path / "spool"
    directory.mkdir()
    os.chown(directory, 12345, 12345)
    log = RateLimitedLog()
    stored = parcel("a", 1)
    make(directory, log=log).replace((), [stored])
    log.write()
    assert stored.place is None
    assert stored.events == (event(1),)
    assert "belongs to user 12345" in caplog.text


def test_a_link_in_place_of_the_directory_is_refused(
    make: Callable[..., Spool], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may lead anywhere."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "spool").symlink_to(tmp_path / "elsewhere")
    log = RateLimitedLog()
    stored = parcel("a", 1)
    make(log=log).replace((), [stored])
    log.write()
    assert stored.place is None
    assert "is no directory of its own" in caplog.text


def test_where_the_disk_fails_events_stay_in_memory_and_one_line_tells(
    make: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And they are on disk again as soon as it works."""
    log = RateLimitedLog()
    spool = make(log=log)
    spool.replace((), [parcel("a", 0)])
    full = sqlite3.OperationalError("database or disk is full")
    with monkeypatch.context() as patch:
        patch.setattr(SpoolFile, "put", lambda *_, **__: (_ for _ in ()).throw(full))
        failed = [parcel("a", number) for number in range(3)]
        for one in failed:
            spool.replace((), [one])
    log.write()
    assert [spool.events(one) for one in failed] == [(event(number),) for number in range(3)]
    assert len(caplog.messages) == 1
    assert "database or disk is full" in caplog.text
    later = parcel("a", 9)
    spool.replace((), [later])
    assert later.place is not None


def test_a_damaged_file_in_use_is_followed_by_a_new_one(
    make: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is still readable in it is delivered, and then it is set aside."""
    spool = make()
    old = parcel("a", 1)
    spool.replace((), [old])
    malformed = sqlite3.DatabaseError("database disk image is malformed")
    real, calls = SpoolFile.put, iter([malformed])

    def put(*arguments: object) -> None:
        error = next(calls, None)
        if error:
            raise error
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SpoolFile, "put", put)
    new = parcel("a", 2)
    spool.replace((), [new])
    assert new.place is not None
    assert len(files(tmp_path / "spool")) == 2
    assert spool.events(old) == (event(1),)
    spool.remove([old])
    assert len(files(tmp_path / "spool")) == len(files(tmp_path / "spool", ".damaged")) == 1


def test_a_disk_that_gives_damaged_files_only_is_not_filled_with_them(
    make: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor is the process with their descriptors."""

    def put(*_: object) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(SpoolFile, "put", put)
    spool = make()
    for number in range(5):
        stored = parcel("a", number)
        spool.replace((), [stored])
        assert spool.events(stored) == (event(number),)
    assert files(tmp_path / "spool") == []
    assert len(files(tmp_path / "spool", ".damaged")) == module.MAX_DAMAGED_FILES


def test_a_directory_that_was_emptied_is_used_again(make: Callable[..., Spool], tmp_path: Path) -> None:
    """Programs that clear temporary files take it for one; what is written to a file without a name dies with us."""
    spool = make()
    old, new = parcel("a", 1), parcel("a", 2)
    spool.replace((), [old])
    shutil.rmtree(tmp_path / "spool")
    spool.replace((), [new])
    assert [spool.events(one) for one in (old, new)] == [(event(1),), (event(2),)]
    spool.remove([old])
    spool.close()
    assert [one.tally for one in make().recover().parcels] == [new.tally]


def test_of_damaged_files_only_the_last_are_kept(make: Callable[..., Spool], tmp_path: Path) -> None:
    """They are for people to look at, not for the disk to fill up."""
    spool = make()
    spool.replace((), [parcel("a", 1)])
    (inner,) = (tmp_path / "spool").iterdir()
    for number in range(6):
        (inner / f"{number}.db").write_bytes(b"\xff" * 10_000)
    parcels, lost_events = spool.recover()
    assert (parcels, lost_events) == ([], 6)
    assert len(files(tmp_path / "spool", ".damaged")) == module.MAX_DAMAGED_FILES


def test_a_file_that_became_large_gives_its_space_back(
    make: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A database keeps what it once had; so the next events go to a new one, and it goes when it is empty."""
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 10_000)
    monkeypatch.setattr(module, "SMALL_FILE_BYTES", 10_000)
    spool = make()
    large = parcel("a", *range(3000))
    spool.replace((), [large])
    spool.close()
    spool = make()
    (found,) = spool.recover().parcels
    spool.replace((), [parcel("a", 2)])
    assert len(files(tmp_path / "spool")) == 2
    spool.remove([found])
    assert len(files(tmp_path / "spool")) == 1


def test_what_others_use_is_not_free(make: Callable[..., Spool]) -> None:
    """The bound is the directory's."""
    first, second = make(), make(max_bytes=8 * MIB)
    assert second.disk_limit_bytes() == 8 * MIB
    first.replace((), [parcel("a", *range(20_000))])
    second.recover()
    assert second.disk_limit_bytes() < 7 * MIB


def test_parcels_are_replaced_across_files(make: Callable[..., Spool]) -> None:
    """Halves of what another process left go into our own file."""
    first = make()
    first.replace((), [parcel("a", 1, 2)])
    first.close()
    second = make()
    (found,), _ = second.recover()
    halves = [parcel("a", 1), parcel("a", 2)]
    second.replace([found], halves)
    assert [second.events(one) for one in halves] == [(event(1),), (event(2),)]
    second.close()
    third = make()
    assert len(third.recover().parcels) == 2


def test_after_its_end_nothing_is_written(make: Callable[..., Spool]) -> None:
    """The files may be somebody else's by then."""
    spool = make()
    stored = parcel("a", 1)
    spool.replace((), [stored])
    spool.close()
    spool.remove([stored])
    late = parcel("a", 2)
    spool.replace((), [late])
    assert late.place is None
    assert len(make().recover().parcels) == 1


def test_eight_processes_share_a_directory_and_each_event_is_taken_over_once(tmp_path: Path) -> None:
    """Those that die leave theirs to those that live."""
    program = """
import sys, os
from otel_rum_exporter.delivery.spool.directory import Spool
from otel_rum_exporter.delivery.spool.file import SpoolFile
from otel_rum_exporter._log import RateLimitedLog
from tests.delivery.queued import parcel
spool = Spool(sys.argv[1], destination="eu", max_bytes=10**9, log=RateLimitedLog())
spool.replace((), [parcel(sys.argv[2], f"{sys.argv[2]}/{number}") for number in range(20)])
if sys.argv[3] == "dies":
    os._exit(0)
taken = [one.id for parcel in spool.recover().parcels for one in spool.events(parcel)]
print(*taken)
sys.stdin.read()
"""
    command = [sys.executable, "-c", program, str(tmp_path / "spool")]
    root = Path(__file__).parents[3]
    for number in range(4):
        subprocess.run([*command, str(number), "dies"], check=True, cwd=root)
    living = [
        subprocess.Popen([*command, str(number), "lives"], cwd=root, stdin=-1, stdout=-1, text=True)
        for number in range(4, 8)
    ]
    taken = []
    for process in living:
        assert process.stdout is not None
        taken.extend(process.stdout.readline().split())
    for process in living:
        process.communicate()
        assert process.returncode == 0
    assert sorted(taken) == sorted(event(f"{number}/{index}").id for number in range(4) for index in range(20))
