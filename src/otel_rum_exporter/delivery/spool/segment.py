"""One file of the spool, owned by one process. Damage affects only the records it hits."""

from __future__ import annotations

import contextlib
import errno
import secrets
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ...rum.encoded_events import EncodedEvents
from ..storage import QueuedEvents
from .locked_file import LockedFile
from .record import (
    Contents,
    Header,
    Removed,
    decode_content,
    encode_record,
    first_block,
    read_segment,
)

SUFFIX = ".spool1"
"""Ends with the version of the format. Other files in the directory are ignored."""

MAX_READ_BYTES = 1024 * 1024 * 1024
"""More than a segment has. A file may be larger by accident."""

MIN_READ_BYTES = 64 * 1024 * 1024
MAX_COMPRESSION = 16
"""Of a larger file, at most this many times its space on disk is read, because it may have a hole of any size."""

_FULL_DISK = frozenset((errno.ENOSPC, errno.EDQUOT))


def contents_of(file: LockedFile) -> Contents:
    """Return the contents of a segment."""
    limit = min(MAX_READ_BYTES, max(MIN_READ_BYTES, MAX_COMPRESSION * file.allocated_bytes))
    return read_segment(file.read(min(file.size_bytes, limit)))


class Location(NamedTuple):
    """The location of queued events on disk."""

    segment: Segment
    seq: int
    offset: int
    size_bytes: int


class Segment:
    """Queued events in one file. Not thread-safe. Methods raise OSError.

    `stored` has the events by the number of their record. `size_bytes` is the size of the file. `is_writable` is false
    after a failure that leaves the content of the file unknown.
    """

    def __init__(self, file: LockedFile, contents: Contents) -> None:
        self.path = file.path
        self.lost_events = contents.lost_events
        self.is_writable = True
        self.stored: dict[int, QueuedEvents] = {}
        self.stored_events = self.stored_bytes = 0
        self._file = file
        self._seq, self._events, self.size_bytes = contents.seq, contents.events, contents.end
        self._synced_seq = contents.seq
        self._unwritten: list[Removed] = []
        for queued, record in contents.stored:
            self._store(queued, record.seq, record.offset, record.content.stop - record.offset)

    @classmethod
    def create(cls, directory: Path, destination: str) -> Segment:
        """Create a segment in a directory."""
        file = None
        while file is None:  # Another process may lock a new file before this one does.
            name = f"{time.time_ns():016x}-{secrets.token_hex(8)}{SUFFIX}"
            file = LockedFile.open(directory / name, is_new=True)
        try:
            block = first_block(destination)
            file.write(block, 0)
            file.sync()
            file.sync_name()
        except BaseException:
            file.discard()
            raise
        return cls(file, read_segment(block))

    @classmethod
    def adopt(cls, path: Path) -> Segment | None:
        """Take over a segment; None if a living process owns it, or it is no file of this user."""
        file = LockedFile.open(path)
        if file is None:
            return None
        try:
            contents = contents_of(file)
            segment = cls(file, contents)
        except BaseException:
            file.close()
            raise
        if segment.lost_events or not contents.is_synced:
            segment._finish()
        return segment

    def is_intact(self) -> bool:
        """Return whether other processes can find the file, and none has cut or continued it."""
        return self._file.is_in_place() and self._file.size_bytes == self.size_bytes

    def put(self, entries: Sequence[tuple[QueuedEvents, bytes]], replaced: Sequence[QueuedEvents] = ()) -> None:
        """Store events with their contents, and remove others from this segment, in one step. Durable on return."""
        removed = [*self._unwritten, *((one.location.seq, one.count) for one in replaced)]
        records, places = [], []
        seq, events, offset = self._seq, self._events, self.size_bytes
        for index, (queued, content) in enumerate(entries, 1):
            seq += 1
            # The last record is valid only if all others of this step are.
            records.append(encode_record(seq, events, removed if index == len(entries) else (), queued, content))
            places.append((queued, seq, offset, len(records[-1])))
            offset, events = offset + len(records[-1]), events + queued.count
        self._append(b"".join(records), seq, events, is_synced=True)
        self.forget(replaced)
        self._unwritten.clear()
        for place in places:
            self._store(*place)
        self._write_header()

    def read(self, queued: QueuedEvents) -> EncodedEvents | None:
        """Return the events; None if they are damaged, or a later version of this package wrote them."""
        content = self.content(queued)
        with contextlib.suppress(ValueError, TypeError):
            return None if content is None else EncodedEvents.decode(content)
        return None

    def content(self, queued: QueuedEvents) -> bytes | None:
        """Return the content of a record; None if it is damaged."""
        location: Location = queued.location
        return decode_content(self._file.read(location.size_bytes, location.offset))

    def forget(self, queued: Iterable[QueuedEvents]) -> None:
        """Do not count events as stored any more."""
        for one in queued:
            location: Location = one.location
            if self.stored.pop(location.seq, None) is not None:
                self.stored_bytes -= location.size_bytes
                self.stored_events -= one.count
                self._unwritten.append((location.seq, one.count))

    def write_removals(self) -> None:
        """Write which events were removed. Writes that fail on a full disk are retried with the next call."""
        if self.is_writable and self._unwritten:
            self._append(encode_record(self._seq + 1, self._events, self._unwritten), self._seq + 1, self._events)
            self._unwritten.clear()
            self._write_header()

    def close(self) -> None:
        """Close the file, for another process to adopt."""
        self._file.close()

    def discard(self) -> bool:
        """Close and delete the file; false if that fails."""
        return self._file.discard()

    def _store(self, queued: QueuedEvents, seq: int, offset: int, size_bytes: int) -> None:
        if queued.is_on_disk:
            queued.location.segment.forget((queued,))
        queued.location, queued.events = Location(self, seq, offset, size_bytes), None
        self.stored[seq] = queued
        self.stored_bytes += size_bytes
        self.stored_events += queued.count

    def _append(self, records: bytes, seq: int, events: int, *, is_synced: bool = False) -> None:
        try:
            self._file.write(records, self.size_bytes)
            if is_synced:
                self._file.sync()
        except BaseException as error:
            # After another error, the content of the disk is unknown.
            self.is_writable = getattr(error, "errno", None) in _FULL_DISK
            try:
                self._file.truncate(self.size_bytes)
            except OSError:
                self.is_writable = False
            raise
        self._seq, self._events, self.size_bytes = seq, events, self.size_bytes + len(records)
        if is_synced:
            self._synced_seq = seq

    def _write_header(self) -> None:
        """Update the header. Without it, a reader must take later damage for a torn write."""
        with contextlib.suppress(OSError):
            self._file.write(Header(self._synced_seq, self._events, self.stored_events).encode(), 0)

    def _finish(self) -> None:
        """Make the contents of an adopted segment final, so that its next owner finds the same, and no loss again."""
        lost = [(0, self.lost_events)] if self.lost_events else []
        try:
            self._file.truncate(self.size_bytes)
            self._append(encode_record(self._seq + 1, self._events, lost), self._seq + 1, self._events, is_synced=True)
            self._write_header()
        except OSError:
            self.is_writable = False
