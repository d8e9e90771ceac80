"""Records of requests, events and answers: frozen dataclasses and the `Events` tuple.

`validation` and `put_events` create them; `store` keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

RUM_PREFIX = "com.amazon.rum."


@dataclass(frozen=True, slots=True)
class Event:
    """One event, with its JSON strings decoded.

    `timestamp` is in epoch seconds. `metadata` is the batch's `SessionMetadata` updated with the event's metadata.
    `user_id` and `session_id` come from the request, None when it has none.
    """

    id: str
    timestamp: float
    type: str
    details: dict[str, Any]
    metadata: dict[str, Any]
    session_id: str | None
    user_id: str | None
    app_monitor_id: str
    batch_id: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The result of one received event: accepted, refused with its request, or dropped without an error.

    `reason` is None for an accepted event without removed attributes. Id and type are None when unreadable.
    """

    event_id: str | None
    event_type: str | None
    outcome: Literal["accepted", "refused", "dropped"]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """One accepted PutRumEvents request.

    `events` has the accepted events, `raw` the whole decoded body. `received_at` is in epoch seconds. `headers` has
    lower-case names and no credentials; `signed` is True for a request with a SigV4 signature. `body_bytes` is the
    size as sent, before decompression. `decisions` has one entry per received event, in order.
    """

    app_monitor_id: str
    app_monitor: dict[str, Any]
    batch_id: str
    user_id: str | None
    session_id: str | None
    alias: str | None
    session_metadata: dict[str, Any]
    events: tuple[Event, ...]
    received_at: float
    headers: Mapping[str, str]
    signed: bool
    body_bytes: int
    raw: dict[str, Any]
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """One request that RUM would refuse, and the answer; `received_at` is in epoch seconds.

    `raw` is the decoded body, None when it was not read. `decisions` has one entry per event, in order.
    """

    status: int
    error_type: str
    message: str
    path: str
    received_at: float
    raw: Any = None
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True)
class Dropped:
    """One event of an accepted request that RUM would drop without an error."""

    event: Event
    reason: str


@dataclass(frozen=True, slots=True)
class Removed:
    """One custom attribute that RUM would remove from an accepted event without an error."""

    event_id: str
    event_type: str
    key: str
    value: Any
    reason: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One data plane request and the status of its answer, including faults and refused requests.

    `headers` is as in `Batch`. `status` is None when the connection was cut before the answer. `batch_id` is None when
    the body has none or cannot be decoded.
    """

    path: str
    headers: Mapping[str, str]
    signed: bool
    status: int | None
    batch_id: str | None
    received_at: float


class Events(tuple[Event, ...]):
    """Events in order of arrival. Call it with an event type to filter."""

    __slots__ = ()

    def __call__(self, event_type: str) -> Events:
        """Return the events of this type; the prefix `com.amazon.rum.` is optional."""
        return Events(event for event in self if event.type in {event_type, RUM_PREFIX + event_type})
