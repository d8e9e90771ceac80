"""The queue of events that are not delivered yet, and the order of their batches.

Events of one session are combined into one batch while they wait, because RUM's quota counts requests. Each app monitor
has a queue of its own, so an app monitor that rejects everything does not delay the others. This module decides only
the order; a `Store` keeps the events.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..rum.batch import BatchKey
from ..rum.event import RumEvent
from .storage import QueuedEvents

FULL_FIRST_SECONDS = 5.0
"""A full batch is sent before an open batch that is older by less than this, to save requests."""

EVICTION_SLACK = 0.02


@dataclass(slots=True, eq=False)
class QueuedBatch:
    """The queued events of one request. `attempts` is the number of failed requests.

    `since_seconds` is the monotonic time when the batch was opened. `oldest_ns` and `newest_ns` are the wall times when
    its events were accepted. Events recovered from disk may be older than those before them in the queue.
    """

    key: BatchKey
    since_seconds: float = -math.inf
    parts: list[QueuedEvents] = field(default_factory=list)
    count: int = 0
    attempts: int = 0
    oldest_ns: float = math.inf
    newest_ns: float = -math.inf

    @classmethod
    def of(cls, queued: QueuedEvents) -> QueuedBatch:
        """Return a batch of one part."""
        batch = cls(queued.key)
        batch.add(queued)
        return batch

    def add(self, queued: QueuedEvents) -> None:
        self.parts.append(queued)
        self.count += queued.count
        self.oldest_ns = min(self.oldest_ns, queued.accepted_ns)
        self.newest_ns = max(self.newest_ns, queued.accepted_ns)

    def with_parts(self, parts: Iterable[QueuedEvents]) -> QueuedBatch:
        """Return a copy with other parts."""
        batch = QueuedBatch(self.key, self.since_seconds, attempts=self.attempts)
        for queued in parts:
            batch.add(queued)
        return batch

    def after_failure(self) -> QueuedBatch:
        """Return a copy with one more failed attempt."""
        return replace(self, attempts=self.attempts + 1)


class EventQueue:
    """A queue of events, grouped into batches. Not thread-safe."""

    def __init__(self, *, max_events_per_request: int) -> None:
        self._max_events = max_events_per_request
        self._queues: OrderedDict[str, _AppMonitorQueue] = OrderedDict()
        self.events = 0
        self.memory_bytes = 0
        self.disk_bytes = 0

    def pack(self, events: Mapping[BatchKey, Sequence[RumEvent]], accepted_ns: int) -> list[QueuedEvents]:
        """Return events divided so that they fill the open batches of their sessions exactly. Does not queue them."""
        packed = []
        for key, items in events.items():
            queue = self._queues.get(key.app_monitor.id)
            start, end = 0, queue.room(key, self._max_events) if queue else self._max_events
            while start < len(items):
                packed.append(QueuedEvents.of(key, items[start:end], accepted_ns))
                start, end = end, end + self._max_events
        return packed

    def add(self, queued: Iterable[QueuedEvents], now_seconds: float) -> None:
        """Add events to the open batches of their sessions."""
        for one in queued:
            self._queue(one.key).add(one, self._max_events, now_seconds)
            self._count(one, 1)

    def ready_at(self) -> float:
        """Return the monotonic time when the next batch may be taken; infinity if the queue is empty."""
        return min((queue.ready_at() for queue in self._queues.values()), default=math.inf)

    def take(self, now_seconds: float) -> QueuedBatch:
        """Remove and return the next batch. App monitors take turns.

        Raises:
            LookupError: No batch may be taken yet.
        """
        for name, queue in self._queues.items():
            if queue.ready_at() <= now_seconds:
                queue.paused_until = -math.inf
                batch = queue.take(now_seconds)
                self._tidy(name, queue)
                self._count_batch(batch, -1)
                return batch
        raise LookupError("no batch may be taken yet")

    def put_back(self, batch: QueuedBatch, ready_at_seconds: float) -> None:
        """Return a failed batch, for a retry at a later time. It stays as it is, and delays no other batch."""
        self._queue(batch.key).put_back(batch, ready_at_seconds)
        self._count_batch(batch, 1)

    def put_first(self, batches: Sequence[QueuedBatch]) -> None:
        """Add batches to the front of the full batches of their app monitor."""
        for batch in reversed(batches):
            self._queue(batch.key).full.appendleft(batch)
            self._count_batch(batch, 1)

    def pause(self, key: BatchKey, until_seconds: float) -> None:
        """Pause an app monitor."""
        self._queue(key).paused_until = until_seconds

    def skip_backoff(self) -> None:
        """End all pauses and retry delays."""
        for queue in self._queues.values():
            queue.skip_backoff()

    def evict_from_memory(self, max_bytes: float) -> list[QueuedEvents]:
        """Remove and return the oldest events above a memory limit. Events on disk use some memory too."""
        return self._evict(self.memory_bytes, max_bytes, lambda queued: queued.memory_bytes)

    def evict_from_disk(self, max_bytes: float) -> list[QueuedEvents]:
        """Remove and return the oldest events above a disk limit."""
        return self._evict(self.disk_bytes, max_bytes, lambda queued: queued.disk_bytes)

    def expire(self, before_ns: int) -> list[QueuedEvents]:
        """Remove and return the batches whose events were all accepted before a time."""
        return self._remove([batch for batch in self._batches() if batch.newest_ns < before_ns])

    def recount(self) -> None:
        """Count the events again, after the store moved some from memory to disk."""
        self.events = self.memory_bytes = self.disk_bytes = 0
        for queued in self.queued():
            self._count(queued, 1)

    def queued(self) -> list[QueuedEvents]:
        """Return all queued events."""
        return [queued for batch in self._batches() for queued in batch.parts]

    def oldest_ns(self) -> int | None:
        """Return when the oldest queued event was accepted; None if the queue is empty."""
        oldest_ns = min((batch.oldest_ns for batch in self._batches()), default=math.inf)
        return None if oldest_ns == math.inf else int(oldest_ns)

    def _evict(self, size: float, limit: float, size_of: Callable[[QueuedEvents], int]) -> list[QueuedEvents]:
        if size <= limit:
            return []
        # Evict a little more than necessary, because finding the oldest batches means sorting all of them.
        excess = size - limit * (1 - EVICTION_SLACK)
        evicted: list[QueuedBatch] = []
        for batch in sorted(self._batches(), key=lambda batch: batch.oldest_ns):
            if excess <= 0:
                break
            freed = sum(map(size_of, batch.parts))
            if freed:
                evicted.append(batch)
                excess -= freed
        return self._remove(evicted)

    def _batches(self) -> Iterator[QueuedBatch]:
        return itertools.chain.from_iterable(queue.batches() for queue in self._queues.values())

    def _remove(self, batches: Sequence[QueuedBatch]) -> list[QueuedEvents]:
        removed = set(batches)
        for name, queue in list(self._queues.items()):
            queue.remove(removed)
            self._tidy(name, queue)
        for batch in batches:
            self._count_batch(batch, -1)
        return [queued for batch in batches for queued in batch.parts]

    def _queue(self, key: BatchKey) -> _AppMonitorQueue:
        queue = self._queues.get(key.app_monitor.id)
        if queue is None:
            queue = self._queues[key.app_monitor.id] = _AppMonitorQueue()
        return queue

    def _tidy(self, name: str, queue: _AppMonitorQueue) -> None:
        """Delete an empty queue, since telemetry may name any number of app monitors; move others to the end."""
        if queue.is_empty:
            del self._queues[name]
        else:
            self._queues.move_to_end(name)

    def _count_batch(self, batch: QueuedBatch, sign: int) -> None:
        for queued in batch.parts:
            self._count(queued, sign)

    def _count(self, queued: QueuedEvents, sign: int) -> None:
        self.events += sign * queued.count
        self.memory_bytes += sign * queued.memory_bytes
        self.disk_bytes += sign * queued.disk_bytes


class _AppMonitorQueue:
    """The batches of one app monitor: open, full and failed ones."""

    def __init__(self) -> None:
        self.full: deque[QueuedBatch] = deque()
        self.paused_until = -math.inf
        self._open: OrderedDict[BatchKey, QueuedBatch] = OrderedDict()
        self._failed: list[tuple[float, int, QueuedBatch]] = []
        self._failures = itertools.count()

    @property
    def is_empty(self) -> bool:
        return not (self.full or self._open or self._failed)

    def room(self, key: BatchKey, max_events: int) -> int:
        """Return how many more events the open batch of a session takes."""
        batch = self._open.get(key)
        return max_events - batch.count if batch else max_events

    def add(self, queued: QueuedEvents, max_events: int, now_seconds: float) -> None:
        batch = self._open.get(queued.key)
        if batch is not None and batch.count + queued.count > max_events:
            self.full.append(self._open.pop(queued.key))
            batch = None
        if batch is None:
            batch = self._open[queued.key] = QueuedBatch(queued.key, now_seconds)
        batch.add(queued)
        if batch.count >= max_events:
            self.full.append(self._open.pop(queued.key))

    def ready_at(self) -> float:
        if self.full or self._open:
            return self.paused_until
        return max(self.paused_until, self._failed[0][0]) if self._failed else math.inf

    def take(self, now_seconds: float) -> QueuedBatch:
        """Remove and return a failed batch whose delay is over, else a full batch, else the oldest open batch."""
        if self._failed and self._failed[0][0] <= now_seconds:
            return heapq.heappop(self._failed)[2]
        first_seconds = self._first_open().since_seconds + FULL_FIRST_SECONDS if self._open else math.inf
        if self.full and self.full[0].since_seconds <= first_seconds:
            return self.full.popleft()
        return self._open.popitem(last=False)[1]

    def put_back(self, batch: QueuedBatch, ready_at_seconds: float) -> None:
        heapq.heappush(self._failed, (ready_at_seconds, next(self._failures), batch))

    def skip_backoff(self) -> None:
        self.paused_until = -math.inf
        self._failed = [(-math.inf, number, batch) for _, number, batch in self._failed]

    def batches(self) -> Iterator[QueuedBatch]:
        yield from self.full
        yield from self._open.values()
        yield from (batch for _, _, batch in self._failed)

    def remove(self, batches: set[QueuedBatch]) -> None:
        self.full = deque(batch for batch in self.full if batch not in batches)
        self._open = OrderedDict((key, batch) for key, batch in self._open.items() if batch not in batches)
        self._failed = [entry for entry in self._failed if entry[2] not in batches]
        heapq.heapify(self._failed)

    def _first_open(self) -> QueuedBatch:
        return next(iter(self._open.values()))
