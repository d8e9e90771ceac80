"""Queued events, and where they are stored: in memory here, on disk in `spool`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from .._receipt import Receipt
from ..ledger import DropReason, Tally
from ..rum.batch import BatchKey, Events
from ..rum.encoded_events import EncodedEvents
from ..rum.event import EventMembers

Receipts = Mapping[BatchKey, Sequence[Receipt]]
"""The receipts of events by the key of their batch."""

OVERHEAD_BYTES = 300
"""Estimated size in memory of a `QueuedEvents` object without its events."""


@dataclass(slots=True, eq=False, kw_only=True)
class QueuedEvents:
    """Events of one session that were accepted together. They are stored, removed and counted as one unit.

    `events` is None while they are on disk; `location` is set by the store that wrote them. `accepted_ns` is since the
    epoch.
    """

    key: BatchKey
    tally: Tally
    size_bytes: int
    accepted_ns: int
    events: EncodedEvents | None = None
    location: Any = None
    receipts: Sequence[Receipt] = ()

    @classmethod
    def of(cls, key: BatchKey, events: Sequence[EventMembers], accepted_ns: int) -> QueuedEvents:
        """Return queued events in memory. They have the same session metadata."""
        encoded = EncodedEvents.of(events)
        return cls(key=key, tally=encoded.tally, size_bytes=len(encoded.json), accepted_ns=accepted_ns, events=encoded)

    def hold(self, receipts: Sequence[Receipt]) -> None:
        """Hold receipts until `settle`."""
        self.receipts = receipts
        for receipt in receipts:
            receipt.hold()

    @property
    def count(self) -> int:
        """The number of events."""
        return self.tally.events

    @property
    def is_on_disk(self) -> bool:
        """Whether the events survive the process."""
        return self.location is not None

    @property
    def memory_bytes(self) -> int:
        """Estimated size in memory."""
        return OVERHEAD_BYTES + (self.size_bytes if self.events is not None else 0)

    @property
    def disk_bytes(self) -> int:
        """Estimated size on disk."""
        return self.size_bytes if self.is_on_disk else 0


def settle(queued: Iterable[QueuedEvents], dropped: DropReason | None = None) -> None:
    """Release the receipts of events that are delivered, dropped or on disk."""
    for one in queued:
        receipts, one.receipts = one.receipts, ()
        for receipt in receipts:
            receipt.release(dropped)


class Recovered(NamedTuple):
    """Queued events that dead processes left on disk, and the number of events that cannot be read."""

    queued: Sequence[QueuedEvents]
    lost_events: int


class Store(Protocol):
    """Stores queued events. Thread-safe; no method raises.

    `is_failing` is true while events stay in memory because the disk fails.
    """

    is_failing: bool

    def events(self, queued: QueuedEvents) -> EncodedEvents | None:
        """Return the events; None if they are lost."""

    def remove(self, queued: Sequence[QueuedEvents]) -> None:
        """Remove events that were delivered or dropped."""

    def replace(self, replaced: Sequence[QueuedEvents], by: Sequence[QueuedEvents]) -> None:
        """Remove events and store others, in one step. These are durable on return, unless the disk fails."""

    def persist(self) -> bool:
        """Write events that stayed in memory, if the disk works again. Return whether any were written."""

    def recover(self) -> Recovered:
        """Return events that dead processes left, and update the disk limit. Called every few seconds."""

    def disk_limit_bytes(self) -> float:
        """Return how many bytes on disk this process may use."""

    def close(self) -> None:
        """Leave stored events to the next process."""


class MemoryStore:
    """Keeps events in memory. They do not survive the process."""

    is_failing = False

    def events(self, queued: QueuedEvents) -> EncodedEvents | None:
        """Return the events."""
        return queued.events

    def remove(self, queued: Sequence[QueuedEvents]) -> None:
        """Do nothing."""

    def replace(self, replaced: Sequence[QueuedEvents], by: Sequence[QueuedEvents]) -> None:
        """Do nothing."""

    def persist(self) -> bool:
        """Return false: nothing is on disk."""
        return False

    def recover(self) -> Recovered:
        """Return nothing."""
        return Recovered((), 0)

    def disk_limit_bytes(self) -> float:
        """Return infinity: nothing is on disk."""
        return math.inf

    def close(self) -> None:
        """Do nothing."""


class ProvisionalEvents:
    """Provisional events by handle: stored for the next process, but not queued. Not thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_handle: dict[int, list[QueuedEvents]] = {}

    def store(
        self,
        queued: Sequence[QueuedEvents],
        provisional: Mapping[int, Events],
        resolved: Sequence[int],
        accepted_ns: int,
    ) -> None:
        """Store queued and provisional events in place of the resolved ones, in one step."""
        replaced = [one for handle in resolved for one in self._by_handle.pop(handle, ())]
        added = {
            handle: [QueuedEvents.of(key, events, accepted_ns) for key, events in by_key.items() if events]
            for handle, by_key in provisional.items()
        }
        self._store.replace(replaced, [*queued, *itertools.chain.from_iterable(added.values())])
        self._by_handle.update(added)
