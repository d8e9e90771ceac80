"""The rows of a spool database: queued events as a header and a content, each with a checksum of its own.

A damaged row is recognized by its checksums, and does not affect other rows.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NamedTuple

import orjson

from ...ledger import Tally
from ...rum.batch import AppMonitor, BatchKey
from ...rum.event import RumEvent
from ..storage import QueuedEvents

if TYPE_CHECKING:
    from .file import SpoolFile


class Location(NamedTuple):
    """The location of queued events on disk."""

    file: SpoolFile
    seq: int


def encode_row(seq: int, queued: QueuedEvents) -> tuple[int, int, bytes, int, bytes, int]:
    """Return the values of a row."""
    tally, key = queued.tally, queued.key
    owner = (tuple(key.app_monitor), key.session_id, key.user_id)
    header = orjson.dumps((seq, tuple(tally), queued.size_bytes, queued.accepted_ns, owner))
    content = orjson.dumps([tuple(event) for event in queued.events or ()])
    return seq, tally.events, header, zlib.crc32(header), content, zlib.crc32(content)


def decode_header(file: SpoolFile, header: object, checksum: object) -> QueuedEvents | None:
    """Return the queued events of a header, without their content; None if it is damaged."""
    if not isinstance(header, bytes) or zlib.crc32(header) != checksum:
        return None
    seq, tally, size_bytes, accepted_ns, (app_monitor, session_id, user_id) = orjson.loads(header)
    return QueuedEvents(
        key=BatchKey(AppMonitor(*app_monitor), session_id, user_id),
        tally=Tally(*tally),
        size_bytes=size_bytes,
        accepted_ns=accepted_ns,
        location=Location(file, seq),
    )


def decode_content(content: bytes, checksum: int) -> tuple[RumEvent, ...] | None:
    """Return the events of a content; None if it is damaged."""
    if zlib.crc32(content) != checksum:
        return None
    return tuple(RumEvent(*fields) for fields in orjson.loads(content))


def seq_of(queued: QueuedEvents) -> int:
    """Return the row number of queued events.

    Raises:
        TypeError: The events are not on disk.
    """
    if not isinstance(queued.location, Location):
        raise TypeError(f"{queued!r} is not on disk")
    return queued.location.seq
