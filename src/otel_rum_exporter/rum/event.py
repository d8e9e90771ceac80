"""A RUM event, as the JSON that is sent, within RUM's size limit.

RUM drops larger events silently, so events over the limit are trimmed and marked here.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-RUM-custom-events.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from ..ledger import Record
from .truncation import trimmings

MAX_EVENT_BYTES = 6000
"""RUM's limit is documented as "6 KB"; this value fits with 1000 and with 1024 bytes in a KB."""

FIXED_BYTES = 140
"""The size of an event's id, timestamp and member names, without its type, details and metadata. Never too low."""

TRUNCATED = "truncated"
"""Custom metadata attribute that marks a trimmed event. The closed schemas of details do not allow it there."""

ID = slice(len('{"id":"'), len('{"id":"') + 36)
"""The part of an event's JSON that is its id."""


class EventDraft(NamedTuple):
    """An event without identity and metadata. `timestamp_ns` is since the epoch."""

    type: str
    timestamp_ns: int
    details: Mapping[str, Any]


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


def encode(
    draft: EventDraft,
    event_id: str,
    metadata: str,
    session_metadata: str,
    record: Record = "",
) -> RumEvent | None:
    """Return an encoded event, trimmed to RUM's limit; None if the trimmed event still exceeds it."""
    kind, timestamp_ns, content = draft
    written = orjson.dumps(content)
    text = written.decode() if written.isascii() else _in_quotes(written)
    event = RumEvent.of(event_id, timestamp_ns, kind, text, metadata, session_metadata, record)
    # No character takes more than four bytes in UTF-8, with escapes.
    if len(event.json) + 4 * len(session_metadata) <= MAX_EVENT_BYTES - FIXED_BYTES:
        return event
    details = written.decode()
    room = MAX_EVENT_BYTES - FIXED_BYTES - len(kind) - _wire_bytes(session_metadata)
    if _wire_bytes(details) + _wire_bytes(metadata) <= room:
        return event
    for smaller, cut in trimmings(content, {**orjson.loads(metadata), TRUNCATED: True}):
        details, metadata = orjson.dumps(smaller).decode(), orjson.dumps(cut).decode()
        if _wire_bytes(details) + _wire_bytes(metadata) <= room:
            return RumEvent.of(event_id, timestamp_ns, kind, details, metadata, session_metadata, record)
    return None


def _in_quotes(json: bytes) -> orjson.Fragment:
    """Return JSON as text inside other JSON; to decode UTF-8 and encode it again costs several times as much."""
    return orjson.Fragment(b'"%b"' % json.replace(b"\\", rb"\\").replace(b'"', rb"\""))


def _wire_bytes(json_text: str) -> int:
    """Return the size of JSON text inside a JSON string, where quotes and backslashes are escaped."""
    size_bytes = len(json_text) if json_text.isascii() else len(json_text.encode())
    return size_bytes + json_text.count('"') + json_text.count("\\")
