"""The store on disk: accepted events survive the process, and the next process delivers them.

Processes share a directory but no file: each writes to its own segments, and adopts the segments of dead processes. If
the disk fails, events stay in memory until it works again, and a log line says so.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..._fork import UNFORKED
from ..._log import RateLimitedLog
from ...rum.encoded_events import EncodedEvents
from ..storage import OVERHEAD_BYTES, QueuedEvents, Recovered
from .folder import directory_of, files_in, left_behind, prepare
from .segment import SUFFIX, Segment
from .sqlite_file import SQLITE_SUFFIX, delete_sqlite, read_sqlite

MAX_SEGMENT_BYTES = 16 * 1024 * 1024
"""Events go to a new segment after this size, because a segment is only deleted as a whole."""

MIN_SEGMENT_BYTES = 64 * 1024
SEGMENTS = 32
"""A segment is at most this fraction of the spool, and a quarter of this fraction of the free disk."""

EMPTY_SEGMENT_BYTES = 1024 * 1024
"""An empty segment up to this size is reused."""

MAX_WASTE = 4
"""A segment larger than its stored events by this factor is copied and deleted."""

MAX_ADOPTED_BYTES = 16 * 1024 * 1024
"""Further segments of dead processes are adopted with the next call, so that delivery starts soon."""

MAX_FILES = 256
MAX_PARTS = 100_000
"""With more open files or queued events, segments of dead processes are adopted later, to save memory."""

STEP_BYTES = 64 * 1024
"""Queued events of this size are moved in one step. The C library keeps the memory of the largest step per thread."""

MIN_LIMIT_BYTES = 1024 * 1024

FAILED = "spool %s %s (%s); %s. To fix: check the disk, its free space and its permissions."
LEFT_BEHIND = (
    "%d events for %s %s still in %s, not sent by this process. "
    "To fix: start a process with these settings, or delete the events."
)

Entries = Sequence[tuple[QueuedEvents, bytes]]


class Spool:
    """Stores queued events in a directory. Thread-safe; no method raises. Bound to the process that created it.

    Each `destination` has a subdirectory, so programs with another destination never deliver its events. The SQLite
    files of version 0.1 are in the subdirectory of `former_destination`.
    """

    def __init__(
        self, directory: str, *, destination: str, max_bytes: int, log: RateLimitedLog, former_destination: str = ""
    ) -> None:
        self._root = Path(directory)
        self._destination = destination
        self._directory = directory_of(self._root, destination)
        self._former = directory_of(self._root, former_destination)
        self._max_bytes = max_bytes
        self._limit_bytes = float(max_bytes)
        self._log = log
        self._lock = UNFORKED
        self._is_busy = self._is_closed = self._has_recovered = False
        self._current: Segment | None = None
        self._current_max_bytes = 0
        self._segments: dict[Segment, None] = {}
        self._in_memory: dict[QueuedEvents, None] = {}
        self._removed_meanwhile: list[QueuedEvents] = []
        self.is_failing = False

    def events(self, queued: QueuedEvents) -> EncodedEvents | None:
        """Return the events; None if the disk lost them."""
        with self._lock:
            segment = _segment(queued)
            return queued.events if segment is None else segment.read(queued)

    def remove(self, queued: Sequence[QueuedEvents]) -> None:
        """Remove events. An empty segment is deleted, or reused if it is small."""
        self.replace(queued, ())

    def replace(self, replaced: Sequence[QueuedEvents], by: Sequence[QueuedEvents]) -> None:
        """Write events to disk in place of others; in one step if those are in the current segment.

        The events are durable on return. If the disk fails, they stay in memory.
        """
        with self._step() as may_write:
            self._in_memory.update(dict.fromkeys(by))
            if may_write and by:
                self._put(_encoded(by), replaced)
            self._removed_meanwhile += replaced
            if may_write:
                self._remove()

    def persist(self) -> bool:
        """Write events that stayed in memory if the disk works again; return whether any were written."""
        with self._step() as may_write:
            before = len(self._in_memory)
            for step in _steps(self._in_memory) if may_write else ():
                if not self._put(_encoded(step)):
                    break
            return len(self._in_memory) < before

    def recover(self) -> Recovered:
        """Return events that dead processes left, and update the disk limit."""
        recovered: list[QueuedEvents] = []
        lost_events = others_bytes = adopted_bytes = 0
        with self._step() as may_write:
            if not may_write:
                return Recovered([], 0)
            # Without events in memory, the next write finds out whether the disk still fails.
            self.is_failing = bool(self._in_memory)
            for segment in list(self._segments):
                self._maintain(segment)
            own = {segment.path for segment in self._segments}
            for path in (path for path in files_in(self._directory, SUFFIX) if path not in own):
                adopted = self._adopt(path) if adopted_bytes < MAX_ADOPTED_BYTES else None
                if adopted is None:
                    with contextlib.suppress(OSError):
                        others_bytes += path.lstat().st_size
                else:
                    adopted_bytes += adopted.size_bytes
                    recovered.extend(adopted.stored.values())
                    lost_events += adopted.lost_events
                    self._tidy(adopted)
            for path in files_in(self._former, SQLITE_SUFFIX):
                lost_events += self._convert(path, recovered)
            self._limit_bytes = max(MIN_LIMIT_BYTES, self._max_bytes - others_bytes)
            if not self._has_recovered:
                self._log_left_behind()
            self._has_recovered = True
        return Recovered(recovered, lost_events)

    def disk_limit_bytes(self) -> float:
        """Return the limit of the directory without the files of other processes."""
        return self._limit_bytes

    def close(self) -> None:
        """Close the segments. Those with events are left to the next process."""
        with self._step():
            self._is_closed = True

    @contextlib.contextmanager
    def _step(self) -> Iterator[bool]:
        """Yield whether this step may write: not after `close`, nor in a signal handler during another step."""
        with self._lock:
            is_first, self._is_busy = not self._is_busy, True
            try:
                yield is_first and not self._is_closed
            finally:
                self._is_busy = not is_first
                if is_first and self._is_closed:
                    for segment in self._segments:
                        if segment.stored or not segment.discard():
                            segment.close()
                    self._segments.clear()

    def _put(self, entries: Entries, replaced: Sequence[QueuedEvents] = ()) -> bool:
        """Write events, and remove those of the replaced events that are in the same segment; false if that fails."""
        in_use = self._current
        try:
            current = self._writable()
            current.put(entries, [one for one in replaced if _segment(one) is current])
        except OSError as error:
            failed, self._current = self._current, None
            if failed is not None:
                self._tidy(failed)
                if failed is in_use:  # A new one may work.
                    return self._put(entries, replaced)
            self.is_failing = True
            self._warn("cannot be written", error, "events stay in memory only")
            return False
        self.is_failing = False
        for one, _ in entries:
            self._in_memory.pop(one, None)
        return True

    def _writable(self) -> Segment:
        current = self._current
        if current is not None and not (
            current.is_writable and current.size_bytes <= self._current_max_bytes and current.is_intact()
        ):
            self._current = None
            self._maintain(current)
        if self._current is None:
            prepare(self._directory)
            self._current = Segment.create(self._directory, self._destination)
            self._segments[self._current] = None
            limit = min(self._max_bytes, shutil.disk_usage(self._directory).free // 4) // SEGMENTS
            self._current_max_bytes = min(MAX_SEGMENT_BYTES, max(MIN_SEGMENT_BYTES, limit))
        return self._current

    def _remove(self) -> None:
        by_segment: dict[Segment, list[QueuedEvents]] = {}
        removed, self._removed_meanwhile = self._removed_meanwhile, []
        for one in removed:
            self._in_memory.pop(one, None)
            segment = _segment(one)
            if segment is not None:
                by_segment.setdefault(segment, []).append(one)
        for segment, ones in by_segment.items():
            segment.forget(ones)
            self._tidy(segment)
            if segment in self._segments:
                try:
                    segment.write_removals()
                except OSError as error:
                    self._warn("cannot be written", error, "delivered events remain there, and may be sent again")

    def _maintain(self, segment: Segment) -> None:
        """Move the events of a segment that wastes space, cannot be written, or was deleted or changed by others."""
        is_wasteful = segment.size_bytes > max(EMPTY_SEGMENT_BYTES, MAX_WASTE * segment.stored_bytes)
        if is_wasteful or not (segment.is_writable and segment.is_intact()):
            if segment is self._current:
                self._current = None
            for step in _steps(segment.stored.values()):
                entries = [(one, content) for one in step if (content := segment.content(one))]
                if entries and not self._put(entries):
                    break
        self._tidy(segment)

    def _tidy(self, segment: Segment) -> None:
        """Delete an empty segment, unless it is in use and small."""
        is_current = segment is self._current
        max_bytes = min(EMPTY_SEGMENT_BYTES, self._current_max_bytes)
        if segment.stored or (is_current and segment.is_writable and segment.size_bytes <= max_bytes):
            return
        if is_current:
            self._current = None
        if segment.discard():
            self._segments.pop(segment, None)

    def _adopt(self, path: Path) -> Segment | None:
        """Adopt a segment; None if its process is alive, it is not a segment, or enough are adopted."""
        if len(self._segments) >= MAX_FILES or sum(len(segment.stored) for segment in self._segments) >= MAX_PARTS:
            return None
        with contextlib.suppress(OSError, MemoryError):
            segment = Segment.adopt(path)
            if segment is not None:
                self._segments[segment] = None
            return segment
        return None

    def _convert(self, path: Path, recovered: list[QueuedEvents]) -> int:
        """Replace an SQLite file without an owner by records, and return the number of lost events."""
        found = read_sqlite(path)
        if found is None or (found[0] and not self._put(found[0])):
            return 0
        recovered += [one for one, _ in found[0]]
        delete_sqlite(path)
        return found[1]

    def _log_left_behind(self) -> None:
        for destination, events in left_behind(self._root, self._destination).items():
            if destination != self._destination:
                verb = "is" if events == 1 else "are"
                self._log.add(f"spool {destination}", LEFT_BEHIND, events, destination, verb, self._root)

    def _warn(self, failure: str, error: Exception, consequence: str) -> None:
        self._log.add(f"spool {failure}", FAILED, self._directory, failure, error, consequence)


def _steps(queued: Iterable[QueuedEvents]) -> Iterator[list[QueuedEvents]]:
    step: list[QueuedEvents] = []
    step_bytes = 0
    for one in list(queued):
        step.append(one)
        step_bytes += one.size_bytes + OVERHEAD_BYTES
        if step_bytes >= STEP_BYTES:
            yield step
            step, step_bytes = [], 0
    if step:
        yield step


def _encoded(queued: Iterable[QueuedEvents]) -> Entries:
    return [(one, one.events.encode()) for one in queued if one.events is not None]


def _segment(queued: QueuedEvents) -> Segment | None:
    return queued.location.segment if queued.is_on_disk else None
