"""The wire format of a protobuf message: its fields and their positions.

It finds the records of a body without parsing them. Each record is then parsed alone, so that a malformed record does
not affect the others, and a body of millions of empty messages takes no memory.
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

from .model import Signal

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BITS = 63


class WireError(ValueError):
    """The input is not a protobuf message."""


def fields_of(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each length-delimited field between two offsets.

    Raises:
        WireError: if the fields do not fill the range exactly.
    """
    at = start
    while at < end:
        tag, at = _varint(data, at, end)
        kind = tag & 7
        if kind == _LENGTH:
            length, at = _varint(data, at, end)
            if length > end - at:
                raise WireError(f"a field at byte {at} is {length} bytes long, but only {end - at} follow")
            yield tag >> 3, at, at + length
            at += length
        elif kind == _VARINT:
            _, at = _varint(data, at, end)
        elif kind in {_FIXED64, _FIXED32}:
            at += 8 if kind == _FIXED64 else 4
        else:
            raise WireError(f"byte {at - 1} begins a field of wire type {kind}, which OTLP does not use")
        if at > end:
            raise WireError(f"it ends within the field at byte {end}")


def signal_of(data: bytes, start: int) -> Signal | None:
    """Return what the record at an offset is, by the fields with which only one kind begins; None if unknown.

    A span begins with its two ids, a log record with one of its times.
    """
    if data[start : start + 2] == b"\x0a\x10" and data[start + 18 : start + 20] == b"\x12\x08":
        return Signal.TRACES
    return Signal.LOGS if data[start : start + 1] in {b"\x09", b"\x59"} else None


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
