"""A RUM event: drafted by a family of events, then encoded with its metadata inside RUM's size limit.

What the service would drop without a word never leaves here: over-long events are trimmed, and marked.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-RUM-custom-events.html
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from ..ledger import Record
from .truncation import trimmings

MAX_EVENT_BYTES = 6000
"""RUM drops larger events silently; it says "6 KB", so this holds for both readings of a KB."""

ENVELOPE_BYTES = 140
"""An event's own id, timestamp and member names, beside its type, details and metadata."""

OBJECT_BYTES = 400
"""What an event weighs in memory beside its details and metadata: the object, its id, its place in a batch."""

TRUNCATED = "truncated"
"""Custom metadata attribute that marks a trimmed event; the details of built-in events have no room for it."""


class EventDraft(NamedTuple):
    """An event before it has an identity. `timestamp_ns` is since the epoch."""

    type: str
    timestamp_ns: int
    details: Mapping[str, Any]


class RumEvent(NamedTuple):
    """One member of RumEvents, complete. `details`, `metadata` and `session_metadata` are JSON objects as text.

    `session_metadata` is what the event shares with its session; RUM merges it below `metadata`.
    """

    id: str
    timestamp_ns: int
    type: str
    details: str
    metadata: str
    session_metadata: str
    record: Record = ""

    @property
    def size_bytes(self) -> int:
        """About what the event weighs in memory."""
        return OBJECT_BYTES + sys.getsizeof(self.details) + sys.getsizeof(self.metadata)


def encode(
    draft: EventDraft,
    event_id: str,
    metadata: str,
    session_metadata: str,
    record: Record = "",
) -> RumEvent | None:
    """Return the event of a draft, trimmed to RUM's limit; None where even the trimmed one exceeds it."""
    kind, timestamp_ns, content = draft
    details = orjson.dumps(content).decode()
    # No character takes more than four bytes as RUM reads it.
    if 4 * (len(kind) + len(details) + len(metadata) + len(session_metadata)) > MAX_EVENT_BYTES - ENVELOPE_BYTES:
        room = MAX_EVENT_BYTES - ENVELOPE_BYTES - len(kind) - _wire_bytes(session_metadata)
        if _wire_bytes(details) + _wire_bytes(metadata) > room:
            for smaller, cut in trimmings(content, {**orjson.loads(metadata), TRUNCATED: True}):
                details, metadata = orjson.dumps(smaller).decode(), orjson.dumps(cut).decode()
                if _wire_bytes(details) + _wire_bytes(metadata) <= room:
                    break
            else:
                return None
    return RumEvent(event_id, timestamp_ns, kind, details, metadata, session_metadata, record)


def _wire_bytes(json_text: str) -> int:
    """Count the bytes of JSON that travels inside a JSON string, where quotes and backslashes are escaped."""
    size_bytes = len(json_text) if json_text.isascii() else len(json_text.encode())
    return size_bytes + json_text.count('"') + json_text.count("\\")
