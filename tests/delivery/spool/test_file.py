"""A file of the spool: durable, exclusive, and readable as far as damage lets it be."""

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

from otel_rum_exporter.delivery.spool import file as module
from otel_rum_exporter.delivery.spool.file import PAGE_BYTES, SpoolFile, wal
from otel_rum_exporter.delivery.storage import Parcel
from tests.delivery.queued import batch_key, event, ids, parcel

DAMAGES = 1000 if os.environ.get("CI") else 100
EVENTS_PER_PARCEL = 3
ADOPTION = """
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


def test_what_was_put_comes_back_after_a_restart(tmp_path: Path) -> None:
    """With everything that makes the request again."""
    file = SpoolFile.create(tmp_path)
    key = batch_key("é\ud800"[:1], monitor="other")
    stored = Parcel.of(key, [event("ü"), event(2)], accepted_ns=7)
    expected = stored.events
    file.put([parcel("a", 1), stored])
    assert stored.events is None
    file = reopened(file)
    contents = file.contents()
    assert contents.lost_events == 0
    _, found = contents.parcels
    assert (found.key, found.tally, found.accepted_ns) == (key, stored.tally, 7)
    assert file.events(found) == expected
    file.close()


def test_a_file_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk each export tries again."""
    monkeypatch.setattr(module, "_LOCK", (*module._LOCK, "INSERT INTO nowhere VALUES (1)"))
    with pytest.raises(sqlite3.OperationalError):
        SpoolFile.create(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_belongs_to_one_process(tmp_path: Path) -> None:
    """Until that closes it, or dies."""
    file = SpoolFile.create(tmp_path)
    file.put([parcel("a", 1)])
    assert SpoolFile.adopt(file.path) is None
    command = [sys.executable, "-c", ADOPTION, str(file.path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"
    file.close()
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"


def test_only_its_user_may_read_it(tmp_path: Path) -> None:
    """Events tell what people did."""
    file = SpoolFile.create(tmp_path)
    file.put([parcel("a", 1)])
    assert {stat.S_IMODE(path.stat().st_mode) for path in (file.path, wal(file.path))} == {0o600}
    file.close()


def test_what_is_removed_or_replaced_does_not_come_back(tmp_path: Path) -> None:
    """And what replaces it does."""
    file = SpoolFile.create(tmp_path)
    first, second, third = (parcel("a", number) for number in range(3))
    file.put([first, second])
    file.remove([first])
    file.put([third], replaced=[second])
    assert file.stored == {third.place.seq}  # type: ignore[attr-defined]
    file = reopened(file)
    assert [file.events(one) for one in file.contents().parcels] == [(event(2),)]
    file.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_fork_neither_closes_nor_unlocks_the_file_of_its_parent(tmp_path: Path) -> None:
    """A closed connection ends the log, under the hands of who writes it."""
    program = f"""
import os, pathlib, sys
from otel_rum_exporter.delivery.spool.file import SpoolFile
from tests.delivery.queued import parcel
file = SpoolFile.create(pathlib.Path({str(tmp_path)!r}))
file.put([parcel("a", 1)])
child = os.fork()
if child == 0:
    del file
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert SpoolFile.adopt(file.path) is None
file.put([parcel("a", 2)])
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3])
    (path,) = tmp_path.glob("*.db")
    file = SpoolFile.adopt(path)
    assert file is not None
    assert [file.events(one) for one in file.contents().parcels] == [(event(1),), (event(2),)]
    file.close()


def test_an_empty_database_and_one_without_a_table_hold_nothing(tmp_path: Path) -> None:
    """A process may die while it makes one."""
    path = tmp_path / "x.db"
    path.touch()
    file = SpoolFile.adopt(path)
    assert file is not None
    assert file.contents() == ([], 0)
    file.close()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database of some hundred parcels, with holes, as a process leaves it that ended well."""
    file = SpoolFile.create(tmp_path_factory.mktemp("spool"))
    randomness = random.Random(1)
    parcels = []
    for number in range(300):
        names = [f"{number}/{index}" for index in range(EVENTS_PER_PARCEL)]
        events = [event(name, size=randomness.choice((10, 300, 5000))) for name in names]
        parcels.append(Parcel.of(batch_key(str(number % 7)), events, number))
    file.put(parcels)
    file.remove([one for one in parcels if one.accepted_ns % 10 == 0])
    file.close()
    return file.path


@settings(max_examples=DAMAGES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_costs_what_is_damaged_and_each_loss_is_counted(
    database: Path, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A flipped bit, a zeroed page, a torn end: what can be read is delivered, the rest is told."""
    path = tmp_path_factory.mktemp("damaged") / database.name
    shutil.copy(database, path)
    size = path.stat().st_size
    kind = data.draw(st.sampled_from(["bit", "page", "noise", "cut"]))
    offset = data.draw(st.integers(1, size - 1))  # of an empty file nobody knows that it ever held anything
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
    parcels, lost_events = spool_file.contents()
    read = [spool_file.events(one) for one in parcels]
    whole = {one.id for events in read if events for one in events}
    expected = {
        event(f"{number}/{index}").id for number in range(300) if number % 10 for index in range(EVENTS_PER_PARCEL)
    }
    assert whole <= expected
    lost = lost_events + sum(one.count for one, events in zip(parcels, read, strict=True) if events is None)
    if whole != expected:
        assert spool_file.is_damaged
    # A damaged index may tell of more than was lost, but never of less, unless nothing could be read at all.
    assert len(whole) + lost >= (len(expected) if whole else 1)
    spool_file.discard()


def test_a_destroyed_first_page_costs_nothing(database: Path, tmp_path: Path) -> None:
    """It is the same in every file."""
    path = tmp_path / database.name
    shutil.copy(database, path)
    with path.open("r+b") as file:
        file.write(bytes(PAGE_BYTES))
    spool_file = SpoolFile.adopt(path)
    assert spool_file is not None
    parcels, lost_events = spool_file.contents()
    assert (len(parcels), lost_events) == (270, 0)
    assert all(spool_file.events(one) for one in parcels)
    spool_file.discard()
    assert [one.suffix for one in tmp_path.iterdir()] == [".damaged"]


@pytest.mark.parametrize("place", ["header", "salts of the header", "early", "late", "salt"])
def test_damage_to_the_log_costs_what_is_damaged_and_nothing_behind_it(tmp_path: Path, place: str) -> None:
    """SQLite would end it there, and say nothing of what stood behind."""
    file = SpoolFile.create(tmp_path / "..")
    for number in range(50):
        file.put([parcel("a", number)])
    copy = tmp_path / file.path.name
    shutil.copy(file.path, copy)
    log = bytearray(wal(file.path).read_bytes())
    file.close()
    file.path.unlink()
    frame = PAGE_BYTES + 24
    log[
        {"header": 4, "salts of the header": 17, "early": 6 * frame, "late": len(log) - 10 * frame, "salt": 41}[place]
    ] ^= 1
    wal(copy).write_bytes(log)
    found = SpoolFile.adopt(copy)
    assert found is not None
    parcels, lost_events = found.contents()
    events = {one.id for stored in parcels for one in found.events(stored) or ()}
    assert found.is_damaged
    assert len(events) >= 48
    assert len(events) + lost_events >= 50
    found.discard()
    assert [one.suffix for one in tmp_path.iterdir()] == [".damaged"]


@pytest.mark.parametrize("missing", [100, PAGE_BYTES, PAGE_BYTES + 24])
def test_a_log_that_a_crash_cut_short_lost_nothing(tmp_path: Path, missing: int) -> None:
    """What was never committed was never accepted."""
    file = SpoolFile.create(tmp_path / "..")
    for number in range(50):
        file.put([parcel("a", number)])
    copy = tmp_path / file.path.name
    shutil.copy(file.path, copy)
    log = wal(file.path).read_bytes()
    wal(copy).write_bytes(log[:-missing] + bytes(missing % (PAGE_BYTES + 24)))
    file.close()
    file.path.unlink()
    found = SpoolFile.adopt(copy)
    assert found is not None
    parcels, lost_events = found.contents()
    assert (len(parcels), lost_events, found.is_damaged) == (49, 0, False)
    found.discard()


def test_ctrl_c_at_a_commit_leaves_no_transaction_open(tmp_path: Path) -> None:
    """In which all later ones would end, with the process."""

    class Interrupted:
        """A connection that Ctrl-C strikes once."""

        def __init__(self, connection: sqlite3.Connection) -> None:
            self._connection = connection
            self._strikes = iter([KeyboardInterrupt])

        def __getattr__(self, name: str) -> object:
            return getattr(self._connection, name)

        def execute(self, statement: str) -> object:
            if statement == "RELEASE step":
                for strike in self._strikes:
                    raise strike
            return self._connection.execute(statement)

    (tmp_path / "first").mkdir()
    file = SpoolFile.create(tmp_path / "first")
    connection = file._connection
    file._connection = Interrupted(file._connection)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        file.put([parcel("a", 1)])
    file.put([parcel("a", 2)])
    copy = tmp_path / file.path.name
    for path in (file.path, wal(file.path)):
        shutil.copy(path, tmp_path / path.name)
    found = SpoolFile.adopt(copy)
    assert found is not None
    (stored,) = found.contents().parcels
    assert found.events(stored) == (event(2),)
    found.discard()
    file._connection = connection
    file.close()


def test_a_parcel_without_a_place_is_in_no_file(tmp_path: Path) -> None:
    """A mistake of ours, and no one's data."""
    file = SpoolFile.create(tmp_path)
    with pytest.raises(TypeError):
        file.remove([parcel("a", 1)])
    file.close()
    assert ids([parcel("a", 1)])
