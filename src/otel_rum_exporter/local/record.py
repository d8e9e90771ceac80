"""What the stand-in received and answered, as values.

Frozen dataclasses and the `Events` tuple live here; how they come about (`contract`, `dataplane`) and where they are
kept (`store`) does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

RUM_PREFIX = "com.amazon.rum."


@dataclass(frozen=True, slots=True)
class Event:
    """One event, with its JSON strings decoded.

    `timestamp` is in epoch seconds. `metadata` is the batch's `SessionMetadata` with the event's own metadata on top.
    `user_id` and `session_id` are those of the request, None when it gave none.
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
    """What became of one event that was sent: kept, refused, or what RUM would drop without telling.

    `reason` is None for an accepted event that lost nothing. Id and type are None where they could not be read.
    """

    event_id: str | None
    event_type: str | None
    outcome: Literal["accepted", "refused", "dropped"]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """One accepted PutRumEvents request.

    `events` holds what was kept, `raw` the whole decoded body. `received_at` is in epoch seconds. `headers` has
    lower-case names and no credentials: `signed` tells whether there was a SigV4 signature. `body_bytes` counts the
    body as it was sent, compressed when it was compressed. `verdicts` has one of each event that was sent, in order.
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
    """One request that broke the contract and what it was told; `received_at` is in epoch seconds.

    `raw` is the decoded body, None when it was not read. `verdicts` has one of each event in it, in order.
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
    """One event of an accepted request that RUM would drop without telling the sender."""

    event: Event
    reason: str


@dataclass(frozen=True, slots=True)
class Removed:
    """One custom attribute that RUM would remove from an event it keeps."""

    event_id: str
    event_type: str
    key: str
    value: Any
    reason: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One data plane request and the status it was answered with, faults and refusals included.

    `headers` is as in `Batch`. `status` is None when the connection was cut before the answer. `batch_id` is None when
    the body had none or could not be decoded.
    """

    path: str
    headers: Mapping[str, str]
    signed: bool
    status: int | None
    batch_id: str | None
    received_at: float


class Events(tuple[Event, ...]):
    """Events in order of arrival; call it with a type to narrow it."""

    __slots__ = ()

    def __call__(self, event_type: str) -> Events:
        """Return the events of this type; RUM's own types may be given without `com.amazon.rum.`."""
        return Events(event for event in self if event.type in {event_type, RUM_PREFIX + event_type})
