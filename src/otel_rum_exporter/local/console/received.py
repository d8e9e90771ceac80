"""A snapshot of all received records: the input of each view."""

from __future__ import annotations

from dataclasses import dataclass

from ..record import Batch, Dropped, Event, Exchange, RefusedRequest, Removed
from ..store import Store


@dataclass(frozen=True, slots=True)
class Received:
    """A snapshot of the records of a store, oldest first."""

    events: tuple[Event, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    removed: tuple[Removed, ...] = ()
    refused: tuple[RefusedRequest, ...] = ()
    requests: tuple[Exchange, ...] = ()
    batches: tuple[Batch, ...] = ()

    @classmethod
    def by(cls, store: Store) -> Received:
        """Return a snapshot of a store."""
        return cls(store.events, store.dropped, store.removed, store.refused, store.requests, store.batches)
