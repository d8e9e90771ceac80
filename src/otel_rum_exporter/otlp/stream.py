"""OTLP files of any size, one body at a time; a reader can resume where it stopped.

https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/fileexporter
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from . import zstd
from .file import decode_file
from .json import decode_json
from .model import Decoded, OtlpError

MAX_BODY_BYTES = 128 * 1024 * 1024
"""Largest body. As a length prefix it is smaller than the first bytes of any protobuf message."""

_LENGTH_BYTES = 4
_SNIFFED_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Piece:
    """One body of a file; `name` identifies it, and `end` is the offset after it.

    `is_cut` is true where the file ends in the middle of it, as one that is still being written does.
    """

    name: str
    content: bytes
    end: int
    reader: Callable[[bytes], Decoded]
    is_cut: bool = False

    def decode(self) -> Decoded:
        """Decode it.

        Raises:
            OtlpError: where it is no OTLP.
        """
        return self.reader(self.content)


def pieces(stream: BinaryIO, begin: int = 0) -> Iterator[Piece]:
    """Yield the bodies from an offset on, the end of a body; the stream must be uncompressed and seekable.

    Raises:
        OtlpError: where a body is larger than any should be, or cannot be decompressed.
    """
    stream.seek(0)
    head = stream.read(_SNIFFED_BYTES)
    stream.seek(begin)
    if head.lstrip().startswith(b"{"):
        yield from _lines(stream, begin) if begin or _has_lines(stream) else _whole(stream, begin)
    elif 0 < int.from_bytes(head[:_LENGTH_BYTES], "big") <= MAX_BODY_BYTES:
        yield from _frames(stream, begin)
    else:
        yield from _whole(stream, begin)


def _has_lines(stream: BinaryIO) -> bool:
    """Return whether the first line is a whole body, and not only its beginning."""
    first = stream.readline(MAX_BODY_BYTES + 1)
    is_last = not stream.read(1)
    stream.seek(0)
    return not is_last and _is_json(first)


def _lines(stream: BinaryIO, offset: int) -> Iterator[Piece]:
    while line := stream.readline(MAX_BODY_BYTES + 1):
        name = f"the line at byte {offset}"
        offset += len(line)
        _check_size(name, len(line))
        if line.strip():
            is_cut = not line.endswith(b"\n") and not _is_json(line)
            yield Piece(name, line, offset, decode_json, is_cut)


def _frames(stream: BinaryIO, offset: int) -> Iterator[Piece]:
    while length := stream.read(_LENGTH_BYTES):
        name = f"the message at byte {offset}"
        size = int.from_bytes(length, "big")
        _check_size(name, size)
        body = stream.read(size)
        offset += len(length) + len(body)
        is_cut = len(body) < size or len(length) < _LENGTH_BYTES
        if body.startswith(zstd.MAGIC) and not is_cut:
            body = zstd.decompress(body, MAX_BODY_BYTES)
        yield Piece(name, body, offset, decode_file, is_cut)


def _whole(stream: BinaryIO, offset: int) -> Iterator[Piece]:
    content = stream.read(MAX_BODY_BYTES + 1)
    _check_size("the file", len(content))
    if content:
        yield Piece("the file", content, offset + len(content), decode_file)


def _check_size(name: str, size: int) -> None:
    if size > MAX_BODY_BYTES:
        raise OtlpError(f"{name} has more than {MAX_BODY_BYTES} bytes")


def _is_json(line: bytes) -> bool:
    try:
        decode_json(line)
    except OtlpError:
        return False
    return True
