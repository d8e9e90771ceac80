"""The store on disk: accepted events survive the process, and the next process delivers them.

Processes share a directory but no file: each writes to its own file, and adopts the files of dead processes. If the
disk fails, events stay in memory, and a log line says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from ..._fork import UNFORKED
from ..._log import RateLimitedLog
from ...rum.event import RumEvent
from ..storage import QueuedEvents, Recovered
from .database import size_bytes, wal
from .file import DAMAGED_SUFFIX, SUFFIX, Contents, SpoolFile
from .row import Location

MAX_FILES = 32
"""The maximum number of open files. Further files of dead processes are adopted later."""

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Events go to a new file after this size, because a database is never shrunk, only deleted."""

SMALL_FILE_BYTES = 4 * 1024 * 1024
"""An empty file up to this size is reused."""

MIN_LIMIT_BYTES = 1024 * 1024
MAX_DAMAGED_FILES = 3
NEW_FILE_SECONDS = 60.0
"""An empty file younger than this may be in creation by another process."""


class Spool:
    """Stores queued events in a directory. Thread-safe; no method raises. Bound to the process that created it.

    Each `destination` has a subdirectory, so programs with another destination never deliver its events.
    """

    def __init__(self, directory: str, *, destination: str, max_bytes: int, log: RateLimitedLog) -> None:
        self._root = Path(directory)
        self._directory = self._root / hashlib.blake2b(destination.encode(), digest_size=8).hexdigest()
        self._max_bytes = max_bytes
        self._limit_bytes = float(max_bytes)
        self._log = log
        self._lock = UNFORKED
        self._current: SpoolFile | None = None
        self._files: set[SpoolFile] = set()
        self._is_closed = False
        self.is_failing = False

    def events(self, queued: QueuedEvents) -> tuple[RumEvent, ...] | None:
        """Return the events; None if the disk lost them."""
        file = _file(queued)
        if file is None:
            return queued.events
        with self._lock:
            return file.events(queued)

    def remove(self, queued: Sequence[QueuedEvents]) -> None:
        """Remove events. An empty file is deleted, or reused if it is small."""
        with self._lock:
            if self._is_closed:
                return
            for file in {file for file in map(_file, queued) if file is not None}:
                try:
                    file.remove([one for one in queued if _file(one) is file])
                except sqlite3.Error as error:
                    self._warn("cannot be written", error, "delivered events remain there, and may be sent again")
                self._tidy(file)

    def replace(self, replaced: Sequence[QueuedEvents], by: Sequence[QueuedEvents]) -> None:
        """Write events to disk in place of others; in one transaction if those are in the current file.

        The events are durable on return. If the disk fails, they stay in memory.
        """
        if not by:
            self.remove(replaced)
            return
        with self._lock:
            if self._is_closed:
                return
            removed = self._put(by, replaced)
            self.remove([one for one in replaced if one not in removed])

    def recover(self) -> Recovered:
        """Return events that dead processes left, and update the disk limit."""
        recovered: list[QueuedEvents] = []
        lost_events = others_bytes = 0
        with self._lock:
            # The next write finds out whether the disk still fails.
            self.is_failing = False
            for path in () if self._is_closed else self._other_files():
                contents = self._adopt(path) if len(self._files) < MAX_FILES else None
                if contents is None:
                    others_bytes += size_bytes(path) + size_bytes(wal(path))
                else:
                    recovered.extend(contents.queued)
                    lost_events += contents.lost_events
            self._limit_bytes = max(MIN_LIMIT_BYTES, self._max_bytes - others_bytes)
        return Recovered(recovered, lost_events)

    def disk_limit_bytes(self) -> float:
        """Return the limit of the directory without the files of other processes."""
        return self._limit_bytes

    def close(self) -> None:
        """Close the files. Files with events are left to the next process."""
        with self._lock:
            self._is_closed = True
            for file in self._files:
                if file.stored:
                    file.close()
                else:
                    file.discard()
            self._files.clear()

    def _put(self, queued: Sequence[QueuedEvents], replaced: Sequence[QueuedEvents]) -> list[QueuedEvents]:
        """Write events, and return those that were replaced in the same transaction."""
        for is_last in (False, True):
            try:
                current = self._writable()
                removed = [one for one in replaced if _file(one) is current]
                current.put(queued, removed)
            except (OSError, sqlite3.Error) as error:
                is_damage = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
                if is_damage and self._current is not None:
                    self._current.is_damaged = True
                    self._retire(self._current)
                if is_last or not is_damage:
                    self.is_failing = True
                    self._warn("cannot be written", error, "events stay in memory only")
                    break
            else:
                self.is_failing = False
                return removed
        return []

    def _writable(self) -> SpoolFile:
        # No process could adopt a file that was deleted meanwhile.
        if self._current is not None and not 0 < self._current.size_bytes() <= MAX_FILE_BYTES:
            self._retire(self._current)
        if self._current is None:
            self._prepare()
            self._current = SpoolFile.create(self._directory)
            self._files.add(self._current)
        return self._current

    def _retire(self, current: SpoolFile) -> None:
        """Stop writing to the current file. It is deleted once it is empty."""
        self._current = None
        self._tidy(current)

    def _prepare(self) -> None:
        """Create the directory, with access for this user only.

        Raises:
            PermissionError: It belongs to another user, who could read and change its files.
            NotADirectoryError: It is a link.
        """
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in (self._root, self._directory):
            directory.mkdir(mode=0o700, exist_ok=True)
            owner = directory.lstat()
            if hasattr(os, "geteuid") and owner.st_uid != os.geteuid():
                raise PermissionError(f"{directory} belongs to user {owner.st_uid}; name a directory of this user")
            if not stat.S_ISDIR(owner.st_mode):
                raise NotADirectoryError(f"{directory} is not a directory")
        self._directory.chmod(0o700)

    def _other_files(self) -> list[Path]:
        """Return the files of other processes, oldest first, without those in creation."""
        own = {file.path for file in self._files}
        try:
            self._prepare_existing()
            files = [(path.stat(), path) for path in self._directory.glob(f"*{SUFFIX}") if path not in own]
        except OSError:
            return []
        youngest = time.time() - NEW_FILE_SECONDS
        return [path for status, path in sorted(files, key=_modified) if status.st_size or status.st_mtime < youngest]

    def _prepare_existing(self) -> None:
        if self._directory.exists():
            self._prepare()

    def _adopt(self, path: Path) -> Contents | None:
        """Adopt a file; None if its process is alive."""
        try:
            file = SpoolFile.adopt(path)
        except (OSError, sqlite3.Error) as error:
            self._warn("has an unreadable file", error, "it was renamed; an unknown number of events is lost")
            self._rename_damaged(path)
            return Contents([], 1)
        if file is None:
            return None
        contents = file.contents()
        self._files.add(file)
        self._tidy(file)
        return contents

    def _tidy(self, file: SpoolFile) -> None:
        if file.stored or (file is self._current and not file.is_damaged and file.size_bytes() <= SMALL_FILE_BYTES):
            return
        self._files.discard(file)
        if file is self._current:
            self._current = None
        file.discard()
        self._delete_old_damaged()

    def _rename_damaged(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.replace(path.with_suffix(DAMAGED_SUFFIX))
            wal(path).unlink(missing_ok=True)
        self._delete_old_damaged()

    def _delete_old_damaged(self) -> None:
        """Keep only the newest damaged files, for examination."""
        with contextlib.suppress(OSError):
            damaged = [(path.stat(), path) for path in self._directory.glob(f"*{DAMAGED_SUFFIX}")]
            for _, path in sorted(damaged, key=_modified)[:-MAX_DAMAGED_FILES]:
                path.unlink(missing_ok=True)

    def _warn(self, failure: str, error: Exception, consequence: str) -> None:
        self._log.add(
            f"spool {failure}",
            "spool %s %s (%s); %s. To fix: check the disk, its free space and its permissions.",
            self._directory,
            failure,
            error,
            consequence,
        )


def _file(queued: QueuedEvents) -> SpoolFile | None:
    return queued.location.file if isinstance(queued.location, Location) else None


def _modified(file: tuple[os.stat_result, Path]) -> float:
    return file[0].st_mtime
