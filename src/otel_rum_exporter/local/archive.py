"""A SQLite file that keeps received requests across restarts. Only its owner can read it.

`record` defines the records; `store` limits how many stay in memory.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .record import Batch, Decision, Dropped, Event, RefusedRequest, Removed

_logger = logging.getLogger(__name__)

# "oRUM" in ASCII identifies our files. The version identifies the table and the JSON in it.
_APPLICATION_ID = 0x6F52554D
_VERSION = 2
_SCHEMA = "CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, events INTEGER NOT NULL, content TEXT NOT NULL)"
_DELETE_OLDEST = """DELETE FROM record WHERE id <= (SELECT id FROM (
    SELECT id, SUM(events) OVER (ORDER BY id DESC) AS so_far FROM record) WHERE so_far > ? ORDER BY id DESC LIMIT 1)"""
_ADDED_BETWEEN_DELETIONS = 200

Received = tuple[Batch, tuple[Dropped, ...], tuple[Removed, ...]] | RefusedRequest


class ArchiveError(Exception):
    """The archive file cannot be used; the message has the reason and the fix."""


class Archive:
    """An archive file, locked by one `LocalRum` at a time. Not thread-safe: the store calls it under its lock."""

    def __init__(self, path: Path, max_events: int) -> None:
        self._path = path
        self._max_events = max_events
        self._added = 0
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open and lock the file; create it if it is missing. Raise ArchiveError on failure."""
        if self._connection is not None:
            return
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o600))
            self._path.chmod(0o600)
            self._connection = _connect(self._path)
        except (OSError, sqlite3.Error) as error:
            cause = getattr(error, "strerror", None) or error
            raise ArchiveError(
                f"cannot store received requests in {self._path}: {cause}. To fix: name a new file, or a file that "
                "otel-rum local created and no other process uses"
            ) from error

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def read(self) -> Iterator[Received]:
        """Yield all stored requests, oldest first."""
        if self._connection is not None:
            for (content,) in self._connection.execute("SELECT content FROM record ORDER BY id").fetchall():
                yield _received(json.loads(content))

    def add(self, received: Received) -> None:
        """Store one request. If the file cannot be written, log one line and stop using it."""
        document: dict[str, Any] = {"refused": received}
        events = 1
        if not isinstance(received, RefusedRequest):
            document = dict(zip(("batch", "dropped", "removed"), received, strict=True))
            events = max(1, len(received[0].events))
        content = json.dumps(document, default=_members)
        self._write("INSERT INTO record (events, content) VALUES (?, ?)", events, content)
        self._added += 1
        if self._added % _ADDED_BETWEEN_DELETIONS == 0:
            self._write(_DELETE_OLDEST, self._max_events)

    def clear(self) -> None:
        """Delete all stored requests."""
        self._write("DELETE FROM record")

    def _write(self, statement: str, *values: object) -> None:
        if self._connection is None:
            return
        try:
            self._connection.execute(statement, values)
        except sqlite3.Error as error:
            _logger.warning(
                "writing to %s failed (%s); received requests stay in memory only. To fix: free space on the disk or "
                "check the file's permissions, then restart",
                self._path,
                error,
            )
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
        raise sqlite3.DatabaseError("another program or version created this database")


def _members(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def _received(document: dict[str, Any]) -> Received:
    if "refused" in document:
        return RefusedRequest(**document["refused"] | _decisions(document["refused"]))
    batch: dict[str, Any] = document["batch"]
    events = tuple(Event(**event) for event in batch["events"])
    return (
        Batch(**batch | _decisions(batch) | {"events": events}),
        tuple(Dropped(Event(**one["event"]), one["reason"]) for one in document["dropped"]),
        tuple(Removed(**one) for one in document["removed"]),
    )


def _decisions(record: dict[str, Any]) -> dict[str, Any]:
    return {"decisions": tuple(Decision(**one) for one in record["decisions"])}
