"""A bounded, thread-safe store of received records, in memory and optionally in an archive file."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from .archive import Archive
from .json_text import dump
from .record import RUM_PREFIX, Batch, Decision, Dropped, Event, Events, Exchange, RefusedRequest, Removed

DEFAULT_MAX_EVENTS = 200_000

_MAX_LOSSES = 10_000

# Refused requests are kept with their bodies, of up to ten megabytes each.
_MAX_REFUSED_BYTES = 64 * 1024 * 1024

# A count takes about a hundred bytes, an event kilobytes. Enough counts for an hour of a load test.
_MAX_COUNTED_EVENTS = 1_000_000


class Observer(Protocol):
    """Follows the accepted events of a store. The store calls it under its lock."""

    def add(self, events: Iterable[Event]) -> None:
        """Follow the arrival of events."""

    def forget(self, count: int) -> None:
        """Follow the removal of the oldest events."""

    def clear(self) -> None:
        """Follow the removal of all events."""


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a store, oldest first. Valid while the store is locked."""

    batches: Collection[Batch]
    refused: Collection[RefusedRequest]
    dropped: Collection[Dropped]
    removed: Collection[Removed]
    requests: Collection[Exchange]


class Store:
    """A store of the latest `max_events` events, and of the latest losses."""

    def __init__(self, *, max_events: int = DEFAULT_MAX_EVENTS, archive: Archive | None = None) -> None:
        self._max_events = max_events
        self._archive = archive
        self._changed = threading.Condition()
        self._batches: deque[Batch] = deque()
        self._kept = 0
        self._revision = 0
        losses = min(max_events, _MAX_LOSSES)
        self._max_refused = losses
        self._refused: deque[RefusedRequest] = deque()
        self._body_bytes: deque[int] = deque()
        self._refused_bytes = 0
        self._dropped: deque[Dropped] = deque(maxlen=losses)
        self._removed: deque[Removed] = deque(maxlen=losses)
        self._requests: deque[Exchange] = deque(maxlen=losses)
        self._observers: list[Observer] = []
        self._received: Counter[str] = Counter()
        self._types: Counter[str] = Counter()
        # A dict would search for its first key among the deleted ones, for 0.1 ms each time.
        self._counts: OrderedDict[str, int] = OrderedDict()

    def open(self) -> None:
        """Open the archive, if there is one, and load its records; raise ArchiveError on failure."""
        if self._archive is None:
            return
        self._archive.open()
        with self._changed:
            self._forget()
            for received in self._archive.read():
                if isinstance(received, RefusedRequest):
                    self._add_refused(received, len(dump(received.raw)))
                else:
                    self._add(*received)

    def close(self) -> None:
        """Close the archive. Records stay in memory."""
        with self._changed:
            if self._archive:
                self._archive.close()

    @property
    def max_events(self) -> int:
        """The number of events that are kept."""
        return self._max_events

    def observe(self, observer: Observer) -> None:
        """Report each change of the events to an observer, beginning with those that are stored."""
        with self._changed:
            self._observers.append(observer)
            observer.add(chain.from_iterable(batch.events for batch in self._batches))

    @contextmanager
    def locked(self) -> Iterator[Records]:
        """Lock the store and yield its records, which are not copied. Requests wait until the end of the block."""
        with self._changed:
            yield Records(self._batches, self._refused, self._dropped, self._removed, self._requests)

    @property
    def received(self) -> Mapping[str, int]:
        """How many refused requests, dropped events and removed attributes were received, forgotten ones included."""
        return self._received

    @property
    def revision(self) -> int:
        """A number that increases with each change."""
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
    def refused(self) -> tuple[RefusedRequest, ...]:
        """The refused requests."""
        with self._changed:
            return tuple(self._refused)

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """The events that RUM would drop without an error."""
        with self._changed:
            return tuple(self._dropped)

    @property
    def removed(self) -> tuple[Removed, ...]:
        """The custom attributes that RUM would remove without an error."""
        with self._changed:
            return tuple(self._removed)

    @property
    def requests(self) -> tuple[Exchange, ...]:
        """All data plane requests, with any answer."""
        with self._changed:
            return tuple(self._requests)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The decision on each event of accepted and refused requests, in order of arrival."""
        with self._changed:
            requests: list[Batch | RefusedRequest] = sorted(
                (*self._batches, *self._refused), key=lambda request: request.received_at
            )
            return tuple(decision for request in requests for decision in request.decisions)

    @property
    def event_counts(self) -> dict[str, int]:
        """How often each event id was received in accepted requests."""
        with self._changed:
            return dict(self._counts)

    @property
    def summary(self) -> str:
        """Text with the number of accepted events by type, and the reasons of refused requests and dropped events."""
        with self._changed:
            types = Counter(event.type for event in self._events())
            accepted = ", ".join(f"{number} x {name}" for name, number in types.items())
            refused = "; ".join(f"{one.status} {one.message}" for one in self._refused)
            dropped = "; ".join(f"{dropped.event.type}: {dropped.reason}" for dropped in self._dropped)
            return f"accepted: {accepted or 'none'}; refused: {refused or 'none'}; dropped: {dropped or 'none'}"

    def accept(self, batch: Batch, dropped: Iterable[Dropped] = (), removed: Iterable[Removed] = ()) -> None:
        """Keep an accepted request, its dropped events and its removed attributes."""
        received = (batch, tuple(dropped), tuple(removed))
        with self._changed:
            self._add(*received)
            if self._archive:
                self._archive.add(received)
            self._changed.notify_all()

    def refuse(self, refused_request: RefusedRequest) -> None:
        """Keep a refused request."""
        body_bytes = len(dump(refused_request.raw))
        with self._changed:
            self._add_refused(refused_request, body_bytes)
            if self._archive:
                self._archive.add(refused_request)

    def answered(self, exchange: Exchange) -> None:
        """Keep a request and the status of its answer."""
        with self._changed:
            self._requests.append(exchange)
            self._revision += 1

    def clear(self) -> None:
        """Delete all records."""
        with self._changed:
            self._forget()
            if self._archive:
                self._archive.clear()

    def wait_for(self, event_type: str | None, count: int, timeout_seconds: float) -> Events:
        """Block until `count` events of this type (None: of any type) are accepted; return all of that type.

        Raises TimeoutError with the `summary` of what was received.
        """
        if count > self._max_events:
            raise ValueError(f"cannot wait for {count} events: only the latest {self._max_events} are kept")

        def matching() -> Events:
            events = self._events()
            return events if event_type is None else events(event_type)

        def is_reached() -> bool:
            # Counts first: collecting the events takes long when there are many.
            types = self._types
            stored = types.total() if event_type is None else types[event_type] + types[RUM_PREFIX + event_type]
            return stored >= count and len(matching()) >= count

        with self._changed:
            if not self._changed.wait_for(is_reached, timeout_seconds):
                wanted = f"{count} x {event_type or 'any event'}"
                raise TimeoutError(f"waited {timeout_seconds:g} s for {wanted}; {self.summary}")
            return matching()

    def _events(self) -> Events:
        events = Events(chain.from_iterable(batch.events for batch in self._batches))
        return Events(events[-self._max_events :])

    def _add(self, batch: Batch, dropped: tuple[Dropped, ...], removed: tuple[Removed, ...]) -> None:
        self._batches.append(batch)
        self._kept += _weight(batch)
        self._types.update(event.type for event in batch.events)
        for observer in self._observers:
            observer.add(batch.events)
        self._received["dropped"] += len(dropped)
        self._received["removed"] += len(removed)
        self._dropped.extend(dropped)
        self._removed.extend(removed)
        self._count(chain((event.id for event in batch.events), (one.event.id for one in dropped)))
        self._forget_oldest()
        self._revision += 1

    def _add_refused(self, refused_request: RefusedRequest, body_bytes: int) -> None:
        self._refused.append(refused_request)
        self._body_bytes.append(body_bytes)
        self._refused_bytes += body_bytes
        while len(self._refused) > self._max_refused or self._refused_bytes > _MAX_REFUSED_BYTES:
            self._refused.popleft()
            self._refused_bytes -= self._body_bytes.popleft()
        self._received["refused"] += 1
        self._revision += 1

    def _forget(self) -> None:
        for records in (self._batches, self._refused, self._dropped, self._removed, self._requests):
            records.clear()
        self._body_bytes.clear()
        self._refused_bytes = 0
        self._counts.clear()
        self._received.clear()
        self._types.clear()
        for observer in self._observers:
            observer.clear()
        self._kept = 0
        self._revision += 1

    def _count(self, ids: Iterable[str]) -> None:
        for event_id in ids:
            self._counts[event_id] = self._counts.get(event_id, 0) + 1
        while len(self._counts) > _MAX_COUNTED_EVENTS:
            self._counts.popitem(last=False)

    def _forget_oldest(self) -> None:
        while self._kept - _weight(self._batches[0]) >= self._max_events:
            batch = self._batches.popleft()
            self._kept -= _weight(batch)
            for event in batch.events:
                self._types[event.type] -= 1
                if not self._types[event.type]:
                    del self._types[event.type]
            for observer in self._observers:
                observer.forget(len(batch.events))


def _weight(batch: Batch) -> int:
    """Return the number of received events, at least 1: dropped ones are kept in the body of the request."""
    return max(len(batch.events), len(batch.decisions), 1)
