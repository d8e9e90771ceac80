"""The format of a segment: a header and records, which are only appended. Pure.

    segment = header (one block), records
    header  = magic, number of the last synced record, events up to it, events stored, checksum; later: destination
    record  = magic, checksum up to the content, number, events before, events, sizes of label and content,
              checksum of the content, label, content

A label is JSON: removed events as pairs of a record's number and its events, and what is stored. A content is the JSON
of `EncodedEvents`, with the events as they are sent. JSON never contains the byte 0xFF of the magic, so damage does not
hide later records.
`events before` is a running total, which gives the number of events in records that cannot be read.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from ...ledger import Tally
from ...rum.batch import AppMonitor, BatchKey
from ..storage import QueuedEvents
from .locked_file import BLOCK_BYTES

FIRST_RECORD = BLOCK_BYTES
_HEADER = struct.Struct(">8s3QI")
_HEADER_MAGIC = b"RUMSPOOL"
_DESTINATION = slice(512, BLOCK_BYTES)
_HEAD = struct.Struct(">4sI2Q4I")
_MAGIC = b"\xffRS\x01"
_CHECKED_FROM = 8

Removed = tuple[int, int]
"""The number of a record, and its events. Number 0 stands for damaged records."""


class Header(NamedTuple):
    """The synced part of a segment. `seq` is the number of the last record, `events` those of all records."""

    seq: int
    events: int
    stored_events: int

    def encode(self) -> bytes:
        """Return the bytes of the header."""
        fields = _HEADER.pack(_HEADER_MAGIC, *self, 0)[:-4]
        return fields + zlib.crc32(fields).to_bytes(4, "big")

    @classmethod
    def decode(cls, segment: bytes) -> Header | None:
        """Return the header of a segment; None if it is damaged."""
        fields = segment[: _HEADER.size]
        if len(fields) < _HEADER.size or zlib.crc32(fields[:-4]) != int.from_bytes(fields[-4:], "big"):
            return None
        magic, seq, events, stored_events, _ = _HEADER.unpack(fields)
        return cls(seq, events, stored_events) if magic == _HEADER_MAGIC else None


class Record(NamedTuple):
    """A record with an undamaged head. `queued` is None if it stores nothing, or nothing that this version knows."""

    seq: int
    events_before: int
    events: int
    removed: Sequence[Removed]
    queued: QueuedEvents | None
    offset: int
    content: slice
    checksum: int

    def is_intact(self, segment: bytes) -> bool:
        """Return whether the content is undamaged."""
        return self.content.stop <= len(segment) and zlib.crc32(segment[self.content]) == self.checksum


class Contents(NamedTuple):
    """The contents of a segment: its stored events with their records, and the state after the last record."""

    stored: list[tuple[QueuedEvents, Record]]
    lost_events: int
    seq: int
    events: int
    end: int
    is_synced: bool
    """Whether the header agrees with the records."""

    @property
    def stored_events(self) -> int:
        """The number of stored events."""
        return sum(queued.count for queued, _ in self.stored)


def first_block(destination: str) -> bytes:
    """Return the first block of an empty segment."""
    block = bytearray(BLOCK_BYTES)
    name = destination.encode(errors="replace")[: BLOCK_BYTES - _DESTINATION.start]
    header = Header(0, 0, 0).encode()
    block[: len(header)] = header
    block[_DESTINATION.start : _DESTINATION.start + len(name)] = name
    return bytes(block)


def destination_in(block: bytes) -> str:
    """Return the destination in the first block of a segment."""
    return block[_DESTINATION].rstrip(b"\0").decode(errors="replace")


def decode_content(record: bytes) -> bytes | None:
    """Return the content in the bytes of a record; None if it is damaged."""
    head = _parse(record, 0, {})
    return record[head.content] if head is not None and head.is_intact(record) else None


def encode_record(
    seq: int, events_before: int, removed: Sequence[Removed], queued: QueuedEvents | None = None, content: bytes = b""
) -> bytes:
    """Return the bytes of a record."""
    stored, events = None, 0
    if queued is not None:
        key, events = queued.key, queued.count
        owner = (tuple(key.app_monitor), key.session_id, key.user_id)
        stored = (tuple(queued.tally), queued.size_bytes, queued.accepted_ns, owner)
    label = orjson.dumps((removed, stored))
    numbers = (seq, events_before, events, len(label), len(content), zlib.crc32(content))
    checked = _HEAD.pack(_MAGIC, 0, *numbers)[_CHECKED_FROM:] + label
    return b"".join((_MAGIC, zlib.crc32(checked).to_bytes(4, "big"), checked, content))


def read_segment(segment: bytes) -> Contents:
    """Return the contents of a segment, whatever is damaged.

    Records after the last synced one count only while none is missing: a crash may write any part of an unsynced write.
    """
    header = Header.decode(segment)
    synced_seq = math.inf if header is None else header.seq
    seq, events, end, read = 0, 0, FIRST_RECORD, FIRST_RECORD
    found: dict[int, tuple[QueuedEvents, Record]] = {}
    found_events = 0
    removed: list[Removed] = []
    for record in _records(segment):
        if record.seq <= seq:
            continue
        if record.seq > synced_seq and not (record.seq == max(seq, synced_seq) + 1 and record.is_intact(segment)):
            break
        seq, events, read = record.seq, record.events_before + record.events, record.content.stop
        if read > len(segment):
            break
        end = read
        removed.extend(record.removed)
        if record.queued is not None:
            found[record.seq] = record.queued, record
            found_events += record.events
    is_synced = header is not None and header.seq == seq and len(segment) == end
    if header is not None:
        seq, events = max(seq, header.seq), max(events, header.events)
    elif len(segment) > read or (len(segment) < FIRST_RECORD and not _is_unfinished(segment)):
        events += 1  # At least.
    lost_events = events - found_events - sum(count for number, count in removed if number not in found)
    for number, _ in removed:
        found.pop(number, None)
    return Contents(list(found.values()), max(0, lost_events), seq, events, end, is_synced)


def _is_unfinished(segment: bytes) -> bool:
    """Return whether a process ended while it created the file, which leaves a part of an empty header, or zeros."""
    return Header(0, 0, 0).encode().startswith(segment[: _HEADER.size].rstrip(b"\0"))


def _records(segment: bytes) -> Iterator[Record]:
    """Yield the records with undamaged heads. Equal keys and tallies share one object."""
    shared: dict[Hashable, Any] = {}
    offset = segment.find(_MAGIC, FIRST_RECORD)
    while offset >= 0:
        record = _parse(segment, offset, shared)
        if record is not None:
            yield record
        offset = segment.find(_MAGIC, offset + 1 if record is None else record.content.stop)


def _parse(segment: bytes, offset: int, shared: dict[Hashable, Any]) -> Record | None:
    """Return the record at an offset; None if there is none, or its head is damaged."""
    if len(segment) < offset + _HEAD.size:
        return None
    _, checksum, seq, events_before, events, label_size, content_size, content_checksum = _HEAD.unpack_from(
        segment, offset
    )
    start = offset + _HEAD.size + label_size
    # The size of a damaged label may be that of the whole file: thousands of them would take hours.
    if start > len(segment) or zlib.crc32(segment[offset + _CHECKED_FROM : start]) != checksum:
        return None
    removed, queued = _decode_label(segment[offset + _HEAD.size : start], shared)
    if queued is not None and queued.count != events:
        queued = None
    content = slice(start, start + content_size)
    return Record(seq, events_before, events, removed, queued, offset, content, content_checksum)


def _decode_label(label: bytes, shared: dict[Hashable, Any]) -> tuple[Sequence[Removed], QueuedEvents | None]:
    """Return what a label removes and stores: nothing if a later version of this package wrote it."""
    try:
        removed, stored = orjson.loads(label)
        return [(seq + 0, events + 0) for seq, events in removed], stored and decode_stored(stored, shared)
    except (ValueError, TypeError):
        return (), None


def decode_stored(stored: Sequence[Any], shared: dict[Hashable, Any]) -> QueuedEvents | None:
    """Return queued events without their content; None if a later version of this package wrote them."""
    try:
        tally, size_bytes, accepted_ns, (app_monitor, session_id, user_id) = stored
        key = BatchKey(AppMonitor(*app_monitor), session_id, user_id)
        counts = Tally(*tally)
        return QueuedEvents(
            key=shared.setdefault(key, key),
            tally=shared.setdefault(counts, counts),
            size_bytes=size_bytes + 0,
            accepted_ns=accepted_ns + 0,
        )
    except (ValueError, TypeError):
        return None
