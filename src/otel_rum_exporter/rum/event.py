"""A RUM event, as the JSON that is sent, within RUM's size limit.

RUM drops larger events silently, so events over the limit are trimmed and marked here.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-RUM-custom-events.html
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import orjson

from ..ledger import Record
from .truncation import trimmings

MAX_EVENT_BYTES = 6000
"""RUM's limit is documented as "6 KB"; this value fits with 1000 and with 1024 bytes in a KB."""

FIXED_BYTES = 140
"""The size of an event's id, timestamp and member names, without its type, details and metadata. Never too low."""

_LEAST_FIXED_BYTES = len('{"id":"","timestamp":0,"type":"","metadata":"","details":""}') + 36
"""The same size, never too high."""

TRUNCATED = "truncated"
"""Custom metadata attribute that marks a trimmed event. The closed schemas of details do not allow it there."""

MAX_SESSION_METADATA = 256
"""The resources whose metadata's size is remembered."""

MAX_STACKS = 128
"""The stacks whose JSON is remembered, each of at most `MAX_EVENT_BYTES` characters."""

ID = slice(len('{"id":"'), len('{"id":"') + 36)
"""The part of an event's JSON that is its id."""


EventDraft: TypeAlias = tuple[str, int, Mapping[str, Any]]
"""An event without identity and metadata: its type, its time in ns since the epoch, and its details.

A tuple without names: one with names takes 1,600 instructions more.
"""


class RumEvent(NamedTuple):
    """A complete member of RumEvents: `json` is what is sent.

    `session_metadata` is a JSON object as text, shared with other events of the session. RUM merges it with the event's
    own metadata, which takes precedence.
    """

    type: str
    json: bytes
    session_metadata: str
    record: Record = ""

    @classmethod
    def of(
        cls,
        event_id: str,
        timestamp_ns: int,
        kind: str,
        details: str | orjson.Fragment,
        metadata: str,
        session_metadata: str,
        record: Record = "",
    ) -> RumEvent:
        """Return an event. `details` and the metadata are JSON objects as text; a fragment is text in quotes."""
        members = {
            "id": event_id,
            # In seconds. A double holds microseconds, not nanoseconds.
            "timestamp": timestamp_ns // 1000 / 1_000_000,
            "type": kind,
            "metadata": metadata,
            "details": details,
        }
        return cls(kind, orjson.dumps(members), session_metadata, record)

    @property
    def id(self) -> str:
        """The id of the event."""
        return self.json[ID].decode()

    @property
    def members(self) -> dict[str, Any]:
        """The members of the event: id, timestamp in seconds, type; metadata and details as JSON text."""
        members: dict[str, Any] = orjson.loads(self.json)
        return members


EventMembers: TypeAlias = tuple[str, bytes, str, Record]
"""The members of a `RumEvent` without their names: an object with names takes 1,600 instructions more."""


def encode(
    draft: EventDraft,
    event_id: str,
    metadata: str,
    session_metadata: str,
    record: Record = "",
) -> EventMembers | None:
    """Return an encoded event, trimmed to RUM's limit; None if it still exceeds it."""
    kind, timestamp_ns, content = draft
    text: str | orjson.Fragment
    if "stack" in content:
        text = _with_stack(content)
    else:
        json = orjson.dumps(content)
        text = json.decode() if json.isascii() else orjson.Fragment(b'"%b"' % _escaped(json))
    # The members are those of `RumEvent.of`. To call it would take 1,200 more of 14,000 instructions.
    json = orjson.dumps(
        {
            "id": event_id,
            "timestamp": timestamp_ns // 1000 / 1_000_000,
            "type": kind,
            "metadata": metadata,
            "details": text,
        }
    )
    room = _room(session_metadata)
    if len(json) - _LEAST_FIXED_BYTES <= room:
        return (kind, json, session_metadata, record)
    room -= len(kind)
    if _wire_bytes(orjson.dumps(content)) + _wire_bytes(metadata.encode()) <= room:
        return (kind, json, session_metadata, record)
    for smaller, cut in trimmings(content, {**orjson.loads(metadata), TRUNCATED: True}):
        own, json = orjson.dumps(cut), orjson.dumps(smaller)
        if _wire_bytes(json) + _wire_bytes(own) <= room:
            return RumEvent.of(event_id, timestamp_ns, kind, json.decode(), own.decode(), session_metadata, record)
    return None


@lru_cache(maxsize=MAX_SESSION_METADATA)
def _room(session_metadata: str) -> int:
    """Return the bytes that type, details and metadata of an event may have."""
    return MAX_EVENT_BYTES - FIXED_BYTES - _wire_bytes(session_metadata.encode())


def _with_stack(details: Mapping[str, Any]) -> orjson.Fragment:
    """Return details with a stack as JSON that becomes a text in other JSON."""
    stack = details["stack"]
    if isinstance(stack, str) and len(stack) <= MAX_EVENT_BYTES and [*details][-1] == "stack":
        # The longest text of an event by far, and an application fails repeatedly at the same places.
        others = orjson.dumps({**details, "stack": ""})
        return orjson.Fragment(b"".join((b'"', _escaped(others[: -len('"}')]), _escaped_end(stack), b'}"')))
    return orjson.Fragment(b'"%b"' % _escaped(orjson.dumps(details)))


@lru_cache(maxsize=MAX_STACKS)
def _escaped_end(text: str) -> bytes:
    """Return the JSON of a text after its first quote, escaped."""
    return _escaped(orjson.dumps(text)[1:])


def _escaped(json: bytes) -> bytes:
    """Return JSON as it is inside a JSON string. To decode UTF-8 and encode it again takes twice as long."""
    return json.replace(b"\\", rb"\\").replace(b'"', rb"\"")


def _wire_bytes(json: bytes) -> int:
    """Return the size of JSON inside a JSON string, where quotes and backslashes are escaped."""
    return len(json) + json.count(b'"') + json.count(b"\\")
