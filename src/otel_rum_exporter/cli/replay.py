"""Send OTLP files through one pipeline, at the rate that RUM accepts, and report how much of each is delivered."""

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
from ..otlp import FileBody, OtlpError, read_bodies

T = TypeVar("T")

MAX_STORED_EVENTS = 4000
"""Events in memory, of at most 6 KB each. With more events in memory, each request carries more of one session."""

MEMORY_BYTES = 64 * 1024 * 1024
SLICE_RECORDS = 500
DRAIN_SECONDS = 5.0
POLL_SECONDS = 0.5
WAIT_SECONDS = MAX_PENDING_NS / 1e9
MAX_NOTES = 10


class StalledError(Exception):
    """RUM accepted nothing for as long as the patience lasts."""


@dataclass(slots=True)
class FileAccount:
    """The counts of one file. `begin` and `delivered_up_to` are offsets in its uncompressed content."""

    name: str
    begin: int
    delivered_up_to: int
    bodies: int = 0
    records: int = 0
    unread: int = 0
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Add a note for the user, once, up to `MAX_NOTES`."""
        if len(self.notes) < MAX_NOTES and text not in self.notes:
            self.notes.append(text)


class _ReadPosition(NamedTuple):
    read_at_seconds: float
    account: FileAccount
    offset: int


class Replay:
    """A run that sends files through a pipeline of its own.

    Args:
        config: The settings.
        patience_seconds: The time without any accepted event after which `StalledError` is raised.
        on_delivered: Called when everything up to `delivered_up_to` of a file is delivered or counted as dropped.
    """

    def __init__(self, config: Config, *, patience_seconds: float, on_delivered: Callable[[FileAccount], None]) -> None:
        # The files keep the records, and this class limits how many events are in memory: there is no spool, and the
        # speed of a file is no load that leaves sessions out.
        memory_bytes = max(config.max_memory_bytes, MEMORY_BYTES)
        own = replace(config, spool_directory=None, max_memory_bytes=memory_bytes, max_events_per_second=0.0)
        self._pipeline = Pipeline(own)
        self._patience_seconds = patience_seconds
        self._on_delivered = on_delivered
        self._positions: deque[_ReadPosition] = deque()
        self._drained_at_seconds = time.monotonic()
        self.ledger = self._pipeline.ledger

    @property
    def unsent(self) -> int:
        """The number of events that were read, but neither delivered nor dropped. The files still contain them."""
        return self.ledger.stored + self.ledger.pending

    def send(self, account: FileAccount, stream: BinaryIO) -> Iterator[FileBody]:
        """Send a file from `account.begin` on, and yield each body after it is accepted.

        Raises:
            OtlpError: the rest of the file cannot be read.
            StalledError: see the class.
        """
        for body in read_bodies(stream, account.begin):
            if body.is_truncated:
                account.note(f"{body.name} is incomplete; the next run sends it")
                return
            if self._accept(account, body):
                self._positions.append(_ReadPosition(time.monotonic(), account, body.end))
            if time.monotonic() - self._drained_at_seconds > DRAIN_SECONDS:
                self._drain()
            yield body

    def finish(self) -> None:
        """Deliver everything that was read, including records that still wait for their parents.

        Raises:
            StalledError: see the class.
        """
        self._pipeline.release()
        self._drain()
        self._pipeline.close(0.0)

    def final_flush(self, timeout_seconds: float) -> None:
        """Deliver what was read until the time-out. The files still contain the rest."""
        self._pipeline.release()
        if self._pipeline.flush(timeout_seconds):
            self._report_delivered(math.inf)

    def _accept(self, account: FileAccount, body: FileBody) -> bool:
        """Accept the records of a body; return false if it cannot be read."""
        account.bodies += 1
        try:
            decoded = body.decode()
        except OtlpError as error:
            account.unread += 1
            account.note(f"{body.name} is {error}")
            return False
        account.records += len(decoded.records)
        account.unread += decoded.unread
        for failure in decoded.failures:
            account.note(f"{body.name}: {failure}")
        self._accept_in_slices(decoded.spans, self._pipeline.accept_spans)
        self._accept_in_slices(decoded.log_records, self._pipeline.accept_log_records)
        return True

    def _accept_in_slices(self, records: Sequence[T], accept: Callable[[Sequence[T]], None]) -> None:
        for begin in range(0, len(records), SLICE_RECORDS):
            accept(records[begin : begin + SLICE_RECORDS])
            if self.ledger.stored > MAX_STORED_EVENTS:
                self._drain()

    def _drain(self) -> None:
        """Wait until every accepted event is delivered or dropped."""
        began = time.monotonic()
        last_progress, stored = began, self.ledger.stored
        while not self._pipeline.flush(POLL_SECONDS):
            now = time.monotonic()
            if self.ledger.stored < stored:
                last_progress, stored = now, self.ledger.stored
            elif now - last_progress > self._patience_seconds:
                raise StalledError(f"RUM accepted no events for {self._patience_seconds:.0f} s")
            time.sleep(POLL_SECONDS / 10)
        self._drained_at_seconds = time.monotonic()
        self._report_delivered(math.inf if not self.ledger.pending else began - WAIT_SECONDS)

    def _report_delivered(self, read_before_seconds: float) -> None:
        """Report the bodies that were read before a time: their records no longer wait for parents."""
        moved: dict[str, FileAccount] = {}
        while self._positions and self._positions[0].read_at_seconds < read_before_seconds:
            position = self._positions.popleft()
            position.account.delivered_up_to = position.offset
            moved[position.account.name] = position.account
        for account in moved.values():
            self._on_delivered(account)
