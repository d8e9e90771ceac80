"""The SQLite databases of the spool: exclusive connections, and repair of damaged files.

SQLite's exclusive lock marks the owner of a file. The operating system releases it when the process ends, so files of
dead processes are recognized without clocks.
https://www.sqlite.org/wal.html#use_of_wal_without_shared_memory
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sqlite3
import tempfile
from pathlib import Path

from .write_ahead_log import lost_commits

PAGE_BYTES = 4096
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
    """CREATE TABLE IF NOT EXISTS queued (
        seq INTEGER PRIMARY KEY,
        events INTEGER NOT NULL,
        header BLOB NOT NULL,
        header_checksum INTEGER NOT NULL,
        content BLOB NOT NULL,
        content_checksum INTEGER NOT NULL)""",
    # Gives the number of events of rows that cannot be read.
    "CREATE INDEX IF NOT EXISTS queued_events ON queued (events)",
    "COMMIT",
)

_connections: set[sqlite3.Connection] = set()


def connect(path: Path) -> tuple[sqlite3.Connection, bytes]:
    """Return a connection that owns a file, and the write-ahead log if SQLite lost transactions by damage to it.

    Raises:
        sqlite3.OperationalError: Another process owns the file, or the file does not exist.
        sqlite3.DatabaseError: The file is damaged.
    """
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


def disconnect(connection: sqlite3.Connection) -> None:
    """Close a connection, which releases its file."""
    _connections.discard(connection)
    with contextlib.suppress(sqlite3.Error):
        connection.close()


def delete(path: Path) -> None:
    """Delete a database and its write-ahead log, ignoring errors of the disk."""
    for file in (path, wal(path)):
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def wal(path: Path) -> Path:
    """Return the path of a database's write-ahead log."""
    return path.with_name(path.name + _WAL_SUFFIX)


def size_bytes(path: Path) -> int:
    """Return the size of a file, 0 if it does not exist."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def repair_first_page(path: Path) -> None:
    """Replace the first page of a damaged database by that of an empty one, which is the same in every spool file.

    The page count is cleared, so that SQLite takes it from the file size: https://www.sqlite.org/fileformat.html
    """
    with tempfile.TemporaryDirectory() as directory:
        empty = Path(directory) / "empty"
        empty.touch()
        disconnect(connect(empty)[0])
        page = bytearray(empty.read_bytes()[:PAGE_BYTES])
    page[92:96] = bytes(4)
    with path.open("r+b") as file:
        file.write(page)


def _intact_frames(connection: sqlite3.Connection) -> int:
    _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(frames)


def _keep_open_after_fork() -> None:
    """Prevent a forked child from closing its parent's connections, which would truncate the parent's log.

    The reference is never released, because objects may be collected at interpreter exit.
    https://www.sqlite.org/howtocorrupt.html
    """
    for connection in _connections:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
    _connections.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_open_after_fork)
