"""The wire format of a protobuf message: its fields and their positions.

It finds the records of a body without parsing them. Each record is then parsed alone, so that a malformed record does
not affect the others, and a body of millions of empty messages takes no memory.
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from .model import MAX_RECORDS, Signal

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BITS = 63


class WireError(ValueError):
    """The input is not a protobuf message."""


def fields_of(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each field between two offsets; number 0 for those that are not length-delimited.

    A field may have two bytes, so a reader must limit their number.

    Raises:
        WireError: if the fields do not fill the range exactly.
    """
    at = start
    while at < end:
        tag = data[at]
        if tag < 0x80:  # most have one byte, without a call
            at += 1
        else:
            tag, at = _varint(data, at, end)
        kind = tag & 7
        if kind == _LENGTH:
            if at < end and (length := data[at]) < 0x80:
                at += 1
            else:
                length, at = _varint(data, at, end)
            if length > end - at:
                raise WireError(f"a field at byte {at} is {length} bytes long, but only {end - at} follow")
            yield tag >> 3, at, at + length
            at += length
            continue
        if kind == _VARINT:
            _, at = _varint(data, at, end)
        elif kind in {_FIXED64, _FIXED32}:
            at += 8 if kind == _FIXED64 else 4
        else:
            raise WireError(f"byte {at - 1} begins a field of wire type {kind}, which OTLP does not use")
        if at > end:
            raise WireError(f"it ends within the field at byte {end}")
        yield 0, at, at


_SPAN_TYPES = {1: _LENGTH, 2: _LENGTH, 4: _LENGTH, 6: _VARINT, 7: _FIXED64, 8: _FIXED64, 10: _VARINT, 11: _LENGTH}
_LOG_TYPES = {1: _FIXED64, 2: _VARINT, 6: _LENGTH, 7: _VARINT, 8: _FIXED32, 10: _LENGTH, 11: _FIXED64, 12: _LENGTH}
SIGNALS = {
    number << 3 | wire_type: signal
    for signal, types in ((Signal.TRACES, _SPAN_TYPES), (Signal.LOGS, _LOG_TYPES))
    for number, wire_type in types.items()
}
"""The kind of a record, by the tag of a field: spans and log records share only the tags of their fields 3, 5 and 9.

https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto
"""

_MAX_COMMON_FIELDS = 20
"""The fields of a record that are looked at. Three tags are common, and a record has a field of each once."""


def signal_of(data: bytes, start: int, end: int) -> Signal | None:
    """Return what the record between two offsets is, by its first field that only one kind has; None if unknown.

    A span begins with its ids, so only a log record can be unknown.
    """
    if start < end and data[start] in SIGNALS:
        return SIGNALS[data[start]]
    try:
        following = (
            data[at] for _, _, at in itertools.islice(fields_of(data, start, end), _MAX_COMMON_FIELDS) if at < end
        )
        return next((SIGNALS[tag] for tag in following if tag in SIGNALS), None)
    except WireError:
        return None


def signal_in(body: bytes) -> Signal:
    """Return what an export request has, by its first known record; logs if none is known.

    It reads no more fields than a request may have records.

    Raises:
        WireError: if it is not a request: not a protobuf message, or one without the field of the blocks.
    """
    left = iter(range(MAX_RECORDS))

    def members(start: int, end: int, number: int) -> Iterator[tuple[int, int]]:
        fields = zip(fields_of(body, start, end), left, strict=False)
        return ((first, last) for (found, first, last), _ in fields if found == number)

    blocks = list(members(0, len(body), 1))
    if body and not blocks:
        raise WireError("it has neither spans nor log records")
    scopes = (scope for block in blocks for scope in members(*block, 2))
    records = (record for scope in scopes for record in members(*scope, 2))
    return next((signal for record in records if (signal := signal_of(body, *record))), Signal.LOGS)


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = bits = 0
    while at < end and bits <= _MAX_VARINT_BITS:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << bits
        if byte < 0x80:
            return value, at
        bits += 7
    raise WireError(f"it ends within the number before byte {at}" if at >= end else f"no number ends at byte {at}")
