"""All received records: the input of each view."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from ..record import Batch, Dropped, Exchange, RefusedRequest, Removed
from .index import Index


@dataclass(frozen=True, slots=True)
class Received:
    """The records of a store, oldest first, and the index of its events. Valid while the store is locked."""

    index: Index = field(default_factory=Index)
    dropped: Collection[Dropped] = ()
    removed: Collection[Removed] = ()
    refused: Collection[RefusedRequest] = ()
    requests: Collection[Exchange] = ()
    batches: Collection[Batch] = ()
