"""A spool file is durable and exclusive, and its undamaged rows stay readable."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_rum_exporter.delivery.spool import database
from otel_rum_exporter.delivery.spool.database import PAGE_BYTES, wal
from otel_rum_exporter.delivery.spool.file import SpoolFile
from otel_rum_exporter.delivery.storage import QueuedEvents
from tests.delivery.queued import batch_key, event, ids, queued

DAMAGES = 1000 if os.environ.get("CI") else 100
EVENTS_PER_ROW = 3
ADOPT_PROGRAM = """
import sys, pathlib
from otel_rum_exporter.delivery.spool.file import SpoolFile
print(SpoolFile.adopt(pathlib.Path(sys.argv[1])) is None)
"""


def reopened(file: SpoolFile) -> SpoolFile:
    """Close a file and open it again."""
    file.close()
    found = SpoolFile.adopt(file.path)
    assert found is not None
    return found


def test_stored_events_are_readable_after_a_restart(tmp_path: Path) -> None:
    """With everything that the request needs."""
    file = SpoolFile.create(tmp_path)
    key = batch_key("é\ud800"[:1], monitor="other")
    stored = QueuedEvents.of(key, [event("ü"), event(2)], accepted_ns=7)
    expected = stored.events
    file.put([queued("a", 1), stored])
    assert stored.events is None
    file = reopened(file)
    contents = file.contents()
    assert contents.lost_events == 0
    _, found = contents.queued
    assert (found.key, found.tally, found.accepted_ns) == (key, stored.tally, 7)
    assert file.events(found) == expected
    file.close()


def test_a_file_that_cannot_be_created_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk each export would leave another file."""
    monkeypatch.setattr(database, "_LOCK", (*database._LOCK, "INSERT INTO nowhere VALUES (1)"))
    with pytest.raises(sqlite3.OperationalError):
        SpoolFile.create(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_only_one_process_can_open_a_file(tmp_path: Path) -> None:
    """Until that process closes it, or ends."""
    file = SpoolFile.create(tmp_path)
    file.put([queued("a", 1)])
    assert SpoolFile.adopt(file.path) is None
    command = [sys.executable, "-c", ADOPT_PROGRAM, str(file.path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"
    file.close()
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"


def test_only_its_user_may_read_a_file(tmp_path: Path) -> None:
    """Events contain what people did."""
    file = SpoolFile.create(tmp_path)
    file.put([queued("a", 1)])
    assert {stat.S_IMODE(path.stat().st_mode) for path in (file.path, wal(file.path))} == {0o600}
    file.close()


def test_removed_and_replaced_events_are_not_stored_any_more(tmp_path: Path) -> None:
    """Their replacement is."""
    file = SpoolFile.create(tmp_path)
    first, second, third = (queued("a", number) for number in range(3))
    file.put([first, second])
    file.remove([first])
    file.put([third], replaced=[second])
    assert file.stored == {third.location.seq}  # type: ignore[attr-defined]
    file = reopened(file)
    assert [file.events(one) for one in file.contents().queued] == [(event(2),)]
    file.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_fork_neither_closes_nor_unlocks_the_file_of_its_parent(tmp_path: Path) -> None:
    """Closing a connection in the child would delete the log that the parent writes."""
    program = f"""
import os, pathlib, sys
from otel_rum_exporter.delivery.spool.file import SpoolFile
from tests.delivery.queued import queued
file = SpoolFile.create(pathlib.Path({str(tmp_path)!r}))
file.put([queued("a", 1)])
child = os.fork()
if child == 0:
    del file
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert SpoolFile.adopt(file.path) is None
file.put([queued("a", 2)])
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3])
    (path,) = tmp_path.glob("*.db")
    file = SpoolFile.adopt(path)
    assert file is not None
    assert [file.events(one) for one in file.contents().queued] == [(event(1),), (event(2),)]
    file.close()


def test_an_empty_file_has_no_contents(tmp_path: Path) -> None:
    """A process may end while it creates one."""
    path = tmp_path / "x.db"
    path.touch()
    file = SpoolFile.adopt(path)
    assert file is not None
    assert file.contents() == ([], 0)
    file.close()


@pytest.fixture(scope="module")
def database_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a database of 270 rows, some removed before, as a process leaves it after a regular end."""
    file = SpoolFile.create(tmp_path_factory.mktemp("spool"))
    randomness = random.Random(1)
    rows = []
    for number in range(300):
        names = [f"{number}/{index}" for index in range(EVENTS_PER_ROW)]
        events = [event(name, size=randomness.choice((10, 300, 5000))) for name in names]
        rows.append(QueuedEvents.of(batch_key(str(number % 7)), events, number))
    file.put(rows)
    file.remove([one for one in rows if one.accepted_ns % 10 == 0])
    file.close()
    return file.path


@settings(max_examples=DAMAGES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_loses_only_damaged_events_and_counts_them(
    database_file: Path, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A changed bit, a zeroed or random page, a truncated file: readable events are kept, the others counted."""
    path = tmp_path_factory.mktemp("damaged") / database_file.name
    shutil.copy(database_file, path)
    size = path.stat().st_size
    kind = data.draw(st.sampled_from(["bit", "page", "noise", "cut"]))
    offset = data.draw(st.integers(1, size - 1))  # an empty file gives no sign of lost events
    with path.open("r+b") as file:
        if kind == "cut":
            file.truncate(offset)
        else:
            start = offset if kind == "bit" else offset - offset % PAGE_BYTES
            file.seek(start)
            before = file.read(1 if kind == "bit" else PAGE_BYTES)
            file.seek(start)
            noise = random.Random(offset).randbytes(len(before)) if kind == "noise" else bytes(len(before))
            file.write(bytes([before[0] ^ 1 << offset % 8]) if kind == "bit" else noise)
    try:
        spool_file = SpoolFile.adopt(path)
    except sqlite3.DatabaseError:
        return
    assert spool_file is not None
    rows, lost_events = spool_file.contents()
    read = [spool_file.events(one) for one in rows]
    whole = {one.id for events in read if events for one in events}
    expected = {
        event(f"{number}/{index}").id for number in range(300) if number % 10 for index in range(EVENTS_PER_ROW)
    }
    assert whole <= expected
    lost = lost_events + sum(one.count for one, events in zip(rows, read, strict=True) if events is None)
    if whole != expected:
        assert spool_file.is_damaged
    # A damaged index may count too many lost events, but never too few, unless nothing is readable at all.
    assert len(whole) + lost >= (len(expected) if whole else 1)
    spool_file.discard()


def test_a_damaged_first_page_loses_nothing(database_file: Path, tmp_path: Path) -> None:
    """It is the same in every file, so it can be replaced."""
    path = tmp_path / database_file.name
    shutil.copy(database_file, path)
    with path.open("r+b") as file:
        file.write(bytes(PAGE_BYTES))
    spool_file = SpoolFile.adopt(path)
    assert spool_file is not None
    rows, lost_events = spool_file.contents()
    assert (len(rows), lost_events) == (270, 0)
    assert all(spool_file.events(one) for one in rows)
    spool_file.discard()
    assert [one.suffix for one in tmp_path.iterdir()] == [".damaged"]


@pytest.mark.parametrize("location", ["header", "salts of the header", "early", "late", "salt"])
def test_damage_to_the_log_loses_nothing_after_it(tmp_path: Path, location: str) -> None:
    """SQLite silently ignores the frames after a damaged one."""
    file = SpoolFile.create(tmp_path / "..")
    for number in range(50):
        file.put([queued("a", number)])
    copy = tmp_path / file.path.name
    shutil.copy(file.path, copy)
    log = bytearray(wal(file.path).read_bytes())
    file.close()
    file.path.unlink()
    frame = PAGE_BYTES + 24
    log[
        {"header": 4, "salts of the header": 17, "early": 6 * frame, "late": len(log) - 10 * frame, "salt": 41}[
            location
        ]
    ] ^= 1
    wal(copy).write_bytes(log)
    found = SpoolFile.adopt(copy)
    assert found is not None
    rows, lost_events = found.contents()
    events = {one.id for stored in rows for one in found.events(stored) or ()}
    assert found.is_damaged
    assert len(events) >= 48
    assert len(events) + lost_events >= 50
    found.discard()
    assert [one.suffix for one in tmp_path.iterdir()] == [".damaged"]


@pytest.mark.parametrize("missing", [100, PAGE_BYTES, PAGE_BYTES + 24])
def test_a_log_cut_short_by_a_crash_loses_nothing(tmp_path: Path, missing: int) -> None:
    """Uncommitted events were never accepted."""
    file = SpoolFile.create(tmp_path / "..")
    for number in range(50):
        file.put([queued("a", number)])
    copy = tmp_path / file.path.name
    shutil.copy(file.path, copy)
    log = wal(file.path).read_bytes()
    wal(copy).write_bytes(log[:-missing] + bytes(missing % (PAGE_BYTES + 24)))
    file.close()
    file.path.unlink()
    found = SpoolFile.adopt(copy)
    assert found is not None
    rows, lost_events = found.contents()
    assert (len(rows), lost_events, found.is_damaged) == (49, 0, False)
    found.discard()


def test_ctrl_c_at_a_commit_leaves_no_transaction_open(tmp_path: Path) -> None:
    """An open transaction would include all later ones, and be lost with the process."""

    class Interrupted:
        """A connection that is interrupted once by Ctrl-C."""

        def __init__(self, connection: sqlite3.Connection) -> None:
            self._connection = connection
            self._interrupts = iter([KeyboardInterrupt])

        def __getattr__(self, name: str) -> object:
            return getattr(self._connection, name)

        def execute(self, statement: str) -> object:
            if statement == "RELEASE step":
                for interrupt in self._interrupts:
                    raise interrupt
            return self._connection.execute(statement)

    (tmp_path / "first").mkdir()
    file = SpoolFile.create(tmp_path / "first")
    connection = file._connection
    file._connection = Interrupted(file._connection)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        file.put([queued("a", 1)])
    file.put([queued("a", 2)])
    copy = tmp_path / file.path.name
    for path in (file.path, wal(file.path)):
        shutil.copy(path, tmp_path / path.name)
    found = SpoolFile.adopt(copy)
    assert found is not None
    (stored,) = found.contents().queued
    assert found.events(stored) == (event(2),)
    found.discard()
    file._connection = connection
    file.close()


def test_removing_events_that_are_not_on_disk_raises_type_error(tmp_path: Path) -> None:
    """It is a programming error."""
    file = SpoolFile.create(tmp_path)
    with pytest.raises(TypeError):
        file.remove([queued("a", 1)])
    file.close()
    assert ids([queued("a", 1)])
