"""The backlog: events that wait for delivery, as a measure of the load that RUM takes."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from ..rum.errors import Disposition, Outcome
from .queue import EventQueue


class Backlog(NamedTuple):
    """The number of events that wait, and whether RUM throttled the last request. An outage is no throttling."""

    events: int
    is_throttled: bool

    @classmethod
    def of(cls, queue: EventQueue, refused: Collection[str], last_failure: Outcome | None) -> Backlog:
        """Return what waits, without events of app monitors that RUM refuses: they wait at any load."""
        waiting = queue.queued() if refused else ()
        events = sum(queued.count for queued in waiting if queued.key.app_monitor.id not in refused)
        is_throttled = last_failure is not None and last_failure.disposition is Disposition.THROTTLED
        return cls(events if refused else queue.events, is_throttled)
