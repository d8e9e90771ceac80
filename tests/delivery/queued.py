"""Events to store and to send."""

from __future__ import annotations

from collections.abc import Iterable

from otel_rum_exporter.delivery.storage import QueuedEvents
from otel_rum_exporter.rum.batch import AppMonitor, BatchKey
from otel_rum_exporter.rum.encoded_events import EncodedEvents
from otel_rum_exporter.rum.event import RumEvent
from otel_rum_exporter.rum.ids import event_id


def batch_key(session: str = "s", monitor: str = "m") -> BatchKey:
    """Return the key of a session of an app monitor."""
    return BatchKey(AppMonitor(monitor, None, None, None), session, "u")


def event(name: object, size: int = 2) -> RumEvent:
    """Return the event of a span, with an id derived from a name."""
    return RumEvent.of(event_id(str(name)), 1, "work", "x" * size, "{}", "{}", "span")


def queued(session: str, *names: object, accepted_ns: int = 0) -> QueuedEvents:
    """Return queued events in memory."""
    return QueuedEvents.of(batch_key(session), [event(name) for name in names], accepted_ns)


def encoded(*names: object) -> EncodedEvents:
    """Return events as they are queued, stored and sent."""
    return EncodedEvents.of([event(name) for name in names])


def ids(queued: Iterable[QueuedEvents]) -> list[str]:
    """Return the ids of queued events in memory."""
    return [event.id for one in queued for event in (one.events.events() if one.events else ())]
