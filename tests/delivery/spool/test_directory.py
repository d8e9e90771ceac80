"""The spool: a directory shared by processes, and a failing disk."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import orjson
import pytest

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.delivery.spool import directory as module
from otel_rum_exporter.delivery.spool.directory import Spool
from otel_rum_exporter.delivery.spool.locked_file import LockedFile
from otel_rum_exporter.delivery.spool.segment import SUFFIX, Segment
from otel_rum_exporter.delivery.storage import QueuedEvents
from otel_rum_exporter.rum.ids import event_id
from tests.delivery.queued import encoded, event, queued

MIB = 1024 * 1024


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Spool]]:
    """Return a function that creates spools in one directory; they are closed after the test."""
    made: list[Spool] = []

    def spool(
        directory: Path = tmp_path / "spool",
        destination: str = "eu",
        max_bytes: int = 100 * MIB,
        log: RateLimitedLog | None = None,
        former_destination: str = "",
    ) -> Spool:
        log = log or RateLimitedLog()
        made.append(
            Spool(
                str(directory),
                destination=destination,
                max_bytes=max_bytes,
                log=log,
                former_destination=former_destination,
            )
        )
        return made[-1]

    yield spool
    for one in made:
        one.close()


def files(directory: Path, suffix: str = SUFFIX) -> list[Path]:
    """Return the files of a spool with a suffix."""
    return list(directory.glob(f"*/*{suffix}"))


def test_the_next_process_recovers_stored_events(make: Callable[..., Spool], tmp_path: Path) -> None:
    """Each once, and the file is deleted."""
    first = make()
    kept, delivered = queued("a", 1), queued("a", 2)
    first.replace((), [kept, delivered])
    first.remove([delivered])
    first.close()
    second = make()
    (found,), lost_events = second.recover()
    assert (second.events(found), lost_events) == (encoded(1), 0)
    assert second.recover() == ([], 0)
    second.remove([found])
    assert files(tmp_path / "spool") == []


def test_processes_do_not_recover_events_of_running_processes(make: Callable[..., Spool], tmp_path: Path) -> None:
    """Each has a file of its own."""
    first, second = make(), make()
    first.replace((), [queued("a", 1)])
    second.replace((), [queued("a", 2)])
    assert first.recover() == second.recover() == ([], 0)
    assert len(files(tmp_path / "spool")) == 2


def test_events_are_recovered_only_for_their_destination(make: Callable[..., Spool]) -> None:
    """Events for one region must not be sent to another."""
    first = make(destination="eu")
    first.replace((), [queued("a", 1)])
    first.close()
    assert make(destination="us").recover() == ([], 0)
    assert len(make(destination="eu").recover().queued) == 1


def test_an_empty_file_is_deleted(make: Callable[..., Spool], tmp_path: Path) -> None:
    """Its process ended while it created it."""
    spool = make()
    spool.replace((), [queued("a", 1)])
    empty = files(tmp_path / "spool")[0].with_name(f"{1:016x}-{1:016x}{SUFFIX}")
    empty.touch()
    assert spool.recover() == ([], 0)
    assert not empty.exists()


def test_only_its_user_has_access_to_the_directory(make: Callable[..., Spool], tmp_path: Path) -> None:
    """Also if it exists with other permissions."""
    directory = tmp_path / "spool"
    spool = make(directory)
    spool.replace((), [queued("a", 1)])
    (inner,) = directory.iterdir()
    inner.chmod(0o777)
    spool.close()
    spool = make(directory)
    spool.recover()
    assert stat.S_IMODE(inner.stat().st_mode) == 0o700
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may change the owner of a directory"
)
def test_a_directory_of_another_user_is_rejected(
    make: Callable[..., Spool], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its owner could read and change the events, so they stay in memory."""
    directory = tmp_path / "spool"
    directory.mkdir()
    os.chown(directory, 12345, 12345)
    log = RateLimitedLog()
    stored = queued("a", 1)
    make(directory, log=log).replace((), [stored])
    log.write()
    assert stored.location is None
    assert stored.events == encoded(1)
    assert "belongs to user 12345" in caplog.text


def test_a_link_in_place_of_the_directory_is_rejected(
    make: Callable[..., Spool], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may point to any directory."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "spool").symlink_to(tmp_path / "elsewhere")
    log = RateLimitedLog()
    stored = queued("a", 1)
    make(log=log).replace((), [stored])
    log.write()
    assert stored.location is None
    assert "is not a directory" in caplog.text


def test_if_the_disk_fails_events_stay_in_memory_and_one_line_is_logged(
    make: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Later events are written to disk as soon as it works."""
    log = RateLimitedLog()
    spool = make(log=log)
    spool.replace((), [queued("a", 0)])
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr(Segment, "put", lambda *_, **__: (_ for _ in ()).throw(full))
        failed = [queued("a", number) for number in range(3)]
        for one in failed:
            spool.replace((), [one])
    log.write()
    assert [spool.events(one) for one in failed] == [encoded(number) for number in range(3)]
    assert len(caplog.messages) == 1
    assert "No space left on device" in caplog.text
    later = queued("a", 9)
    spool.replace((), [later])
    assert later.location is not None


@pytest.mark.skipif(sys.platform == "win32", reason="flock needs POSIX")
def test_without_locks_events_stay_in_memory_and_no_file_is_left(
    make: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """NFS without lockd refuses locks. Each attempt left an empty file, up to one for each export."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    log = RateLimitedLog()
    spool = make(log=log)
    stored = [queued("a", number) for number in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", refuse)
        for one in stored:
            spool.replace((), [one])
    log.write()
    assert [spool.events(one) for one in stored] == [encoded(number) for number in range(3)]
    assert [one.location for one in stored] == [None] * 3
    assert list(tmp_path.rglob(f"*{SUFFIX}")) == []
    (line,) = caplog.messages
    assert "No locks available" in line
    assert "in memory only" in line


def test_after_a_failed_sync_events_go_to_a_new_file(
    make: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The state of the disk after a failed sync is unknown, so the old file is replaced."""
    spool = make()
    old = queued("a", 1)
    spool.replace((), [old])
    real, errors = LockedFile.sync, iter([OSError(errno.EIO, "Input/output error")])

    def sync(file: LockedFile) -> None:
        for error in errors:
            raise error
        real(file)

    monkeypatch.setattr(LockedFile, "sync", sync)
    new = queued("a", 2)
    spool.replace((), [new])
    assert new.location is not None
    assert len(files(tmp_path / "spool")) == 2
    assert spool.events(old) == encoded(1)
    assert spool.recover() == ([], 0)
    assert len(files(tmp_path / "spool")) == 1
    assert [spool.events(one) for one in (old, new)] == [encoded(1), encoded(2)]


def test_a_deleted_directory_is_created_again(make: Callable[..., Spool], tmp_path: Path) -> None:
    """Events accepted before and after are on disk again."""
    spool = make()
    old, new = queued("a", 1), queued("a", 2)
    spool.replace((), [old])
    shutil.rmtree(tmp_path / "spool")
    spool.replace((), [new])
    assert [spool.events(one) for one in (old, new)] == [encoded(1), encoded(2)]
    spool.close()
    assert {one.tally for one in make().recover().queued} == {old.tally, new.tally}


def test_damaged_files_are_counted_and_deleted(make: Callable[..., Spool], tmp_path: Path) -> None:
    """Nothing in them can be read."""
    spool = make()
    spool.replace((), [queued("a", 1)])
    (inner,) = (tmp_path / "spool").iterdir()
    for number in range(6):
        (inner / f"{number:016x}-{number:016x}{SUFFIX}").write_bytes(b"\xff" * 10_000)
    assert spool.recover() == ([], 6)
    assert spool.recover() == ([], 0)
    assert len(list(inner.iterdir())) == 1


def test_a_large_file_is_replaced_and_deleted_when_empty(
    make: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A segment never shrinks."""
    monkeypatch.setattr(module, "MAX_SEGMENT_BYTES", 10_000)
    spool = make()
    large = queued("a", *range(3000))
    spool.replace((), [large])
    spool.replace((), [queued("a", 2)])
    assert len(files(tmp_path / "spool")) == 2
    spool.remove([large])
    assert len(files(tmp_path / "spool")) == 1


def test_a_mostly_empty_file_is_copied_and_deleted(
    make: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An event that is never accepted by RUM must not hold a large file on disk."""
    monkeypatch.setattr(module, "EMPTY_SEGMENT_BYTES", 10_000)
    spool = make()
    kept, delivered = queued("a", 1), queued("a", *range(3000))
    spool.replace((), [kept, delivered])
    spool.remove([delivered])
    (path,) = files(tmp_path / "spool")
    assert spool.recover() == ([], 0)
    assert not path.exists()
    spool.close()
    spool = make()
    (found,), lost_events = spool.recover()
    assert (spool.events(found), lost_events) == (encoded(1), 0)


def test_a_file_is_copied_in_small_steps(
    make: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A step uses memory several times its size, which the C library may keep. Small and large parts are mixed."""
    spool = make()
    numbers = [(number,) if number % 2 else tuple(range(number, number + 100)) for number in range(100)]
    kept, delivered = [queued("a", *each) for each in numbers], queued("a", *range(50_000))
    spool.replace((), [*kept, delivered])
    spool.remove([delivered])
    (old,) = files(tmp_path / "spool")
    real, sizes = LockedFile.write, []

    def write(file: LockedFile, content: bytes, offset: int) -> None:
        sizes.append(len(content))
        real(file, content, offset)

    monkeypatch.setattr(LockedFile, "write", write)
    assert spool.recover() == ([], 0)
    assert not old.exists()
    assert sum(sizes) > 300_000
    assert max(sizes) < 100_000
    assert [spool.events(one) for one in kept] == [encoded(*each) for each in numbers]


def test_the_disk_limit_excludes_files_of_other_processes(make: Callable[..., Spool]) -> None:
    """The limit is for the directory."""
    first, second = make(), make(max_bytes=8 * MIB)
    assert second.disk_limit_bytes() == 8 * MIB
    first.replace((), [queued("a", *range(20_000))])
    second.recover()
    assert second.disk_limit_bytes() < 7 * MIB


def test_recovered_events_are_replaced_in_the_current_file(make: Callable[..., Spool]) -> None:
    """The halves of a recovered batch go to the current file."""
    first = make()
    first.replace((), [queued("a", 1, 2)])
    first.close()
    second = make()
    (found,), _ = second.recover()
    halves = [queued("a", 1), queued("a", 2)]
    second.replace([found], halves)
    assert [second.events(one) for one in halves] == [encoded(1), encoded(2)]
    second.close()
    third = make()
    assert len(third.recover().queued) == 2


def test_after_close_nothing_is_written_or_removed(make: Callable[..., Spool]) -> None:
    """Another process may own the files."""
    spool = make()
    stored = queued("a", 1)
    spool.replace((), [stored])
    spool.close()
    spool.remove([stored])
    late = queued("a", 2)
    spool.replace((), [late])
    assert late.location is None
    assert len(make().recover().queued) == 1


def test_eight_processes_share_a_directory_and_recover_each_event_once(tmp_path: Path) -> None:
    """Running processes recover the events of dead ones."""
    program = """
import sys, os
from otel_rum_exporter.delivery.spool.directory import Spool
from otel_rum_exporter.delivery.spool.segment import SUFFIX, Segment
from otel_rum_exporter._log import RateLimitedLog
from tests.delivery.queued import queued
spool = Spool(sys.argv[1], destination="eu", max_bytes=10**9, log=RateLimitedLog())
spool.replace((), [queued(sys.argv[2], f"{sys.argv[2]}/{number}") for number in range(20)])
if sys.argv[3] == "dies":
    os._exit(0)
taken = [event.id for one in spool.recover().queued for event in spool.events(one).events()]
print(*taken, flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", program, str(tmp_path / "spool")]
    root = Path(__file__).parents[3]
    for number in range(4):
        subprocess.run([*command, str(number), "dies"], check=True, cwd=root)
    living = [
        subprocess.Popen([*command, str(number), "waits"], cwd=root, stdin=-1, stdout=-1, text=True)
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


def test_events_that_stayed_in_memory_are_written_when_the_disk_works(
    make: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts, without those that were delivered meanwhile."""
    monkeypatch.setattr(module, "STEP_BYTES", 2000)
    spool = make()
    accepted = [queued("a", number) for number in range(20)]
    with monkeypatch.context() as patch:
        patch.setattr(LockedFile, "write", full_disk)
        spool.replace((), accepted)
        assert not spool.persist()
    assert spool.is_failing
    spool.remove(accepted[:5])
    assert spool.persist()
    assert not spool.persist()
    assert [one.is_on_disk for one in accepted] == [False] * 5 + [True] * 15
    spool.close()
    assert {one.tally for one in make().recover().queued} == {one.tally for one in accepted[5:]}


def full_disk(*_: object) -> None:
    """Fail as a full disk does."""
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_signal_handler_may_interrupt_a_write(
    make: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It may flush, which stores and removes events, and shut down, which closes the files."""
    spool = make()
    first, second, halves = queued("a", 1), queued("a", 2), [queued("a", 3), queued("a", 4)]
    spool.replace((), [first, second])
    real = LockedFile.sync

    def interrupted(file: LockedFile) -> None:
        monkeypatch.setattr(LockedFile, "sync", real)
        assert spool.events(first) == encoded(1)
        spool.remove([first])
        spool.replace([second], halves)
        assert spool.recover() == ([], 0)
        spool.persist()
        real(file)

    monkeypatch.setattr(LockedFile, "sync", interrupted)
    third = queued("a", 5)
    spool.replace((), [third])
    assert third.is_on_disk
    assert spool.persist()
    shutil.copytree(tmp_path / "spool", tmp_path / "copy")

    def closed(file: LockedFile) -> None:
        spool.close()
        real(file)

    monkeypatch.setattr(LockedFile, "sync", closed)
    last = queued("a", 6)
    spool.replace((), [last])
    assert last.is_on_disk
    other = make(tmp_path / "copy")
    found = {events for one in other.recover().queued if (events := other.events(one))}
    assert found == {encoded(3), encoded(4), encoded(5)}


def former_directory(tmp_path: Path) -> Path:
    """Make the directory of a destination as version 0.1 named it."""
    directory = tmp_path / "spool" / hashlib.blake2b(b"former", digest_size=8).hexdigest()
    directory.mkdir(parents=True, mode=0o700)
    return directory


def write_database(
    path: Path,
    rows: Mapping[QueuedEvents, Sequence[int]],
    damaged: QueuedEvents | None = None,
    later: QueuedEvents | None = None,
) -> None:
    """Write a file of version 0.1, with the names of the events of each row."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE queued (seq, events, header, header_checksum, content, content_checksum)")
        for seq, (one, names) in enumerate(rows.items()):
            key = one.key
            owner = (tuple(key.app_monitor), key.session_id, key.user_id)
            more = ("of a later version",) if one is later else ()
            header = orjson.dumps((seq, tuple(one.tally), one.size_bytes, one.accepted_ns, owner, *more))
            content = orjson.dumps([(event_id(str(name)), 1, "work", "xx", "{}", "{}", "span") for name in names])
            row = (seq, one.count, header, zlib.crc32(header), content, zlib.crc32(content) ^ (one is damaged))
            connection.execute("INSERT INTO queued VALUES (?, ?, ?, ?, ?, ?)", row)


def test_events_of_version_0_1_are_on_disk_before_their_file_is_deleted(
    make: Callable[..., Spool], tmp_path: Path
) -> None:
    """A process that is killed then loses none."""
    path = former_directory(tmp_path) / "old.db"
    write_database(path, {queued("a", 1): (1,)})
    ((found,), lost_events) = make(former_destination="former").recover()
    assert (found.is_on_disk, lost_events, path.exists()) == (True, 0, False)


def test_files_of_version_0_1_are_read_once_and_replaced(make: Callable[..., Spool], tmp_path: Path) -> None:
    """They are SQLite databases, and those of running processes are locked."""
    directory = former_directory(tmp_path)
    kept, damaged, later = queued("a", 1, 2), queued("b", 3), queued("c", 4)
    path = directory / "old.db"
    write_database(path, {kept: (1, 2), damaged: (3,), later: (4,)}, damaged=damaged, later=later)
    spool = make(former_destination="former")
    with contextlib.closing(sqlite3.connect(path)) as running:
        running.execute("PRAGMA locking_mode = EXCLUSIVE")
        running.execute("BEGIN IMMEDIATE")
        assert spool.recover() == ([], 0)
    (found,), lost_events = spool.recover()
    assert (spool.events(found), found.key, lost_events) == (encoded(1, 2), kept.key, 2)
    assert list(directory.iterdir()) == []
    assert spool.recover() == ([], 0)
    spool.close()
    assert len(make().recover().queued) == 1


def test_a_file_of_version_0_1_that_is_no_database_has_lost_one_event_at_least(
    make: Callable[..., Spool], tmp_path: Path
) -> None:
    """Nothing in it can be counted."""
    directory = former_directory(tmp_path)
    (directory / "old.db").write_bytes(b"no database" * 1000)
    assert make(former_destination="former").recover() == ([], 1)


def test_many_events_are_recovered_in_steps(make: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the first are sent soon, and the others use no memory yet."""
    monkeypatch.setattr(module, "MAX_SEGMENT_BYTES", 1000)
    monkeypatch.setattr(module, "MAX_ADOPTED_BYTES", 20_000)
    monkeypatch.setattr(module, "MAX_PARTS", 20)
    first = make()
    for number in range(30):
        first.replace((), [queued("a", f"{number}/{index}") for index in range(3)])
    first.close()
    second = make()
    steps = []
    while found := second.recover().queued:
        steps.append(len(found))
        second.remove(found)
    assert sum(steps) == 90
    assert max(steps) == 15
