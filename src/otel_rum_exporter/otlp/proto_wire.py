"""The wire format of a protobuf message: its fields and their positions.

Blocks are walked here, without building what is in them, so that a record is parsed alone: one that is malformed costs
only itself, and a body of millions of empty messages costs no memory.
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BITS = 63


class WireError(ValueError):
    """The input is not a protobuf message."""


def fields_of(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each length-delimited field between two offsets.

    Raises:
        WireError: where the fields do not fill the space exactly.
    """
    at = start
    while at < end:
        tag, at = _varint(data, at, end)
        kind = tag & 7
        if kind == _LENGTH:
            length, at = _varint(data, at, end)
            if length > end - at:
                raise WireError(f"a field at byte {at} is {length} bytes long, of which {end - at} are there")
            yield tag >> 3, at, at + length
            at += length
        elif kind == _VARINT:
            _, at = _varint(data, at, end)
        elif kind in {_FIXED64, _FIXED32}:
            at += 8 if kind == _FIXED64 else 4
        else:
            raise WireError(f"byte {at - 1} begins a field of wire type {kind}, which OTLP has not")
        if at > end:
            raise WireError(f"it ends within the field at byte {end}")


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
