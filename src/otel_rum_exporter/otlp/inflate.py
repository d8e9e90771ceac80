"""Decompression of gzip and zlib in small parts, so that a reader can stop at its limits."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from .model import OtlpError

MAX_EMPTY_BYTES = 128 * 1024
"""Most compressed bytes beyond twice their content. Real content hardly grows; an empty member has 20 bytes."""

ENCODINGS = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
"""The window size of each content encoding of HTTP."""

_STEP_BYTES = 64 * 1024


def parts(body: bytes, encoding: str) -> Iterator[bytes]:
    """Yield the content of one or more compressed streams in small parts.

    Raises:
        OtlpError: if it is malformed or truncated, or takes too much work, as streams of empty members do.
    """
    empty_bytes = 0
    try:
        for part, consumed in _parts(body, ENCODINGS[encoding]):
            empty_bytes = max(0, empty_bytes + consumed - 2 * len(part))
            if empty_bytes > MAX_EMPTY_BYTES:
                raise too_much_work(encoding)
            yield part
    except zlib.error as error:
        raise OtlpError(f"the body is not {encoding}: {error}") from None


def too_much_work(encoding: str) -> OtlpError:
    """Return the error for a stream that takes too much work for its content."""
    return OtlpError(f"the {encoding} stream takes too much work for its content")


def _parts(body: bytes, window: int) -> Iterator[tuple[bytes, int]]:
    """Yield the parts, and how many bytes each was made of."""
    stream = zlib.decompressobj(window)
    for at in range(0, len(body), _STEP_BYTES):
        piece, is_more = body[at : at + _STEP_BYTES], True
        while piece or is_more:
            if stream.eof:
                stream = zlib.decompressobj(window)
            part = stream.decompress(piece, _STEP_BYTES)
            rest = stream.unused_data if stream.eof else stream.unconsumed_tail
            yield part, len(piece) - len(rest)
            piece = rest
            # The rest of the output needs no more input.
            is_more = len(part) == _STEP_BYTES and not stream.eof
    if body and not stream.eof:
        raise zlib.error("it is truncated")
