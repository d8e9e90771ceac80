"""Files of OTLP through one pipeline: no faster than RUM takes them, and with a note of how far they are delivered."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO, NamedTuple, TypeVar

from ..config import Config
from ..exporter.pipeline import Pipeline
from ..mapping.pending import MAX_PENDING_NS
from ..otlp import OtlpError, Piece, pieces

T = TypeVar("T")

MAX_STORED_EVENTS = 4000
"""Events in memory, of at most 6 KB each; the more there are, the more of a session travel together."""

MEMORY_BYTES = 64 * 1024 * 1024
SLICE_RECORDS = 500
SETTLE_SECONDS = 5.0
POLL_SECONDS = 0.5
WAIT_SECONDS = MAX_PENDING_NS / 1e9
MAX_NOTES = 10


class StalledError(Exception):
    """RUM has taken nothing for as long as patience lasts."""


@dataclass(slots=True)
class FileAccount:
    """What was read of one file. `begin` and `delivered_up_to` are offsets in its uncompressed content."""

    name: str
    begin: int
    delivered_up_to: int
    bodies: int = 0
    records: int = 0
    unread: int = 0
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keep something that people should know, once, unless there is much of it already."""
        if len(self.notes) < MAX_NOTES and text not in self.notes:
            self.notes.append(text)


class _Mark(NamedTuple):
    read_at_seconds: float
    account: FileAccount
    offset: int


class Replay:
    """Send files through a pipeline of their own.

    Args:
        config: The settings.
        patience_seconds: How long RUM may take nothing before `StalledError` is raised.
        delivered: Called when everything up to `delivered_up_to` of a file is delivered, or counted as dropped.
    """

    def __init__(self, config: Config, *, patience_seconds: float, delivered: Callable[[FileAccount], None]) -> None:
        # The files are the spool, and what is held back is bounded here.
        own = replace(config, spool_directory=None, max_memory_bytes=max(config.max_memory_bytes, MEMORY_BYTES))
        self._pipeline = Pipeline(own)
        self._patience_seconds = patience_seconds
        self._delivered = delivered
        self._marks: deque[_Mark] = deque()
        self._settled_at = time.monotonic()
        self.ledger = self._pipeline.ledger

    @property
    def unsent(self) -> int:
        """The events read that are neither delivered nor dropped; they are in the files still."""
        return self.ledger.stored + self.ledger.waiting

    def send(self, account: FileAccount, stream: BinaryIO) -> Iterator[Piece]:
        """Send a file from where its account begins, and yield each body when it is accepted.

        Raises:
            OtlpError: where the file cannot be read on.
            StalledError: see the class.
        """
        for piece in pieces(stream, account.begin):
            if piece.is_cut:
                account.note(f"{piece.name} is not complete yet, and left for the next time")
                return
            if self._accept(account, piece):
                self._marks.append(_Mark(time.monotonic(), account, piece.end))
            if time.monotonic() - self._settled_at > SETTLE_SECONDS:
                self._settle()
            yield piece

    def finish(self) -> None:
        """Deliver all that was read, also what waits for parents that did not come.

        Raises:
            StalledError: see the class.
        """
        self._pipeline.release()
        self._settle()
        self._pipeline.close(0.0)

    def hurry(self, timeout_seconds: float) -> None:
        """Deliver what was read as far as there is time; the rest is in the files still."""
        self._pipeline.release()
        if self._pipeline.flush(timeout_seconds):
            self._note_delivered(math.inf)

    def _accept(self, account: FileAccount, piece: Piece) -> bool:
        """Accept what is in a body; false where it cannot be read."""
        account.bodies += 1
        try:
            decoded = piece.decode()
        except OtlpError as error:
            account.unread += 1
            account.note(f"{piece.name} is {error}")
            return False
        account.records += len(decoded.records)
        account.unread += decoded.rejected
        for fault in decoded.faults:
            account.note(f"{piece.name}: {fault}")
        self._in_slices(decoded.spans, self._pipeline.accept_spans)
        self._in_slices(decoded.log_records, self._pipeline.accept_log_records)
        return True

    def _in_slices(self, records: Sequence[T], accept: Callable[[Sequence[T]], None]) -> None:
        for begin in range(0, len(records), SLICE_RECORDS):
            accept(records[begin : begin + SLICE_RECORDS])
            if self.ledger.stored > MAX_STORED_EVENTS:
                self._settle()

    def _settle(self) -> None:
        """Wait until all that was accepted is delivered or dropped."""
        began = time.monotonic()
        last_taken, open_events = began, self.ledger.stored
        while not self._pipeline.flush(POLL_SECONDS):
            now = time.monotonic()
            if self.ledger.stored < open_events:
                last_taken, open_events = now, self.ledger.stored
            elif now - last_taken > self._patience_seconds:
                raise StalledError(f"RUM has taken nothing for {self._patience_seconds:.0f} s")
            time.sleep(POLL_SECONDS / 10)
        self._settled_at = time.monotonic()
        self._note_delivered(math.inf if not self.ledger.waiting else began - WAIT_SECONDS)

    def _note_delivered(self, read_before_seconds: float) -> None:
        """Note what was read early enough to wait for parents no more: it is delivered."""
        moved: dict[str, FileAccount] = {}
        while self._marks and self._marks[0].read_at_seconds < read_before_seconds:
            mark = self._marks.popleft()
            mark.account.delivered_up_to = mark.offset
            moved[mark.account.name] = mark.account
        for account in moved.values():
            self._delivered(account)
