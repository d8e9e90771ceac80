"""Files of OTLP as the commands read them: plain, compressed with gzip, or standard input as `-`."""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..otlp import OtlpError

GZIP = b"\x1f\x8b"
READ_ERRORS = (OtlpError, OSError, EOFError, zlib.error)
"""Exceptions that reading a file can raise, besides bugs."""


class Content(NamedTuple):
    """An open file. `stream` is uncompressed; the position of `raw` shows the progress."""

    stream: BinaryIO
    raw: BinaryIO
    raw_bytes: int


@contextmanager
def opened(file: str) -> Iterator[Content]:
    """Open a file, a pipe or standard input.

    Raises:
        OSError: it cannot be read.
    """
    with _seekable(file) as raw:
        size = raw.seek(0, os.SEEK_END)
        raw.seek(0)
        is_compressed = raw.read(len(GZIP)) == GZIP
        raw.seek(0)
        if not is_compressed:
            yield Content(raw, raw, size)
            return
        with gzip.GzipFile(fileobj=raw) as stream:
            yield Content(stream, raw, size)  # type: ignore[arg-type] # it has read and seek


def why_unread(file: str, error: Exception) -> str:
    """Return why a file could not be read, for one of `READ_ERRORS`."""
    name = "standard input" if file == "-" else file or "''"
    if isinstance(error, OtlpError):
        return f"{name} is not OTLP: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot read {name}: {error.strerror}"
    return f"cannot read {name}: its gzip data is damaged or incomplete"


@contextmanager
def _seekable(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield io.BytesIO(b"" if sys.stdin is None else sys.stdin.buffer.read())
        return
    with Path(file).open("rb") as raw:
        yield raw if raw.seekable() else io.BytesIO(raw.read())
