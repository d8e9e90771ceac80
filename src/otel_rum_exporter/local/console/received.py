"""Everything received at one moment, as every view gets it."""

from __future__ import annotations

from dataclasses import dataclass

from ..record import Batch, Dropped, Event, Exchange, RefusedRequest, Removed
from ..store import Store


@dataclass(frozen=True, slots=True)
class Received:
    """The records of a store, oldest first."""

    events: tuple[Event, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    removed: tuple[Removed, ...] = ()
    refused: tuple[RefusedRequest, ...] = ()
    requests: tuple[Exchange, ...] = ()
    batches: tuple[Batch, ...] = ()

    @classmethod
    def by(cls, store: Store) -> Received:
        """Take what a store has now."""
        return cls(store.events, store.dropped, store.removed, store.refused, store.requests, store.batches)
