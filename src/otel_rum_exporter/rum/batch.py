"""A `Batch` holds the events of one PutRumEvents request, which takes one session and user.

The batch id is derived from ids of the events, so a retry is the same request. Attributes that all events of a
batch share are sent once, as SessionMetadata.
https://docs.aws.amazon.com/cloudwatchrum/latest/APIReference/API_PutRumEvents.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from .encoded_events import EncodedEvents
from .event import EventMembers, RumEvent
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


Events = Mapping[BatchKey, Sequence[EventMembers]]
"""Events by app monitor, session and user."""


class Batch(NamedTuple):
    """One PutRumEvents request."""

    key: BatchKey
    parts: tuple[EncodedEvents, ...]

    @property
    def id(self) -> str:
        """BatchId, the same for the same events in the same parts."""
        return event_id("batch", *(part.id for part in self.parts))

    @property
    def events(self) -> tuple[RumEvent, ...]:
        """The single events."""
        return tuple(event for part in self.parts for event in part.events())

    def rum_events(self) -> tuple[bytes, str]:
        """Return the events as they are sent, separated by commas, and SessionMetadata, which is JSON as text.

        RUM merges SessionMetadata with each event's metadata, which takes precedence. SessionMetadata holds what the
        session metadata of all events share.
        """
        only = self.parts[0].session_metadata
        if all(part.session_metadata == only for part in self.parts):
            return b",".join([part.json for part in self.parts]), only
        sessions: dict[str, dict[str, Any]] = {
            part.session_metadata: orjson.loads(part.session_metadata) for part in self.parts
        }
        first, *others = sessions.values()
        shared = {key: value for key, value in first.items() if all(_contains(other, key, value) for other in others)}
        rest = {text: _without(session, shared) for text, session in sessions.items()}
        texts = [part.merged(rest[part.session_metadata]) for part in self.parts]
        return b",".join(texts), orjson.dumps(shared).decode()

    def merged_events(self) -> bytes:
        """Return the events with their whole metadata, as JSON, for a botocore without SessionMetadata."""
        return b",".join([part.merged(orjson.loads(part.session_metadata)) for part in self.parts])


def _contains(session: dict[str, Any], key: str, value: object) -> bool:
    return key in session and session[key] == value and type(session[key]) is type(value)


def _without(session: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in session.items() if key not in shared}
