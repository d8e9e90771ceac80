"""The queue of one app monitor: the order of its batches, and its pause."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ..rum.batch import BatchKey
from .storage import QueuedEvents

FULL_FIRST_SECONDS = 5.0
"""A full batch is sent before an open batch that is older by less than this, to save requests."""

ATTEMPTS_IN_A_ROW = 5
"""Not fewer: in an outage the others fail too, and no events are added to a batch that has failed."""


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
    def of(cls, parts: Sequence[QueuedEvents]) -> QueuedBatch:
        """Return a batch of its parts."""
        return cls(parts[0].key).with_parts(parts)

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


class AppMonitorQueue:
    """The batches of one app monitor: open, full and failed ones."""

    def __init__(self) -> None:
        self.full: deque[QueuedBatch] = deque()
        self.paused_until = -math.inf
        self._open: OrderedDict[BatchKey, QueuedBatch] = OrderedDict()
        self._failed: list[tuple[float, int, QueuedBatch]] = []
        self._failures = itertools.count()
        self._is_others_turn = False

    @property
    def is_empty(self) -> bool:
        return not (self.full or self._open or self._failed)

    def room(self, key: BatchKey, max_events: int) -> int:
        """Return how many more events the open batch of a session takes."""
        batch = self._open.get(key)
        return max_events - batch.count if batch else max_events

    def add(self, queued: QueuedEvents, max_events: int, now_seconds: float) -> None:
        key = queued.key
        batch = self._open.get(key)
        if batch is not None and batch.count + queued.count > max_events:
            self.full.append(self._open.pop(key))
            batch = None
        if batch is None:
            batch = self._open[key] = QueuedBatch(key, now_seconds)
        batch.add(queued)
        if batch.count >= max_events:
            self.full.append(self._open.pop(key))

    def ready_at(self) -> float:
        if self.full or self._open:
            return self.paused_until
        return max(self.paused_until, self._failed[0][0]) if self._failed else math.inf

    def take(self, now_seconds: float) -> QueuedBatch:
        """Remove and return a failed batch whose delay is over, else a full batch, else the oldest open batch.

        The others have a turn after some attempts, because a batch that always fails would hold them up.
        """
        is_due = bool(self._failed) and self._failed[0][0] <= now_seconds
        if is_due and not (self._is_others_turn and (self.full or self._open)):
            batch = heapq.heappop(self._failed)[2]
            self._is_others_turn = batch.attempts % ATTEMPTS_IN_A_ROW == 0
            return batch
        self._is_others_turn = False
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
