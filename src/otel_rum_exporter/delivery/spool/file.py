"""One file of the spool: a SQLite database that belongs to the process that has it open, and to no other.

SQLite's exclusive lock is the ownership: the system ends it with the process, so that what a dead process left can be
told from what a living one holds without clocks. Each row has checksums of its own, because damage to a disk does not
ask for SQLite's structures; a row that cannot be read costs no other.
https://www.sqlite.org/wal.html#use_of_wal_without_shared_memory
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sqlite3
import tempfile
import uuid
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from ...ledger import Tally
from ...rum.batch import AppMonitor, BatchKey
from ...rum.event import RumEvent
from ..storage import Parcel
from .log import lost_commits, mended

SUFFIX = ".db"
DAMAGED_SUFFIX = ".damaged"
PAGE_BYTES = 4096
MAX_PARCEL_EVENTS = 10_000
_WAL_SUFFIX = "-wal"

_LOCK = (
    "PRAGMA locking_mode = EXCLUSIVE",
    f"PRAGMA page_size = {PAGE_BYTES}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA journal_size_limit = 4194304",
    "BEGIN IMMEDIATE",
)
_TABLES = (
    """CREATE TABLE IF NOT EXISTS parcel (
        seq INTEGER PRIMARY KEY,
        events INTEGER NOT NULL,
        label BLOB NOT NULL,
        label_checksum INTEGER NOT NULL,
        content BLOB NOT NULL,
        content_checksum INTEGER NOT NULL)""",
    # Tells how many events a row held that cannot be read any more.
    "CREATE INDEX IF NOT EXISTS parcel_events ON parcel (events)",
    "COMMIT",
)

_connections: set[sqlite3.Connection] = set()


class Place(NamedTuple):
    """Where a parcel is on disk."""

    file: SpoolFile
    seq: int


class Contents(NamedTuple):
    """What a file holds: parcels, and the number of events that cannot be read."""

    parcels: list[Parcel]
    lost_events: int


class SpoolFile:
    """Parcels in one database. Not thread-safe: its owner calls it under a lock. Raises `sqlite3.Error`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stored: set[int] = set()
        self._connection, damaged_log = _connect(path)
        self.is_damaged = bool(damaged_log)
        self._next_seq = 1
        self._removed_in_vain: list[tuple[int]] = []
        self._lost_events = 1 if damaged_log else 0
        if damaged_log:
            with contextlib.suppress(OSError, sqlite3.Error):
                self._rescue(damaged_log)

    @classmethod
    def create(cls, directory: Path) -> SpoolFile:
        """Return a new file in a directory; raises OSError or `sqlite3.Error` where none can be made."""
        path = directory / f"{uuid.uuid4().hex}{SUFFIX}"
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            return cls(path)
        except BaseException:
            _delete(path)
            raise

    @classmethod
    def adopt(cls, path: Path) -> SpoolFile | None:
        """Return the file at a path, None where a living process has it or it is gone."""
        # SQLite takes what is shorter than its header for a new database.
        is_damaged, is_mended = size_bytes(path) % PAGE_BYTES > 0, False
        while True:
            try:
                found = cls(path)
            except sqlite3.OperationalError:
                return None
            except sqlite3.DatabaseError:
                if is_mended:
                    raise
                is_damaged = is_mended = True
                _mend_first_page(path)
            else:
                found.is_damaged |= is_damaged
                return found

    def put(self, parcels: Sequence[Parcel], replaced: Sequence[Parcel] = ()) -> None:
        """Store parcels, and forget those that they replace, in one step; they are on disk when this returns."""
        first = self._next_seq
        self._next_seq += len(parcels)
        rows = [_row(seq, parcel) for seq, parcel in enumerate(parcels, first)]
        forgotten = [_seq(parcel) for parcel in replaced]
        with self._transaction():
            self._connection.executemany("DELETE FROM parcel WHERE seq = ?", ((seq,) for seq in forgotten))
            self._connection.executemany("INSERT INTO parcel VALUES (?, ?, ?, ?, ?, ?)", rows)
        self.stored.difference_update(forgotten)
        for seq, parcel in enumerate(parcels, first):
            self.stored.add(seq)
            parcel.place, parcel.events = Place(self, seq), None

    def events(self, parcel: Parcel) -> tuple[RumEvent, ...] | None:
        """Return the events of a parcel; None where they cannot be read any more."""
        try:
            found = self._connection.execute(
                "SELECT content, content_checksum FROM parcel WHERE seq = ?", (_seq(parcel),)
            ).fetchone()
            if found is not None and zlib.crc32(found[0]) == found[1]:
                return tuple(RumEvent(*fields) for fields in orjson.loads(found[0]))
        except (sqlite3.Error, ValueError, TypeError):
            pass
        self.is_damaged = True
        return None

    def remove(self, parcels: Sequence[Parcel]) -> None:
        """Forget parcels. What a full disk does not let go is tried again with the next ones."""
        seqs = [_seq(parcel) for parcel in parcels]
        self.stored.difference_update(seqs)
        self._removed_in_vain.extend((seq,) for seq in seqs)
        with self._transaction():
            self._connection.executemany("DELETE FROM parcel WHERE seq = ?", self._removed_in_vain)
        self._removed_in_vain.clear()

    def contents(self) -> Contents:
        """Return what an adopted file holds, as far as it can be read."""
        found, lost = self._read()
        self.stored.update(found)
        self._next_seq = max(found, default=0) + 1
        lost_events = self._lost_events + sum(lost.values())
        if self.is_damaged and not found and not lost_events:
            lost_events = 1
        return Contents([found[seq] for seq in sorted(found)], lost_events)

    def size_bytes(self) -> int:
        """Return the size of the database on disk, without its log."""
        return size_bytes(self.path)

    def close(self) -> None:
        """Leave the file to whoever adopts it."""
        _connections.discard(self._connection)
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def discard(self) -> None:
        """Close the file and delete it, or set it aside for people to look at where it is damaged."""
        self.close()
        if self.is_damaged:
            with contextlib.suppress(OSError):
                self.path.replace(self.path.with_suffix(DAMAGED_SUFFIX))
        _delete(self.path)

    def _rescue(self, damaged_log: bytes) -> None:
        """Take over what stands behind the damage of the log, from a copy whose log is mended."""
        known, _ = self._read()
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / self.path.name
            shutil.copyfile(self.path, path)
            wal(path).write_bytes(mended(damaged_log, PAGE_BYTES))
            copy = SpoolFile(path)
            found, lost = copy._read()
            rescued = [parcel for seq, parcel in found.items() if seq not in known]
            for parcel in rescued:
                parcel.events = copy.events(parcel)
            copy.close()
        self._next_seq = max((*known, *found, *lost), default=0) + 1
        lost_events = sum(events for seq, events in lost.items() if seq not in known)
        lost_events += sum(parcel.count for parcel in rescued if parcel.events is None)
        self.put([parcel for parcel in rescued if parcel.events is not None])
        self._lost_events = lost_events

    def _read(self) -> tuple[dict[int, Parcel], dict[int, int]]:
        """Return the parcels that can be read, and how many events the others held, by their numbers."""
        found: dict[int, Parcel] = {}
        keys: dict[BatchKey, BatchKey] = {}
        for row in self._readable("SELECT seq, label, label_checksum FROM parcel"):
            self._label(row, found, keys)
        lost: dict[int, int] = {}
        for seq, events in self._readable("SELECT seq, CAST(events AS INTEGER) FROM parcel INDEXED BY parcel_events"):
            if seq not in found:
                for row in self._readable("SELECT seq, label, label_checksum FROM parcel WHERE seq = ?", (seq,)):
                    self._label(row, found, keys)
            if seq not in found:
                self.is_damaged = True
                lost[seq] = events if 0 < events <= MAX_PARCEL_EVENTS else 1
        return found, lost

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Run a block as one transaction; a savepoint, since a signal handler may come back here in its middle."""
        self._connection.execute("SAVEPOINT step")
        try:
            yield
            self._connection.execute("RELEASE step")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK TO step")
                self._connection.execute("RELEASE step")
            raise

    def _readable(self, query: str, values: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
        """Yield the rows of a query until damage ends it."""
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.Error:
            self.is_damaged = True

    def _label(self, row: tuple[object, ...], found: dict[int, Parcel], keys: dict[BatchKey, BatchKey]) -> None:
        """Read what the row of a parcel says of it."""
        seq, label, checksum = row
        if not isinstance(label, bytes) or zlib.crc32(label) != checksum:
            self.is_damaged = True
            return
        told_seq, tally, size_bytes, accepted_ns, (monitor, session, user) = orjson.loads(label)
        if told_seq == seq:
            key = BatchKey(AppMonitor(*monitor), session, user)
            found[told_seq] = Parcel(
                key=keys.setdefault(key, key),
                tally=Tally(*tally),
                size_bytes=size_bytes,
                accepted_ns=accepted_ns,
                place=Place(self, told_seq),
            )


def size_bytes(path: Path) -> int:
    """Return the size of a file; 0 where it is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def wal(path: Path) -> Path:
    """Return the path of a database's write-ahead log."""
    return path.with_name(path.name + _WAL_SUFFIX)


def _delete(path: Path) -> None:
    """Delete a database and its log, as far as the disk lets them go."""
    for file in (path, wal(path)):
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def _connect(path: Path) -> tuple[sqlite3.Connection, bytes]:
    """Return a connection that owns a file, and the file's log where damage has made SQLite lose a part of it."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None, check_same_thread=False
    )
    try:
        for statement in _LOCK:
            connection.execute(statement)
        log = wal(path).read_bytes() if size_bytes(wal(path)) else b""
        for statement in _TABLES:
            connection.execute(statement)
        is_damaged = log and lost_commits(log, PAGE_BYTES, _intact_frames(connection))
    except BaseException:
        connection.close()
        raise
    _connections.add(connection)
    return connection, log if is_damaged else b""


def _intact_frames(connection: sqlite3.Connection) -> int:
    _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(frames)


def _mend_first_page(path: Path) -> None:
    """Give a damaged database the first page of an empty one, which is that of every file of the spool.

    A page count that is not vouched for is taken from the size of the file: https://www.sqlite.org/fileformat.html
    """
    with tempfile.TemporaryDirectory() as directory:
        pattern = SpoolFile.create(Path(directory))
        pattern.close()
        page = bytearray(pattern.path.read_bytes()[:PAGE_BYTES])
    page[92:96] = bytes(4)
    with path.open("r+b") as file:
        file.write(page)


def _row(seq: int, parcel: Parcel) -> tuple[int, int, bytes, int, bytes, int]:
    tally, key = parcel.tally, parcel.key
    owner = (tuple(key.app_monitor), key.session_id, key.user_id)
    label = orjson.dumps((seq, tuple(tally), parcel.size_bytes, parcel.accepted_ns, owner))
    content = orjson.dumps([tuple(event) for event in parcel.events or ()])
    return seq, tally.events, label, zlib.crc32(label), content, zlib.crc32(content)


def _seq(parcel: Parcel) -> int:
    if not isinstance(parcel.place, Place):
        raise TypeError(f"{parcel!r} is in no file")
    return parcel.place.seq


def _never_close() -> None:
    """Keep a forked child from ever closing the connections of its parent, which would end the log under its hands.

    Also at the end of the interpreter, where nothing else outlives everything: https://www.sqlite.org/howtocorrupt.html
    """
    for connection in _connections:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
    _connections.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_never_close)
