"""Which events travel together: a `Batch` is one PutRumEvents request, which takes one session and user.

Ids are decided here, from the events' own, never when sending: a retry is the same request. Attributes that
all events of a batch share are said once, as SessionMetadata.
https://docs.aws.amazon.com/cloudwatchrum/latest/APIReference/API_PutRumEvents.html
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson

from .events.rum_event import RumEvent, event_id


class AppMonitor(NamedTuple):
    """The app monitor that events go to, with what the request says of the application."""

    id: str
    name: str | None
    version: str | None
    alias: str | None


class BatchKey(NamedTuple):
    """What the events of one request have in common."""

    app_monitor: AppMonitor
    session_id: str
    user_id: str


@dataclass(frozen=True)
class Batch:
    """One PutRumEvents request."""

    key: BatchKey
    events: tuple[RumEvent, ...]

    @functools.cached_property
    def id(self) -> str:
        """BatchId: the same for the same events."""
        return event_id("batch", *(event.id for event in self.events))

    @functools.cached_property
    def session_metadata(self) -> dict[str, Any]:
        """What the sessions' metadata of all events have in common."""
        first, *others = self._session_metadata_of_events.values()
        return {key: value for key, value in first.items() if all((key, value) in other.items() for other in others)}

    @functools.cached_property
    def session_metadata_json(self) -> str:
        """SessionMetadata as the request carries it."""
        return orjson.dumps(self.session_metadata).decode()

    def metadata(self, event: RumEvent, *, is_merged: bool = False) -> str:
        """Return the metadata that an event carries itself, as JSON text.

        `is_merged` puts the session's into it, for services that know no SessionMetadata.
        """
        session = self._session_metadata_of_events[event.session_metadata]
        said = {} if is_merged else self.session_metadata
        if len(said) == len(session):
            return event.metadata
        unsaid = {key: value for key, value in session.items() if key not in said}
        return orjson.dumps({**unsaid, **orjson.loads(event.metadata)}).decode()

    @functools.cached_property
    def _session_metadata_of_events(self) -> dict[str, dict[str, Any]]:
        """The sessions' metadata by its JSON text; mostly there is one."""
        return {text: orjson.loads(text) for text in {event.session_metadata: None for event in self.events}}

    def halves(self) -> tuple[Batch, Batch]:
        """Return two batches in place of one that was refused, to find the event it was refused for."""
        middle = len(self.events) // 2
        return replace(self, events=self.events[:middle]), replace(self, events=self.events[middle:])
