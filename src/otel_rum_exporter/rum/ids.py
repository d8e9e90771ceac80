"""UUIDs of sessions, users and events, as RUM requires them. The same input gives the same UUID in every process."""

from __future__ import annotations

import hashlib
import hmac

from .._pattern import lazy_pattern
from .._uuid import UUID

NIL_UUID = "00000000-0000-0000-0000-000000000000"
"""AWS's web client sends it for an unknown user. As a session id it means that there is no session."""

MAX_INDEXED = 256
"""The number of events of a span whose index fits into their id."""

_INDEXES = tuple(f"{index:02x}" for index in range(MAX_INDEXED))
_HEX_32 = lazy_pattern(r"[0-9a-fA-F]{32}")


def to_uuid(value: str, *, kind: str, key: bytes) -> str:
    """Return the UUID of a session or user id, because RUM accepts nothing else.

    A UUID is returned unchanged. 32 hex digits, the format of OTel's browser and Android SDKs, get dashes. Any other
    id becomes a keyed hash, a version 8 UUID of RFC 9562. Equal ids of different kinds get different UUIDs.
    """
    if UUID.fullmatch(value):
        return value
    if _HEX_32.fullmatch(value):
        return _dashed(value.lower())
    material = b"\0".join((kind.encode(), value.encode("utf-8", "surrogatepass")))
    digest = hmac.new(key, material, hashlib.sha256).hexdigest()
    return _uuid_of(digest)


def _uuid_of(digits: str) -> str:
    """Return a version 8 UUID with the first 32 hex digits of a digest."""
    return _dashed(f"{digits[:12]}8{digits[13:16]}{'89ab'[int(digits[16], 16) % 4]}{digits[17:32]}")


def _dashed(digits: str) -> str:
    """Return 32 hex digits with the dashes of a UUID."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"


def event_id(*parts: str) -> str:
    """Return a UUID derived from parts, so that a retry sends the same event."""
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()
    return _uuid_of(digest)


def id_within_span(trace_id: str, span_id: str, index: int) -> str:
    """Return the id of an event of a span, derived from the ids of the span.

    It is a version 8 UUID: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8
    """
    if index >= MAX_INDEXED:
        return event_id(trace_id, span_id, str(index))
    return f"{span_id[:8]}-{span_id[8:12]}-8{span_id[12:15]}-8{span_id[15]}{_INDEXES[index]}-{trace_id[20:]}"


def id_within_trace(trace_id: str, *parts: str) -> str:
    """Return the id of an event of a log record: derived from parts, with the end of the trace id if it has one.

    The local RUM's console finds the trace by it; the details of most event types have no place for a trace id.
    """
    made = event_id(*parts)
    return f"{made[:19]}9{made[20:24]}{trace_id[20:]}" if trace_id else made
