"""One file of the spool, owned by the process that has it open. A damaged row does not affect other rows."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ...rum.batch import BatchKey
from ...rum.event import RumEvent
from ..storage import QueuedEvents
from .database import PAGE_BYTES, connect, delete, disconnect, repair_first_page, size_bytes, wal
from .row import Location, decode_content, decode_header, encode_row, seq_of
from .write_ahead_log import repaired

SUFFIX = ".db"
DAMAGED_SUFFIX = ".damaged"
MAX_ROW_EVENTS = 10_000
"""A larger number of events in a damaged file is not credible."""


class Contents(NamedTuple):
    """The readable queued events of a file, and the number of events that cannot be read."""

    queued: list[QueuedEvents]
    lost_events: int


class SpoolFile:
    """Queued events in one database. Not thread-safe. Methods raise `sqlite3.Error`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stored: set[int] = set()
        self._connection, damaged_log = connect(path)
        self.is_damaged = bool(damaged_log)
        self._next_seq = 1
        self._failed_removals: list[tuple[int]] = []
        self._lost_events = 1 if damaged_log else 0
        if damaged_log:
            with contextlib.suppress(OSError, sqlite3.Error):
                self._rescue(damaged_log)

    @classmethod
    def create(cls, directory: Path) -> SpoolFile:
        """Create a file in a directory. Raises OSError or `sqlite3.Error`."""
        path = directory / f"{uuid.uuid4().hex}{SUFFIX}"
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            return cls(path)
        except BaseException:
            delete(path)
            raise

    @classmethod
    def adopt(cls, path: Path) -> SpoolFile | None:
        """Take over a file; None if a living process owns it, or it does not exist."""
        # SQLite treats a file shorter than its header as a new database.
        is_damaged, is_repaired = size_bytes(path) % PAGE_BYTES > 0, False
        while True:
            try:
                file = cls(path)
            except sqlite3.OperationalError:
                return None
            except sqlite3.DatabaseError:
                if is_repaired:
                    raise
                is_damaged = is_repaired = True
                repair_first_page(path)
            else:
                file.is_damaged |= is_damaged
                return file

    def put(self, queued: Sequence[QueuedEvents], replaced: Sequence[QueuedEvents] = ()) -> None:
        """Store events, and remove those that they replace, in one transaction. Durable on return."""
        first = self._next_seq
        self._next_seq += len(queued)
        rows = [encode_row(seq, one) for seq, one in enumerate(queued, first)]
        removed = [seq_of(one) for one in replaced]
        with self._transaction():
            self._connection.executemany("DELETE FROM queued WHERE seq = ?", ((seq,) for seq in removed))
            self._connection.executemany("INSERT INTO queued VALUES (?, ?, ?, ?, ?, ?)", rows)
        self.stored.difference_update(removed)
        for seq, one in enumerate(queued, first):
            self.stored.add(seq)
            one.location, one.events = Location(self, seq), None

    def events(self, queued: QueuedEvents) -> tuple[RumEvent, ...] | None:
        """Return the events; None if they cannot be read."""
        try:
            row = self._connection.execute(
                "SELECT content, content_checksum FROM queued WHERE seq = ?", (seq_of(queued),)
            ).fetchone()
            events = None if row is None else decode_content(*row)
        except (sqlite3.Error, ValueError, TypeError):
            events = None
        if events is None:
            self.is_damaged = True
        return events

    def remove(self, queued: Sequence[QueuedEvents]) -> None:
        """Remove events. Removals that fail on a full disk are retried with the next call."""
        seqs = [seq_of(one) for one in queued]
        self.stored.difference_update(seqs)
        self._failed_removals.extend((seq,) for seq in seqs)
        with self._transaction():
            self._connection.executemany("DELETE FROM queued WHERE seq = ?", self._failed_removals)
        self._failed_removals.clear()

    def contents(self) -> Contents:
        """Return the readable contents of an adopted file."""
        readable, lost = self._read()
        self.stored.update(readable)
        self._next_seq = max(readable, default=0) + 1
        lost_events = self._lost_events + sum(lost.values())
        if self.is_damaged and not readable and not lost_events:
            lost_events = 1
        return Contents([readable[seq] for seq in sorted(readable)], lost_events)

    def size_bytes(self) -> int:
        """Return the size of the database on disk, without its write-ahead log."""
        return size_bytes(self.path)

    def close(self) -> None:
        """Close the file, for another process to adopt."""
        disconnect(self._connection)

    def discard(self) -> None:
        """Close and delete the file. A damaged file is renamed instead, for examination."""
        self.close()
        if self.is_damaged:
            with contextlib.suppress(OSError):
                self.path.replace(self.path.with_suffix(DAMAGED_SUFFIX))
        delete(self.path)

    def _rescue(self, damaged_log: bytes) -> None:
        """Store what follows the damage in the write-ahead log, read from a copy with a repaired log."""
        known, _ = self._read()
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / self.path.name
            shutil.copyfile(self.path, path)
            wal(path).write_bytes(repaired(damaged_log, PAGE_BYTES))
            copy = SpoolFile(path)
            readable, lost = copy._read()
            rescued = [one for seq, one in readable.items() if seq not in known]
            for one in rescued:
                one.events = copy.events(one)
            copy.close()
        self._next_seq = max((*known, *readable, *lost), default=0) + 1
        lost_events = sum(events for seq, events in lost.items() if seq not in known)
        lost_events += sum(one.count for one in rescued if one.events is None)
        self.put([one for one in rescued if one.events is not None])
        self._lost_events = lost_events

    def _read(self) -> tuple[dict[int, QueuedEvents], dict[int, int]]:
        """Return the readable queued events, and the number of events of unreadable rows, by row number."""
        readable: dict[int, QueuedEvents] = {}
        keys: dict[BatchKey, BatchKey] = {}
        for row in self._rows("SELECT seq, header, header_checksum FROM queued"):
            self._add_header(row, readable, keys)
        lost: dict[int, int] = {}
        for seq, events in self._rows("SELECT seq, CAST(events AS INTEGER) FROM queued INDEXED BY queued_events"):
            if seq not in readable:
                for row in self._rows("SELECT seq, header, header_checksum FROM queued WHERE seq = ?", (seq,)):
                    self._add_header(row, readable, keys)
            if seq not in readable:
                self.is_damaged = True
                lost[seq] = events if 0 < events <= MAX_ROW_EVENTS else 1
        return readable, lost

    def _add_header(
        self, row: tuple[object, ...], readable: dict[int, QueuedEvents], keys: dict[BatchKey, BatchKey]
    ) -> None:
        """Add the queued events of a row, unless its header is damaged. Equal keys share one object."""
        seq, header, checksum = row
        queued = decode_header(self, header, checksum)
        if queued is None:
            self.is_damaged = True
        elif seq_of(queued) == seq:
            readable[seq_of(queued)] = replace(queued, key=keys.setdefault(queued.key, queued.key))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Run a block as one transaction. A savepoint nests: a signal handler may re-enter here."""
        self._connection.execute("SAVEPOINT step")
        try:
            yield
            self._connection.execute("RELEASE step")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK TO step")
                self._connection.execute("RELEASE step")
            raise

    def _rows(self, query: str, values: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
        """Yield the rows of a query until damage ends it."""
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.Error:
            self.is_damaged = True
