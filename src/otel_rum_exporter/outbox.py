"""Batches not yet delivered, in memory: one open batch for each session, closed ones in order.

Events of one session coalesce while they wait, since requests are what RUM's quota counts.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import OrderedDict, deque
from collections.abc import Iterable

from .batch import Batch, BatchKey
from .events.rum_event import RumEvent

FULL_SHARE = 0.75


class OutboxFullError(Exception):
    """There is no room for more; what was to be accepted was not."""


class MemoryOutbox:
    """Hold batches within a bound of bytes. Not thread-safe: its owner calls it under a lock."""

    def __init__(self, *, max_events_per_request: int, max_bytes: int) -> None:
        self._max_events = max_events_per_request
        self._max_bytes = max_bytes
        self._closed: deque[Batch] = deque()
        self._open: OrderedDict[BatchKey, list[RumEvent]] = OrderedDict()
        self._failed: list[tuple[float, int, Batch]] = []
        self._failures = itertools.count()
        self._is_turn_of_failed = False
        self._bytes = 0

    def __len__(self) -> int:
        """Count the batches."""
        return len(self._closed) + len(self._open) + len(self._failed)

    def add(self, key: BatchKey, events: Iterable[RumEvent]) -> None:
        """Put events into the open batch of their session; full batches close."""
        waiting = self._open.setdefault(key, [])
        for event in events:
            waiting.append(event)
            self._bytes += event.size_bytes
        while len(waiting) >= self._max_events:
            self._closed.append(Batch(key, tuple(waiting[: self._max_events])))
            del waiting[: self._max_events]
        if not waiting:
            del self._open[key]

    @property
    def is_full(self) -> bool:
        """Whether it is time to refuse telemetry of which another keeper has a copy, before the oldest must leave."""
        return self._bytes >= self._max_bytes * FULL_SHARE

    def ready_at(self) -> float:
        """Return when the next batch may be taken, on the clock of `put_back`; infinity when none waits."""
        if self._closed or self._open:
            return -math.inf
        return self._failed[0][0] if self._failed else math.inf

    def take(self, now_seconds: float) -> Batch:
        """Remove and return the next batch: a full one, else the one that has been open longest.

        Every other time it is one that failed before, if there is any whose pause is over.

        Raises:
            LookupError: when nothing may be taken.
        """
        is_due = bool(self._failed) and self._failed[0][0] <= now_seconds
        self._is_turn_of_failed = is_due and not self._is_turn_of_failed
        if is_due and (self._is_turn_of_failed or not (self._closed or self._open)):
            _, _, batch = heapq.heappop(self._failed)
        elif self._closed:
            batch = self._closed.popleft()
        else:
            key, events = self._open.popitem(last=False)
            batch = Batch(key, tuple(events))
        self._bytes -= _bytes(batch)
        return batch

    def put_first(self, *batches: Batch) -> None:
        """Return the parts of a batch to the front."""
        self._closed.extendleft(reversed(batches))
        self._bytes += sum(map(_bytes, batches))

    def put_back(self, batch: Batch, ready_at_seconds: float) -> None:
        """Return a batch that failed: it goes out again as it was, not before its time, and holds up no other."""
        heapq.heappush(self._failed, (ready_at_seconds, next(self._failures), batch))
        self._bytes += _bytes(batch)

    def hurry(self) -> None:
        """End the pauses of all batches that failed."""
        self._failed = [(-math.inf, number, batch) for _, number, batch in self._failed]

    def clear(self) -> None:
        """Forget everything."""
        self._closed.clear()
        self._open.clear()
        self._failed.clear()
        self._bytes = 0

    def overflow(self) -> list[Batch]:
        """Remove and return batches until the rest is within the bound: those that failed, else the oldest."""
        removed: list[Batch] = []
        while self._bytes > self._max_bytes:
            if self._failed:
                removed.append(self._failed.pop()[2])
                self._bytes -= _bytes(removed[-1])
            else:
                removed.append(self.take(-math.inf))
        return removed


def _bytes(batch: Batch) -> int:
    return sum(event.size_bytes for event in batch.events)
