"""The UUIDs that RUM asks for, of sessions, users and events: the same in every process that makes one of the same."""

from __future__ import annotations

import hashlib
import hmac
import re

from .._uuid import UUID

NIL_UUID = "00000000-0000-0000-0000-000000000000"
"""What AWS's own client sends for a user it does not know; as a session id it means that there is none."""

MAX_INDEXED = 256
"""So many events of a span have their number within their id."""

_HEX_32 = re.compile(r"[0-9a-fA-F]{32}")


def to_uuid(value: str, *, kind: str, key: bytes) -> str:
    """Return the UUID that stands for a session or user id in RUM, which accepts nothing else.

    A UUID goes verbatim, 32 hex digits (as OTel's browser and Android SDKs make them) get dashes, anything
    else becomes a keyed hash in the form of RFC 9562 version 8; `kind` keeps equal ids of different kinds
    apart.
    """
    if UUID.fullmatch(value):
        return value
    if _HEX_32.fullmatch(value):
        return _dashed(value.lower())
    material = b"\0".join((kind.encode(), value.encode("utf-8", "surrogatepass")))
    digest = hmac.new(key, material, hashlib.sha256).hexdigest()
    return _uuid_of(digest)


def _uuid_of(digits: str) -> str:
    """Return the UUID, version 8, that the first 32 hex digits of a digest make."""
    return _dashed(f"{digits[:12]}8{digits[13:16]}{'89ab'[int(digits[16], 16) % 4]}{digits[17:32]}")


def _dashed(digits: str) -> str:
    """Return 32 hex digits in the form of a UUID."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"


def event_id(*parts: str) -> str:
    """Return the same UUID for the same parts in every process, so that a retry is the same event."""
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()
    return _uuid_of(digest)


def id_within_span(trace_id: str, span_id: str, index: int) -> str:
    """Return the id of one of the events of a span, made of its own ids: the same in every process.

    A UUID of version 8: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8
    """
    if index >= MAX_INDEXED:
        return event_id(trace_id, span_id, str(index))
    return f"{span_id[:8]}-{span_id[8:12]}-8{span_id[12:15]}-8{span_id[15]}{index:02x}-{trace_id[20:]}"
