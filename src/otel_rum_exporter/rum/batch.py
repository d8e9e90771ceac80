"""Which events travel together: a `Batch` is one PutRumEvents request, which takes one session and user.

Ids are decided here, from the events' own, never when sending: a retry is the same request. Attributes that
all events of a batch share are said once, as SessionMetadata.
https://docs.aws.amazon.com/cloudwatchrum/latest/APIReference/API_PutRumEvents.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from .event import RumEvent
from .ids import event_id


class AppMonitor(NamedTuple):
    """The app monitor that events go to, with what the request says of the application.

    `region` is the telemetry's own word for it, None where the settings decide.
    """

    id: str
    name: str | None
    version: str | None
    alias: str | None
    region: str | None = None


class BatchKey(NamedTuple):
    """What the events of one request have in common."""

    app_monitor: AppMonitor
    session_id: str
    user_id: str


Events = Mapping[BatchKey, Sequence[RumEvent]]
"""Events by app monitor, session and user."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One PutRumEvents request."""

    key: BatchKey
    events: tuple[RumEvent, ...]

    @property
    def id(self) -> str:
        """BatchId: the same for the same events."""
        return event_id("batch", *(event.id for event in self.events))

    def metadata(self) -> tuple[str, list[str]]:
        """Return SessionMetadata and the metadata of each event, as JSON text.

        RUM merges SessionMetadata below an event's own; it holds what the sessions' metadata of all events share.
        """
        sessions = self._sessions()
        first, *others = sessions.values()
        shared = {key: value for key, value in first.items() if all(_holds(other, key, value) for other in others)}
        unsaid = {text: _without(session, shared) for text, session in sessions.items()}
        return orjson.dumps(shared).decode(), [_below(unsaid[one.session_metadata], one) for one in self.events]

    def merged_metadata(self) -> list[str]:
        """Return the whole metadata of each event, as JSON text, for services that know no SessionMetadata."""
        sessions = self._sessions()
        return [_below(sessions[event.session_metadata], event) for event in self.events]

    def _sessions(self) -> dict[str, dict[str, Any]]:
        """Return the sessions' metadata by its JSON text; mostly there is one."""
        return {text: orjson.loads(text) for text in {event.session_metadata: None for event in self.events}}


def _holds(session: dict[str, Any], key: str, value: object) -> bool:
    return key in session and session[key] == value and type(session[key]) is type(value)


def _without(session: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in session.items() if key not in shared}


def _below(session: dict[str, Any], event: RumEvent) -> str:
    """Return an event's metadata with a session's below it."""
    return orjson.dumps({**session, **orjson.loads(event.metadata)}).decode() if session else event.metadata
