"""Batches not yet delivered, in memory: one open batch for each session, closed ones in order.

Events of one session coalesce while they wait, since requests are what RUM's quota counts.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable

from .batch import Batch, BatchKey
from .events.rum_event import RumEvent


class MemoryOutbox:
    """Hold batches within a bound of bytes. Not thread-safe: its owner calls it under a lock."""

    def __init__(self, *, max_events_per_request: int, max_bytes: int) -> None:
        self._max_events = max_events_per_request
        self._max_bytes = max_bytes
        self._closed: deque[Batch] = deque()
        self._open: OrderedDict[BatchKey, list[RumEvent]] = OrderedDict()
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._closed or self._open)

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

    def take(self) -> Batch:
        """Remove and return the next batch: closed ones first, then the one that has been open longest.

        Raises:
            LookupError: when nothing waits.
        """
        if self._closed:
            batch = self._closed.popleft()
        else:
            key, events = self._open.popitem(last=False)
            batch = Batch(key, tuple(events))
        self._bytes -= _bytes(batch)
        return batch

    def put_back(self, *batches: Batch) -> None:
        """Return batches to the front, unchanged, so that they go out again as they were."""
        self._closed.extendleft(reversed(batches))
        self._bytes += sum(map(_bytes, batches))

    def overflow(self) -> list[Batch]:
        """Remove and return the oldest batches until the rest is within the bound."""
        removed = []
        while self._bytes > self._max_bytes:
            removed.append(self.take())
        return removed


def _bytes(batch: Batch) -> int:
    return sum(event.size_bytes for event in batch.events)
