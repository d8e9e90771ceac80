"""A `Batch` holds the events of one PutRumEvents request, which takes one session and user.

The batch id is derived from the ids of the events, so a retry is the same request. Attributes that all events of a
batch share are sent once, as SessionMetadata.
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
    """The app monitor that receives events, and the application details of the request.

    `region` comes from the telemetry; None means the region of the settings.
    """

    id: str
    name: str | None
    version: str | None
    alias: str | None
    region: str | None = None


class BatchKey(NamedTuple):
    """The app monitor, session and user that all events of one request share."""

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
        """BatchId, the same for the same events."""
        return event_id("batch", *(event.id for event in self.events))

    def metadata(self) -> tuple[str, list[str]]:
        """Return SessionMetadata and the metadata of each event, as JSON text.

        RUM merges SessionMetadata with each event's metadata, which takes precedence. SessionMetadata holds what the
        session metadata of all events share.
        """
        sessions = self._sessions()
        first, *others = sessions.values()
        shared = {key: value for key, value in first.items() if all(_contains(other, key, value) for other in others)}
        rest = {text: _without(session, shared) for text, session in sessions.items()}
        return orjson.dumps(shared).decode(), [_merged(rest[event.session_metadata], event) for event in self.events]

    def merged_metadata(self) -> list[str]:
        """Return the whole metadata of each event, as JSON text, for a botocore without SessionMetadata."""
        sessions = self._sessions()
        return [_merged(sessions[event.session_metadata], event) for event in self.events]

    def _sessions(self) -> dict[str, dict[str, Any]]:
        """Return the session metadata by its JSON text. Most batches have one."""
        return {text: orjson.loads(text) for text in {event.session_metadata: None for event in self.events}}


def _contains(session: dict[str, Any], key: str, value: object) -> bool:
    return key in session and session[key] == value and type(session[key]) is type(value)


def _without(session: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in session.items() if key not in shared}


def _merged(session: dict[str, Any], event: RumEvent) -> str:
    """Return session metadata merged with an event's own, which takes precedence."""
    return orjson.dumps({**session, **orjson.loads(event.metadata)}).decode() if session else event.metadata
