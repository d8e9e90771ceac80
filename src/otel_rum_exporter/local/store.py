"""Everything received, kept in memory, bounded and thread-safe.

The values live in `record`; who may see them and how requests are judged does not belong here.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable
from itertools import chain

from .record import Batch, Dropped, Events, Exchange, Refusal, Removed

DEFAULT_MAX_EVENTS = 10_000


class Store:
    """Keep the last `max_events` of each kind of record, oldest out first."""

    def __init__(self, *, max_events: int = DEFAULT_MAX_EVENTS) -> None:
        self._max_events = max_events
        self._changed = threading.Condition()
        self._batches: deque[Batch] = deque()
        self._kept = 0
        self._revision = 0
        self._refused: deque[Refusal] = deque(maxlen=max_events)
        self._dropped: deque[Dropped] = deque(maxlen=max_events)
        self._removed: deque[Removed] = deque(maxlen=max_events)
        self._requests: deque[Exchange] = deque(maxlen=max_events)

    @property
    def revision(self) -> int:
        """A number that grows whenever something is kept or forgotten."""
        return self._revision

    @property
    def batches(self) -> tuple[Batch, ...]:
        """The accepted requests."""
        with self._changed:
            return tuple(self._batches)

    @property
    def events(self) -> Events:
        """The events of the accepted requests."""
        with self._changed:
            return self._events()

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """The requests that broke the contract."""
        with self._changed:
            return tuple(self._refused)

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """The events that RUM would drop silently."""
        with self._changed:
            return tuple(self._dropped)

    @property
    def removed(self) -> tuple[Removed, ...]:
        """The custom attributes that RUM would remove silently."""
        with self._changed:
            return tuple(self._removed)

    @property
    def requests(self) -> tuple[Exchange, ...]:
        """Every data plane request, however it was answered."""
        with self._changed:
            return tuple(self._requests)

    def accept(self, batch: Batch, dropped: Iterable[Dropped] = (), removed: Iterable[Removed] = ()) -> None:
        """Keep an accepted request and what RUM would lose of it."""
        with self._changed:
            self._batches.append(batch)
            self._kept += len(batch.events)
            self._dropped.extend(dropped)
            self._removed.extend(removed)
            self._forget_oldest()
            self._revision += 1
            self._changed.notify_all()

    def refuse(self, refusal: Refusal) -> None:
        """Keep a refused request."""
        with self._changed:
            self._refused.append(refusal)
            self._revision += 1

    def answered(self, exchange: Exchange) -> None:
        """Keep that a request was answered."""
        with self._changed:
            self._requests.append(exchange)
            self._revision += 1

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            for records in (self._batches, self._refused, self._dropped, self._removed, self._requests):
                records.clear()
            self._kept = 0
            self._revision += 1

    def wait_for(self, event_type: str | None, count: int, timeout_seconds: float) -> Events:
        """Block until `count` events of this type (None: of any) are here, and return all of them.

        Raises TimeoutError, whose message tells what did arrive, was dropped and was refused.
        """

        def matching() -> Events:
            events = self._events()
            return events if event_type is None else events(event_type)

        with self._changed:
            if not self._changed.wait_for(lambda: len(matching()) >= count, timeout_seconds):
                wanted = f"{count} x {event_type or 'any event'}"
                raise TimeoutError(f"waited {timeout_seconds:g} s for {wanted}; {self._summary()}")
            return matching()

    def _events(self) -> Events:
        events = Events(chain.from_iterable(batch.events for batch in self._batches))
        return Events(events[-self._max_events :])

    def _forget_oldest(self) -> None:
        while self._kept - len(self._batches[0].events) >= self._max_events or len(self._batches) > self._max_events:
            self._kept -= len(self._batches.popleft().events)

    def _summary(self) -> str:
        types = Counter(event.type for event in self._events())
        arrived = ", ".join(f"{number} x {name}" for name, number in types.items())
        refused = "; ".join(f"{refusal.status} {refusal.message}" for refusal in self._refused)
        dropped = "; ".join(f"{dropped.event.type}: {dropped.reason}" for dropped in self._dropped)
        return f"arrived: {arrived or 'nothing'}; refused: {refused or 'nothing'}; dropped: {dropped or 'nothing'}"
