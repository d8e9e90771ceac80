"""A file that keeps what was received over restarts: SQLite, readable by its owner only.

Which records there are is told by `record`; how many of them are kept in memory is the business of `store`.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .record import Batch, Dropped, Event, RefusedRequest, Removed, Decision

_logger = logging.getLogger(__name__)

# "oRUM" in ASCII tells our files from other databases, and the version our tables from later ones.
_APPLICATION_ID = 0x6F52554D
_VERSION = 1
_SCHEMA = "CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, events INTEGER NOT NULL, content TEXT NOT NULL)"
_FORGET = """DELETE FROM record WHERE id <= (SELECT id FROM (
    SELECT id, SUM(events) OVER (ORDER BY id DESC) AS so_far FROM record) WHERE so_far > ? ORDER BY id DESC LIMIT 1)"""
_ADDED_BETWEEN_FORGETTING = 200

Received = tuple[Batch, tuple[Dropped, ...], tuple[Removed, ...]] | RefusedRequest


class ArchiveError(Exception):
    """A file that cannot be used to keep what is received; the message says why and what to do."""


class Archive:
    """One file, open for one stand-in at a time. Not thread-safe: a store calls it under its lock."""

    def __init__(self, path: Path, max_events: int) -> None:
        self._path = path
        self._max_events = max_events
        self._added = 0
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file and lock it, made if there is none; raise ArchiveError when that cannot be."""
        if self._connection is not None:
            return
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o600))
            self._path.chmod(0o600)
            self._connection = _connect(self._path)
        except (OSError, sqlite3.Error) as error:
            raise ArchiveError(
                f"cannot keep what is received in {self._path}: {error}; name a new file, or one of this program that "
                "no other one uses"
            ) from error

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def read(self) -> Iterator[Received]:
        """Return everything that is kept, oldest first."""
        if self._connection is not None:
            for (content,) in self._connection.execute("SELECT content FROM record ORDER BY id").fetchall():
                yield _received(json.loads(content))

    def add(self, received: Received) -> None:
        """Keep one request; a file that cannot be written costs what it should have kept, and one line in the log."""
        document: dict[str, Any] = {"refusal": received}
        events = 1
        if not isinstance(received, RefusedRequest):
            document = dict(zip(("batch", "dropped", "removed"), received, strict=True))
            events = max(1, len(received[0].events))
        content = json.dumps(document, default=_members)
        self._write("INSERT INTO record (events, content) VALUES (?, ?)", events, content)
        self._added += 1
        if self._added % _ADDED_BETWEEN_FORGETTING == 0:
            self._write(_FORGET, self._max_events)

    def clear(self) -> None:
        """Forget everything."""
        self._write("DELETE FROM record")

    def _write(self, statement: str, *values: object) -> None:
        if self._connection is None:
            return
        try:
            self._connection.execute(statement, values)
        except sqlite3.Error as error:
            _logger.warning("what is received is no longer kept in %s, only in memory: %s", self._path, error)
            self.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0.3, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        _check_owner(connection)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={_VERSION}")
        connection.execute(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_owner(connection: sqlite3.Connection) -> None:
    is_new = not connection.execute("SELECT 1 FROM sqlite_master").fetchall()
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not is_new and (owner, version) != (_APPLICATION_ID, _VERSION):
        raise sqlite3.DatabaseError("it is a database of another program or version")


def _members(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def _received(document: dict[str, Any]) -> Received:
    if "refusal" in document:
        return RefusedRequest(**document["refusal"] | _decisions(document["refusal"]))
    batch: dict[str, Any] = document["batch"]
    events = tuple(Event(**event) for event in batch["events"])
    return (
        Batch(**batch | _decisions(batch) | {"events": events}),
        tuple(Dropped(Event(**one["event"]), one["reason"]) for one in document["dropped"]),
        tuple(Removed(**one) for one in document["removed"]),
    )


def _decisions(record: dict[str, Any]) -> dict[str, Any]:
    return {"verdicts": tuple(Decision(**one) for one in record["verdicts"])}
