"""The queue of events that are not delivered yet, and the order of their batches.

Events of one session are combined into one batch while they wait, because RUM's quota counts requests. Each app monitor
has a queue of its own and a share of the room: one that rejects everything neither delays nor evicts the others. This
module decides only the order; a `Store` keeps the events.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from ..rum.batch import BatchKey
from ..rum.encoded_events import by_session_metadata
from ..rum.event import EventMembers
from .app_monitor_queue import AppMonitorQueue, QueuedBatch
from .storage import QueuedEvents, Receipts

EVICTION_SLACK = 0.02


def fair_share(sizes: Iterable[float], limit: float) -> float:
    """Return the size that each app monitor may keep, so that all fit into a limit; infinity if they do already.

    An app monitor that uses less leaves the rest to the others: https://en.wikipedia.org/wiki/Max-min_fairness
    """
    left = sorted(sizes)
    while left:
        share = limit / len(left)
        if left[0] > share:
            return share
        limit -= left.pop(0)
    return math.inf


class EventQueue:
    """A queue of events, grouped into batches. Not thread-safe."""

    def __init__(self, *, max_events_per_request: int) -> None:
        self._max_events = max_events_per_request
        self._queues: OrderedDict[str, AppMonitorQueue] = OrderedDict()
        self.events = 0
        self.memory_bytes = 0
        self.disk_bytes = 0
        self._memory_bytes: Counter[str] = Counter()
        self._disk_bytes: Counter[str] = Counter()

    def pack(
        self,
        events: Mapping[BatchKey, Sequence[EventMembers]],
        accepted_ns: int,
        receipts: Receipts = MappingProxyType({}),
    ) -> list[QueuedEvents]:
        """Return events divided so that they fill the open batches of their sessions exactly. Does not queue them.

        All queued events of a key hold all of its receipts.
        """
        packed = []
        for key, items in events.items():
            queue = self._queues.get(key.app_monitor.id)
            room = queue.room(key, self._max_events) if queue else self._max_events
            for group in by_session_metadata(items):
                start = 0
                while start < len(group):
                    part = group[start : start + room]
                    packed.append(QueuedEvents.of(key, part, accepted_ns))
                    if receipts:
                        packed[-1].hold(receipts.get(key, ()))
                    start, room = start + len(part), room - len(part) or self._max_events
        return packed

    def add(self, queued: Iterable[QueuedEvents], now_seconds: float) -> None:
        """Add events to the open batches of their sessions."""
        for app_monitor, parts in itertools.groupby(queued, lambda one: one.key.app_monitor):
            found, queue = [*parts], self._queue(app_monitor.id)
            for one in found:
                queue.add(one, self._max_events, now_seconds)
            self._count(found, 1)

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
                self._count(batch.parts, -1)
                return batch
        raise LookupError("no batch may be taken yet")

    def put_back(self, batch: QueuedBatch, ready_at_seconds: float) -> None:
        """Return a failed batch, for a retry at a later time. It stays as it is, and delays no other batch."""
        self._queue(batch.key.app_monitor.id).put_back(batch, ready_at_seconds)
        self._count(batch.parts, 1)

    def put_first(self, batches: Sequence[QueuedBatch]) -> None:
        """Add batches to the front of the full batches of their app monitor."""
        for batch in reversed(batches):
            self._queue(batch.key.app_monitor.id).full.appendleft(batch)
            self._count(batch.parts, 1)

    def pause(self, key: BatchKey, until_seconds: float) -> None:
        """Pause an app monitor."""
        self._queue(key.app_monitor.id).paused_until = until_seconds

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

    def is_above_share(self, name: str, max_memory_bytes: float, max_disk_bytes: float) -> bool:
        """Return whether an app monitor uses its share of two limits, which those with events divide equally."""
        active = len(self._queues.keys() | {name})
        return self._memory_bytes[name] * active > max_memory_bytes or self._disk_bytes[name] * active > max_disk_bytes

    def app_monitors(self) -> set[str]:
        """Return the ids of the app monitors that have events."""
        return set(self._queues)

    def expire(self, before_ns: int, app_monitors: Collection[str]) -> list[QueuedEvents]:
        """Remove and return the batches of app monitors whose events were all accepted before a time."""
        return self._remove(
            [
                batch
                for batch in self._batches()
                if batch.newest_ns < before_ns and batch.key.app_monitor.id in app_monitors
            ]
        )

    def recount(self) -> None:
        """Count the events again, after the store moved some from memory to disk."""
        self.events = self.memory_bytes = self.disk_bytes = 0
        self._memory_bytes.clear()
        self._disk_bytes.clear()
        for batch in self._batches():
            self._count(batch.parts, 1)

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
        sizes = {
            name: sum(size_of(queued) for batch in queue.batches() for queued in batch.parts)
            for name, queue in self._queues.items()
        }
        # Evict a little more than necessary, because finding the oldest batches means sorting all of them.
        share = fair_share(sizes.values(), limit * (1 - EVICTION_SLACK))
        evicted: list[QueuedBatch] = []
        for name, queue in self._queues.items():
            excess = sizes[name] - share
            for batch in sorted(queue.batches(), key=lambda batch: batch.oldest_ns) if excess > 0 else ():
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
            self._count(batch.parts, -1)
        return [queued for batch in batches for queued in batch.parts]

    def _queue(self, app_monitor_id: str) -> AppMonitorQueue:
        queue = self._queues.get(app_monitor_id)
        if queue is None:
            queue = self._queues[app_monitor_id] = AppMonitorQueue()
        return queue

    def _tidy(self, name: str, queue: AppMonitorQueue) -> None:
        """Delete an empty queue, since telemetry may name any number of app monitors; move others to the end."""
        if queue.is_empty:
            del self._queues[name]
        else:
            self._queues.move_to_end(name)

    def _count(self, parts: Sequence[QueuedEvents], sign: int) -> None:
        """Count events of one app monitor."""
        self.events += sign * sum([queued.count for queued in parts])
        memory_bytes = sign * sum([queued.memory_bytes for queued in parts])
        disk_bytes = sign * sum([queued.disk_bytes for queued in parts])
        self.memory_bytes += memory_bytes
        self.disk_bytes += disk_bytes
        name = parts[0].key.app_monitor.id
        for counter, size in ((self._memory_bytes, memory_bytes), (self._disk_bytes, disk_bytes)):
            if size:
                counter[name] += size
                if not counter[name]:
                    del counter[name]
