"""What is stored, removed and counted as one, and where it is kept: in memory, or on disk (`spool.py`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ..ledger import Tally
from ..rum.batch import BatchKey
from ..rum.event import RumEvent

PARCEL_BYTES = 300
"""What a parcel weighs in memory beside its events."""


@dataclass(slots=True, eq=False, kw_only=True)
class Parcel:
    """Events of one session that were accepted together; stored, removed and tallied as one.

    `events` is None where they are on disk; `place` is for the store that put them there. `accepted_ns` is since the
    epoch.
    """

    key: BatchKey
    tally: Tally
    size_bytes: int
    accepted_ns: int
    events: tuple[RumEvent, ...] | None = None
    place: object = None

    @classmethod
    def of(cls, key: BatchKey, events: Sequence[RumEvent], accepted_ns: int) -> Parcel:
        """Return the parcel of events in memory."""
        size_bytes = sum(event.size_bytes for event in events)
        tally = Tally.of(event.record for event in events)
        return cls(key=key, tally=tally, size_bytes=size_bytes, accepted_ns=accepted_ns, events=tuple(events))

    @property
    def count(self) -> int:
        """How many events it holds."""
        return self.tally.events

    @property
    def is_on_disk(self) -> bool:
        """Whether it survives the process."""
        return self.place is not None

    @property
    def memory_bytes(self) -> int:
        """About what the parcel weighs in memory."""
        return PARCEL_BYTES + (self.size_bytes if self.events is not None else 0)

    @property
    def disk_bytes(self) -> int:
        """About what the parcel weighs on disk."""
        return self.size_bytes if self.is_on_disk else 0


class Recovered(NamedTuple):
    """What other processes left: parcels, and the number of events that cannot be read any more."""

    parcels: Sequence[Parcel]
    lost_events: int


class Store(Protocol):
    """Where the events of parcels are kept. Thread-safe; nothing raises.

    `is_failing` says that what was last put survives less than it should.
    """

    is_failing: bool

    def events(self, parcel: Parcel) -> tuple[RumEvent, ...] | None:
        """Return the events of a parcel; None where they are lost."""

    def remove(self, parcels: Sequence[Parcel]) -> None:
        """Forget parcels that were delivered or given up."""

    def replace(self, parcels: Sequence[Parcel], by: Sequence[Parcel]) -> None:
        """Forget parcels and keep others, in one step; these have survived what the store survives on return."""

    def recover(self) -> Recovered:
        """Return what dead processes left behind, and see how much room there is; called every few seconds."""

    def disk_limit_bytes(self) -> float:
        """Return how many bytes on disk this process may use."""

    def close(self) -> None:
        """Leave what is stored to whoever comes next."""


class MemoryStore:
    """Parcels carry their events: nothing survives the process."""

    is_failing = False

    def events(self, parcel: Parcel) -> tuple[RumEvent, ...] | None:
        """Return the events that the parcel carries."""
        return parcel.events

    def remove(self, parcels: Sequence[Parcel]) -> None:
        """Do nothing."""

    def replace(self, parcels: Sequence[Parcel], by: Sequence[Parcel]) -> None:
        """Do nothing."""

    def recover(self) -> Recovered:
        """Return nothing."""
        return Recovered((), 0)

    def disk_limit_bytes(self) -> float:
        """Return no limit for what is not used."""
        return math.inf

    def close(self) -> None:
        """Do nothing."""
