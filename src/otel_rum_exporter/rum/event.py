"""A RUM event, encoded with its metadata within RUM's size limit.

RUM drops larger events silently, so events over the limit are trimmed and marked here.
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
"""RUM's limit is documented as "6 KB"; this value fits with 1000 and with 1024 bytes in a KB."""

FIXED_BYTES = 140
"""The size of an event's id, timestamp and member names, without its type, details and metadata."""

OBJECT_BYTES = 400
"""The memory of an event without its details and metadata: the object, its id, its entry in a batch."""

TRUNCATED = "truncated"
"""Custom metadata attribute that marks a trimmed event. The closed schemas of details do not allow it there."""


class EventDraft(NamedTuple):
    """An event without identity and metadata. `timestamp_ns` is since the epoch."""

    type: str
    timestamp_ns: int
    details: Mapping[str, Any]


class RumEvent(NamedTuple):
    """A complete member of RumEvents. `details`, `metadata` and `session_metadata` are JSON objects as text.

    `session_metadata` is shared with other events of the session. RUM merges it with `metadata`, which takes
    precedence.
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
        """Estimated size of the event in memory."""
        return OBJECT_BYTES + sys.getsizeof(self.details) + sys.getsizeof(self.metadata)


def encode(
    draft: EventDraft,
    event_id: str,
    metadata: str,
    session_metadata: str,
    record: Record = "",
) -> RumEvent | None:
    """Return an encoded event, trimmed to RUM's limit; None if the trimmed event still exceeds it."""
    kind, timestamp_ns, content = draft
    details = orjson.dumps(content).decode()
    # No character takes more than four bytes in UTF-8, with escapes.
    if 4 * (len(kind) + len(details) + len(metadata) + len(session_metadata)) > MAX_EVENT_BYTES - FIXED_BYTES:
        room = MAX_EVENT_BYTES - FIXED_BYTES - len(kind) - _wire_bytes(session_metadata)
        if _wire_bytes(details) + _wire_bytes(metadata) > room:
            for smaller, cut in trimmings(content, {**orjson.loads(metadata), TRUNCATED: True}):
                details, metadata = orjson.dumps(smaller).decode(), orjson.dumps(cut).decode()
                if _wire_bytes(details) + _wire_bytes(metadata) <= room:
                    break
            else:
                return None
    return RumEvent(event_id, timestamp_ns, kind, details, metadata, session_metadata, record)


def _wire_bytes(json_text: str) -> int:
    """Return the size of JSON text inside a JSON string, where quotes and backslashes are escaped."""
    size_bytes = len(json_text) if json_text.isascii() else len(json_text.encode())
    return size_bytes + json_text.count('"') + json_text.count("\\")
