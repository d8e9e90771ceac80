"""What is not yet delivered, and in which order it goes: one open batch for each session, then the full and the failed.

Events of one session coalesce while they wait, since requests are what RUM's quota counts. Each app monitor has a lane
of its own, so that one which refuses everything holds up no other. Only the order is decided here; the events
themselves are kept by a `Store`: in memory, or on disk (`spool.py`).
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..rum.batch import BatchKey
from ..rum.event import RumEvent
from .storage import Parcel

FULL_FIRST_SECONDS = 5.0
"""A full batch goes before an open one that is older, up to this much: it saves requests and starves nobody."""

EVICTION_SLACK = 0.02


@dataclass(slots=True, eq=False)
class Shipment:
    """The parcels of one request. `attempts` counts those that failed.

    It has waited since `since_seconds`, on the clock of `Outbox.take`, which nobody sets as they may that of the wall.
    Its events were accepted from `oldest_ns` to `newest_ns`; what another process left may stand behind later ones.
    """

    key: BatchKey
    since_seconds: float = -math.inf
    parcels: list[Parcel] = field(default_factory=list)
    count: int = 0
    attempts: int = 0
    oldest_ns: float = math.inf
    newest_ns: float = -math.inf

    @classmethod
    def of(cls, parcel: Parcel) -> Shipment:
        """Return the shipment of one parcel."""
        made = cls(parcel.key)
        made.add(parcel)
        return made

    def add(self, parcel: Parcel) -> None:
        self.parcels.append(parcel)
        self.count += parcel.count
        self.oldest_ns = min(self.oldest_ns, parcel.accepted_ns)
        self.newest_ns = max(self.newest_ns, parcel.accepted_ns)


class Outbox:
    """Decide which shipment goes next. Not thread-safe: its owner calls it under a lock."""

    def __init__(self, *, max_events_per_request: int) -> None:
        self._max_events = max_events_per_request
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()
        self.events = 0
        self.memory_bytes = 0
        self.disk_bytes = 0

    def pack(self, events: Mapping[BatchKey, Sequence[RumEvent]], accepted_ns: int) -> list[Parcel]:
        """Return events as parcels, cut so that they fill the open batches of their sessions exactly."""
        parcels = []
        for key, items in events.items():
            lane = self._lanes.get(key.app_monitor.id)
            start, end = 0, lane.room(key, self._max_events) if lane else self._max_events
            while start < len(items):
                parcels.append(Parcel.of(key, items[start:end], accepted_ns))
                start, end = end, end + self._max_events
        return parcels

    def add(self, parcels: Iterable[Parcel], now_seconds: float) -> None:
        """Put parcels into the open batches of their sessions; full ones close."""
        for parcel in parcels:
            self._lane(parcel.key).add(parcel, self._max_events, now_seconds)
            self._count(parcel, 1)

    def ready_at(self) -> float:
        """Return when the next shipment may be taken, on the clock of `put_back`; infinity when none waits."""
        return min((lane.ready_at() for lane in self._lanes.values()), default=math.inf)

    def take(self, now_seconds: float) -> Shipment:
        """Remove and return the next shipment; lanes take turns.

        Raises:
            LookupError: when nothing may be taken.
        """
        for name, lane in self._lanes.items():
            if lane.ready_at() <= now_seconds:
                lane.paused_until = -math.inf
                shipment = lane.take(now_seconds)
                self._forget(name, lane)
                return self._taken(shipment)
        raise LookupError("no shipment may be taken yet")

    def put_back(self, shipment: Shipment, ready_at_seconds: float) -> None:
        """Return a shipment that failed: it goes out again as it was, not before its time, and holds up no other."""
        self._lane(shipment.key).put_back(shipment, ready_at_seconds)
        self._returned(shipment)

    def put_first(self, *shipments: Shipment) -> None:
        """Return the parts of a shipment to the front."""
        for shipment in reversed(shipments):
            self._lane(shipment.key).full.appendleft(shipment)
            self._returned(shipment)

    def pause(self, key: BatchKey, until_seconds: float) -> None:
        """Let nothing go to an app monitor before its time."""
        self._lane(key).paused_until = until_seconds

    def hurry(self) -> None:
        """End all pauses."""
        for lane in self._lanes.values():
            lane.hurry()

    def evict_from_memory(self, max_bytes: float) -> list[Parcel]:
        """Remove and return what exceeds a bound of memory, oldest first; what is on disk weighs there too."""
        return self._evict(self.memory_bytes, max_bytes, lambda parcel: parcel.memory_bytes)

    def evict_from_disk(self, max_bytes: float) -> list[Parcel]:
        """Remove and return what exceeds a bound of the disk, oldest first."""
        return self._evict(self.disk_bytes, max_bytes, lambda parcel: parcel.disk_bytes)

    def expire(self, before_ns: int) -> list[Parcel]:
        """Remove and return the shipments all of whose events were accepted before a time."""
        return self._discard([one for one in self._shipments() if one.newest_ns < before_ns])

    def parcels(self) -> list[Parcel]:
        """Return everything that waits."""
        return [parcel for shipment in self._shipments() for parcel in shipment.parcels]

    def oldest_ns(self) -> int | None:
        """Return when the oldest event that waits was accepted; None where none waits."""
        oldest_ns = min((shipment.oldest_ns for shipment in self._shipments()), default=math.inf)
        return None if oldest_ns == math.inf else int(oldest_ns)

    def _evict(self, weight: float, limit: float, weigh: Callable[[Parcel], int]) -> list[Parcel]:
        if weight <= limit:
            return []
        # A little more than must be, because finding the oldest means sorting all.
        excess = weight - limit * (1 - EVICTION_SLACK)
        chosen: list[Shipment] = []
        for shipment in sorted(self._shipments(), key=lambda one: one.oldest_ns):
            if excess <= 0:
                break
            freed = sum(map(weigh, shipment.parcels))
            if freed:
                chosen.append(shipment)
                excess -= freed
        return self._discard(chosen)

    def _shipments(self) -> Iterator[Shipment]:
        return itertools.chain.from_iterable(lane.shipments() for lane in self._lanes.values())

    def _discard(self, chosen: Sequence[Shipment]) -> list[Parcel]:
        leaving = set(chosen)
        for name, lane in list(self._lanes.items()):
            lane.discard(leaving)
            self._forget(name, lane)
        return [parcel for one in chosen for parcel in self._taken(one).parcels]

    def _lane(self, key: BatchKey) -> _Lane:
        lane = self._lanes.get(key.app_monitor.id)
        if lane is None:
            lane = self._lanes[key.app_monitor.id] = _Lane()
        return lane

    def _forget(self, name: str, lane: _Lane) -> None:
        if lane.is_empty:
            del self._lanes[name]
        else:
            self._lanes.move_to_end(name)

    def _taken(self, shipment: Shipment) -> Shipment:
        for parcel in shipment.parcels:
            self._count(parcel, -1)
        return shipment

    def _returned(self, shipment: Shipment) -> None:
        for parcel in shipment.parcels:
            self._count(parcel, 1)

    def _count(self, parcel: Parcel, sign: int) -> None:
        self.events += sign * parcel.count
        self.memory_bytes += sign * parcel.memory_bytes
        self.disk_bytes += sign * parcel.disk_bytes


class _Lane:
    """What waits for one app monitor."""

    def __init__(self) -> None:
        self.full: deque[Shipment] = deque()
        self.paused_until = -math.inf
        self._open: OrderedDict[BatchKey, Shipment] = OrderedDict()
        self._failed: list[tuple[float, int, Shipment]] = []
        self._failures = itertools.count()

    @property
    def is_empty(self) -> bool:
        return not (self.full or self._open or self._failed)

    def room(self, key: BatchKey, max_events: int) -> int:
        """Return how many events the open batch of a session still takes."""
        opened = self._open.get(key)
        return max_events - opened.count if opened else max_events

    def add(self, parcel: Parcel, max_events: int, now_seconds: float) -> None:
        opened = self._open.get(parcel.key)
        if opened is not None and opened.count + parcel.count > max_events:
            self.full.append(self._open.pop(parcel.key))
            opened = None
        if opened is None:
            opened = self._open[parcel.key] = Shipment(parcel.key, now_seconds)
        opened.add(parcel)
        if opened.count >= max_events:
            self.full.append(self._open.pop(parcel.key))

    def ready_at(self) -> float:
        if self.full or self._open:
            return self.paused_until
        return max(self.paused_until, self._failed[0][0]) if self._failed else math.inf

    def take(self, now_seconds: float) -> Shipment:
        """Remove the next: one that failed and whose pause is over, a full one, the one that has been open longest."""
        if self._failed and self._failed[0][0] <= now_seconds:
            return heapq.heappop(self._failed)[2]
        first_seconds = self._first_open().since_seconds + FULL_FIRST_SECONDS if self._open else math.inf
        if self.full and self.full[0].since_seconds <= first_seconds:
            return self.full.popleft()
        return self._open.popitem(last=False)[1]

    def put_back(self, shipment: Shipment, ready_at_seconds: float) -> None:
        heapq.heappush(self._failed, (ready_at_seconds, next(self._failures), shipment))

    def hurry(self) -> None:
        self.paused_until = -math.inf
        self._failed = [(-math.inf, number, shipment) for _, number, shipment in self._failed]

    def shipments(self) -> Iterator[Shipment]:
        yield from self.full
        yield from self._open.values()
        yield from (shipment for _, _, shipment in self._failed)

    def discard(self, chosen: set[Shipment]) -> None:
        self.full = deque(one for one in self.full if one not in chosen)
        self._open = OrderedDict((key, one) for key, one in self._open.items() if one not in chosen)
        self._failed = [entry for entry in self._failed if entry[2] not in chosen]
        heapq.heapify(self._failed)

    def _first_open(self) -> Shipment:
        return next(iter(self._open.values()))
