"""Files of OTLP as the commands read them: plain, compressed with gzip, or standard input as `-`."""

from __future__ import annotations

import gzip
import io
import os
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from ..otlp import OtlpError

GZIP = b"\x1f\x8b"
_RECORDING = re.compile(rb'\{"path": "[^"]*", "received_at": ')
_HEAD_BYTES = 4096
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
        OtlpError: it is a recording of the local RUM.
    """
    with _seekable(file) as raw:
        size = raw.seek(0, os.SEEK_END)
        raw.seek(0)
        is_compressed = raw.read(len(GZIP)) == GZIP
        raw.seek(0)
        with cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if is_compressed else raw as stream:
            if _RECORDING.match(stream.read(_HEAD_BYTES)):
                raise OtlpError(
                    "it is a recording of the local RUM. To fix: load it in the console of `otel-rum local`"
                )
            stream.seek(0)
            yield Content(stream, raw, size)


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
