"""Reads spool files of version 0.1, which were SQLite databases. They are replaced by segments."""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from pathlib import Path

import orjson

from ...rum.encoded_events import by_session_metadata
from ...rum.event import RumEvent
from ..storage import QueuedEvents
from .record import decode_stored

SQLITE_SUFFIX = ".db"
_ROWS = "SELECT events, header, header_checksum, content, content_checksum FROM queued ORDER BY seq"


def read_sqlite(path: Path) -> tuple[list[QueuedEvents], int] | None:
    """Return the events of a database, and the number of damaged ones; None if a living process owns it."""
    found: list[QueuedEvents] = []
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
                    stored = [RumEvent.of(*fields) for fields in orjson.loads(content)]
                    found += [
                        QueuedEvents.of(queued.key, group, queued.accepted_ns) for group in by_session_metadata(stored)
                    ]
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            return None
    except (sqlite3.DatabaseError, ValueError, TypeError):
        lost_events += 1  # at least
    return found, lost_events


def delete_sqlite(path: Path) -> None:
    """Delete a database and its write-ahead log, ignoring errors of the disk."""
    with contextlib.suppress(OSError):
        path.unlink()
        path.with_name(f"{path.name}-wal").unlink(missing_ok=True)
