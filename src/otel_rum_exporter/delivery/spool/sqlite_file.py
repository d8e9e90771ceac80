"""Reads spool files of version 0.1, which were SQLite databases. They are replaced by segments."""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from pathlib import Path

import orjson

from ..storage import QueuedEvents
from .record import decode_stored

SQLITE_SUFFIX = ".db"
_ROWS = "SELECT events, header, header_checksum, content, content_checksum FROM queued ORDER BY seq"


def read_sqlite(path: Path) -> tuple[list[tuple[QueuedEvents, bytes]], int] | None:
    """Return the events of a database, and the number of damaged ones; None if a living process owns it."""
    entries: list[tuple[QueuedEvents, bytes]] = []
    lost_events = 0
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN IMMEDIATE")
            for events, header, header_checksum, content, content_checksum in connection.execute(_ROWS):
                queued = None
                if zlib.crc32(header) == header_checksum and zlib.crc32(content) == content_checksum:
                    queued = decode_stored(orjson.loads(header)[1:], {})
                if queued is None:
                    lost_events += events
                else:
                    entries.append((queued, content))
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            return None
    except (sqlite3.DatabaseError, ValueError, TypeError):
        lost_events += 1  # at least
    return entries, lost_events


def delete_sqlite(path: Path) -> None:
    """Delete a database and its write-ahead log, ignoring errors of the disk."""
    with contextlib.suppress(OSError):
        path.unlink()
        path.with_name(f"{path.name}-wal").unlink(missing_ok=True)
