"""A shipment to RUM and back: its events are fetched, sent once, and forgotten when RUM has taken them.

Everything here waits for disk and network, and holds no lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..ledger import Ledger
from ..rum.batch import Batch
from ..rum.errors import Disposition, Outcome
from ..rum.event import RumEvent
from .queue import Shipment
from .storage import Parcel, Store


class Courier:
    """Carry shipments. Thread-safe.

    `latency_seconds` is what a request seems to take, 0 before the first. `give_up` is told of parcels whose events
    are lost.
    """

    def __init__(
        self,
        *,
        send: Callable[[Batch], Outcome],
        store: Store,
        ledger: Ledger,
        give_up: Callable[[Sequence[Parcel]], None],
    ) -> None:
        self._send = send
        self._store = store
        self._ledger = ledger
        self._give_up = give_up
        self.latency_seconds = 0.0

    def carry(self, shipment: Shipment) -> Outcome | None:
        """Send a shipment once, and say what came of it; it is forgotten when RUM has taken it, halved when refused.

        None where all of its events are lost, and nothing was asked of RUM.
        """
        events = self._events(shipment)
        if not events:
            return None
        begun = time.monotonic()
        outcome = self._send(Batch(shipment.key, events))
        taken_seconds = time.monotonic() - begun
        self._ledger.request(taken_seconds, outcome.reason)
        if outcome.disposition is Disposition.DELIVERED:
            self.latency_seconds = _latency(self.latency_seconds, taken_seconds)
            self._store.remove(shipment.parcels)
        elif outcome.disposition is Disposition.SPLIT and len(events) > 1:
            self._halve(shipment, events)
        elif outcome.disposition is Disposition.SPLIT:
            return replace(outcome, message=f"{outcome.message} (event {events[0].id} of type {events[0].type})")
        return outcome

    def _events(self, shipment: Shipment) -> tuple[RumEvent, ...]:
        """Return the events of a shipment; parcels whose events are lost leave it, and are counted."""
        found = [(parcel, self._store.events(parcel)) for parcel in shipment.parcels]
        lost = [parcel for parcel, events in found if events is None]
        if lost:
            shipment.parcels = [parcel for parcel, events in found if events is not None]
            shipment.count = sum(parcel.count for parcel in shipment.parcels)
            self._give_up(lost)
        return tuple(event for _, events in found for event in events or ())

    def _halve(self, shipment: Shipment, events: tuple[RumEvent, ...]) -> None:
        """Make two parcels of a shipment, to find the event for which it was refused."""
        accepted_ns, middle = int(shipment.oldest_ns), len(events) // 2
        halves = [Parcel.of(shipment.key, half, accepted_ns) for half in (events[:middle], events[middle:])]
        self._store.replace(shipment.parcels, halves)
        shipment.parcels = halves


def _latency(known_seconds: float, taken_seconds: float) -> float:
    """Return what a request seems to take; at once when less than was known, and slowly when more.

    In a busy process a request takes longer because it waits for the interpreter, which more senders only make worse.
    """
    if not 0 < known_seconds < taken_seconds:
        return taken_seconds
    return known_seconds + (taken_seconds - known_seconds) / 20
