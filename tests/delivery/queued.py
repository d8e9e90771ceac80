"""Events and parcels to store and to send."""

from __future__ import annotations

from collections.abc import Iterable

from otel_rum_exporter.delivery.storage import Parcel
from otel_rum_exporter.rum.batch import AppMonitor, BatchKey
from otel_rum_exporter.rum.event import RumEvent
from otel_rum_exporter.rum.ids import event_id


def batch_key(session: str = "s", monitor: str = "m") -> BatchKey:
    """Name a session of an app monitor."""
    return BatchKey(AppMonitor(monitor, None, None, None), session, "u")


def event(name: object, size: int = 2) -> RumEvent:
    """Make the event of a span; its id follows from its name."""
    return RumEvent(event_id(str(name)), 1, "work", "x" * size, "{}", "{}", "span")


def parcel(session: str, *names: object, accepted_ns: int = 0) -> Parcel:
    """Make a parcel of events."""
    return Parcel.of(batch_key(session), [event(name) for name in names], accepted_ns)


def ids(parcels: Iterable[Parcel]) -> list[str]:
    """Return the ids of the events that parcels carry."""
    return [one.id for parcel in parcels for one in parcel.events or ()]
