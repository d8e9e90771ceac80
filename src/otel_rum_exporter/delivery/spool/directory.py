"""The store on disk: what was accepted survives the process, and whoever comes next delivers it.

Processes share a directory without sharing a file: each writes to its own, and takes over the files of those that
died. Where the disk fails, events are kept in memory and one line says so.
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
from ..storage import Parcel, Recovered
from .file import DAMAGED_SUFFIX, SUFFIX, Contents, Place, SpoolFile, size_bytes, wal

MAX_FILES = 32
"""Most files open at a time; more that dead processes left are taken over when these are empty."""

MAX_FILE_BYTES = 64 * 1024 * 1024
"""A larger file is followed by a new one, since a database gives its space back only as a whole."""

SMALL_FILE_BYTES = 4 * 1024 * 1024
"""An empty file up to this size is used again."""

MIN_LIMIT_BYTES = 1024 * 1024
MAX_DAMAGED_FILES = 3
NEW_FILE_SECONDS = 60.0
"""An empty file so young is one that another process is making."""


class Spool:
    """Keep parcels in a directory. Thread-safe; nothing raises. Bound to the process that made it.

    Programs that send to different places never deliver each other's events: `destination` names theirs.
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

    def events(self, parcel: Parcel) -> tuple[RumEvent, ...] | None:
        """Return the events of a parcel; None where the disk lost them."""
        file = _file(parcel)
        if file is None:
            return parcel.events
        with self._lock:
            return file.events(parcel)

    def remove(self, parcels: Sequence[Parcel]) -> None:
        """Forget parcels; a file that is empty then is deleted, or used again where it is small."""
        with self._lock:
            if self._is_closed:
                return
            for file in {file for file in map(_file, parcels) if file is not None}:
                try:
                    file.remove([parcel for parcel in parcels if _file(parcel) is file])
                except sqlite3.Error as error:
                    self._warn("cannot be written", error, "delivered events stay in it, and may be sent once more")
                self._tidy(file)

    def replace(self, parcels: Sequence[Parcel], by: Sequence[Parcel]) -> None:
        """Write events to disk, durably, in place of others; in one step where those are in the file in use.

        Where the disk fails they stay in memory.
        """
        if not by:
            self.remove(parcels)
            return
        with self._lock:
            if self._is_closed:
                return
            together = self._put(by, parcels)
            self.remove([parcel for parcel in parcels if parcel not in together])

    def recover(self) -> Recovered:
        """Return what dead processes left, and see how much room there is."""
        parcels: list[Parcel] = []
        lost_events = others_bytes = 0
        with self._lock:
            # Whether the disk fails still, the next one to write finds out.
            self.is_failing = False
            for path in () if self._is_closed else self._left_by_others():
                found = self._adopted(path) if len(self._files) < MAX_FILES else None
                if found is None:
                    others_bytes += size_bytes(path) + size_bytes(wal(path))
                else:
                    parcels.extend(found.parcels)
                    lost_events += found.lost_events
            self._limit_bytes = max(MIN_LIMIT_BYTES, self._max_bytes - others_bytes)
        return Recovered(parcels, lost_events)

    def disk_limit_bytes(self) -> float:
        """Return the bytes that the other processes leave."""
        return self._limit_bytes

    def close(self) -> None:
        """Close the files; those that hold something are for the next process."""
        with self._lock:
            self._is_closed = True
            for file in self._files:
                if file.stored:
                    file.close()
                else:
                    file.discard()
            self._files.clear()

    def _put(self, parcels: Sequence[Parcel], replaced: Sequence[Parcel]) -> list[Parcel]:
        """Write parcels, and return those replaced in the same step."""
        for is_last in (False, True):
            try:
                current = self._writable()
                together = [parcel for parcel in replaced if _file(parcel) is current]
                current.put(parcels, together)
            except (OSError, sqlite3.Error) as error:
                is_damage = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
                if is_damage and self._current is not None:
                    self._current.is_damaged = True
                    self._leave(self._current)
                if is_last or not is_damage:
                    self.is_failing = True
                    self._warn("cannot be written", error, "events are in memory alone until it can be")
                    break
            else:
                self.is_failing = False
                return together
        return []

    def _writable(self) -> SpoolFile:
        # Somebody may have deleted it, and then nobody could take over what is written to it.
        if self._current is not None and not 0 < self._current.size_bytes() <= MAX_FILE_BYTES:
            self._leave(self._current)
        if self._current is None:
            self._prepare()
            self._current = SpoolFile.create(self._directory)
            self._files.add(self._current)
        return self._current

    def _leave(self, current: SpoolFile) -> None:
        """Write no more to the file in use; it stays for as long as it holds something."""
        self._current = None
        self._tidy(current)

    def _prepare(self) -> None:
        """Make the directory, for this user alone.

        Raises:
            PermissionError: when it belongs to somebody else, who could read and change what is in it.
        """
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in (self._root, self._directory):
            directory.mkdir(mode=0o700, exist_ok=True)
            owner = directory.lstat()
            if hasattr(os, "geteuid") and owner.st_uid != os.geteuid():
                raise PermissionError(f"{directory} belongs to user {owner.st_uid}; name a directory of your own")
            if not stat.S_ISDIR(owner.st_mode):
                raise NotADirectoryError(f"{directory} is no directory of its own")
        self._directory.chmod(0o700)

    def _left_by_others(self) -> list[Path]:
        """Return the files of the directory that are not ours, oldest first; empty ones may just begin to be used."""
        own = {file.path for file in self._files}
        try:
            self._prepare_to_read()
            found = [(path.stat(), path) for path in self._directory.glob(f"*{SUFFIX}") if path not in own]
        except OSError:
            return []
        youngest = time.time() - NEW_FILE_SECONDS
        return [path for status, path in sorted(found, key=_age) if status.st_size or status.st_mtime < youngest]

    def _prepare_to_read(self) -> None:
        if self._directory.exists():
            self._prepare()

    def _adopted(self, path: Path) -> Contents | None:
        """Take over a file, None where its process is alive."""
        try:
            file = SpoolFile.adopt(path)
        except (OSError, sqlite3.Error) as error:
            self._warn(
                "holds a file that cannot be read", error, "it is set aside; an unknown number of events is lost"
            )
            self._set_aside(path)
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
        self._forget_damaged()

    def _set_aside(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.replace(path.with_suffix(DAMAGED_SUFFIX))
            wal(path).unlink(missing_ok=True)
        self._forget_damaged()

    def _forget_damaged(self) -> None:
        """Keep the last damaged files, for people to look at."""
        with contextlib.suppress(OSError):
            damaged = [(path.stat(), path) for path in self._directory.glob(f"*{DAMAGED_SUFFIX}")]
            for _, path in sorted(damaged, key=_age)[:-MAX_DAMAGED_FILES]:
                path.unlink(missing_ok=True)

    def _warn(self, what: str, error: Exception, so_what: str) -> None:
        self._log.add(
            f"spool {what}",
            "the spool %s %s (%s); %s. To do: look at the disk, its free space and who may write there.",
            self._directory,
            what,
            error,
            so_what,
        )


def _file(parcel: Parcel) -> SpoolFile | None:
    return parcel.place.file if isinstance(parcel.place, Place) else None


def _age(found: tuple[os.stat_result, Path]) -> float:
    return found[0].st_mtime
