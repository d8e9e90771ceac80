"""Streams of OTLP files, one body at a time, so that files of any size can be read and a reader can resume.

https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/fileexporter
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from . import zstd
from .file import decode_file
from .json import decode_json
from .model import DecodeResult, OtlpError

MAX_BODY_BYTES = 128 * 1024 * 1024
"""Largest body. Read as a length, the first bytes of a protobuf message, a field and its length, are larger."""

_LENGTH_BYTES = 4
_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class FileBody:
    """One body of a file. `name` is its place for messages, and `end` is the offset after it.

    `is_truncated` is true if the file ends inside the body, for example because it is still being written.
    """

    name: str
    content: bytes
    end: int
    decoder: Callable[[bytes], DecodeResult]
    is_truncated: bool = False

    def decode(self) -> DecodeResult:
        """Decode the body.

        Raises:
            OtlpError: if it is not OTLP.
        """
        return self.decoder(self.content)


def read_bodies(stream: BinaryIO, begin: int = 0) -> Iterator[FileBody]:
    """Yield the bodies from an offset, which must be the end of a body. The stream is uncompressed and seekable.

    Raises:
        OtlpError: if a body is larger than the limit or cannot be decompressed.
    """
    stream.seek(0)
    head = stream.read(_HEAD_BYTES)
    stream.seek(begin)
    if head.lstrip().startswith(b"{"):
        yield from _lines(stream, begin) if begin or _has_lines(stream) else _whole_file(stream, begin)
    elif 0 < int.from_bytes(head[:_LENGTH_BYTES], "big") <= MAX_BODY_BYTES:
        yield from _frames(stream, begin)
    else:
        yield from _whole_file(stream, begin)


def _has_lines(stream: BinaryIO) -> bool:
    """Return whether the first line is a complete body and not the only line."""
    first = stream.readline(MAX_BODY_BYTES + 1)
    is_last = not stream.read(1)
    stream.seek(0)
    return not is_last and _is_json(first)


def _lines(stream: BinaryIO, offset: int) -> Iterator[FileBody]:
    while line := stream.readline(MAX_BODY_BYTES + 1):
        name = f"the line at byte {offset}"
        offset += len(line)
        _check_size(name, len(line))
        if line.strip():
            is_truncated = not line.endswith(b"\n") and not _is_json(line)
            yield FileBody(name, line, offset, decode_json, is_truncated)


def _frames(stream: BinaryIO, offset: int) -> Iterator[FileBody]:
    while length := stream.read(_LENGTH_BYTES):
        name = f"the message at byte {offset}"
        size = int.from_bytes(length, "big")
        _check_size(name, size)
        body = stream.read(size)
        offset += len(length) + len(body)
        is_truncated = len(body) < size or len(length) < _LENGTH_BYTES
        if body.startswith(zstd.MAGIC) and not is_truncated:
            body = zstd.decompress(body, MAX_BODY_BYTES)
        yield FileBody(name, body, offset, decode_file, is_truncated)


def _whole_file(stream: BinaryIO, offset: int) -> Iterator[FileBody]:
    content = stream.read(MAX_BODY_BYTES + 1)
    _check_size("the file", len(content))
    if content:
        yield FileBody("the file", content, offset + len(content), decode_file)


def _check_size(name: str, size: int) -> None:
    if size > MAX_BODY_BYTES:
        raise OtlpError(f"{name} has more than {MAX_BODY_BYTES} bytes")


def _is_json(line: bytes) -> bool:
    try:
        decode_json(line)
    except OtlpError:
        return False
    return True
