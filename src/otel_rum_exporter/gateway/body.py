"""Request bodies within limits: bytes in flight of all requests, and the decompressed size of each."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .error_response import Reason, RequestError

MAX_BODIES = 4
"""How many bodies of the largest size fit into memory at once."""

_STEP_BYTES = 256 * 1024
_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
ENCODINGS = ("identity", *_WINDOWS)
"""Accepted content encodings."""


class Budget:
    """A limit for the bytes of all requests in flight. Thread-safe."""

    def __init__(self, max_bytes: int) -> None:
        self._lock = threading.Lock()
        self._max_bytes = max_bytes
        self.reserved_bytes = 0

    @contextmanager
    def hold(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that reserves bytes until the end of the block.

        The function raises RequestError if the limit is reached.
        """
        reserved = 0

        def take(size_bytes: int) -> None:
            nonlocal reserved
            with self._lock:
                if self.reserved_bytes + size_bytes > self._max_bytes:
                    raise RequestError(Reason.OVERLOADED, "the gateway holds too many bytes in flight; retry later")
                self.reserved_bytes += size_bytes
                reserved += size_bytes

        try:
            yield take
        finally:
            with self._lock:
                self.reserved_bytes -= reserved


def decompressed(body: bytes, encoding: str, max_bytes: int, take: Callable[[int], None]) -> bytes:
    """Return a decompressed body; `take` is called with the size of each part before it is kept.

    Raises:
        RequestError: if it is malformed, truncated or, decompressed, larger than `max_bytes`.
    """
    if encoding == "identity":
        return body
    parts: list[bytes] = []
    size = 0
    try:
        for part in _parts(body, encoding):
            size += len(part)
            if size > max_bytes:
                raise too_large(max_bytes)
            take(len(part))
            parts.append(part)
    except zlib.error as error:
        raise RequestError(Reason.UNDECODABLE, f"the body is not {encoding}: {error}") from None
    return b"".join(parts)


def too_large(max_bytes: int) -> RequestError:
    """Return the error for a body larger than `max_bytes`."""
    return RequestError(Reason.TOO_LARGE, f"the body has more than {max_bytes} bytes; send smaller requests")


def _parts(body: bytes, encoding: str) -> Iterator[bytes]:
    """Yield the content of one or more compressed streams in small parts."""
    stream = zlib.decompressobj(_WINDOWS[encoding])
    for at in range(0, len(body), _STEP_BYTES):
        piece, is_more = body[at : at + _STEP_BYTES], True
        while piece or is_more:
            if stream.eof:
                stream = zlib.decompressobj(_WINDOWS[encoding])
            part = stream.decompress(piece, _STEP_BYTES)
            yield part
            piece = stream.unused_data if stream.eof else stream.unconsumed_tail
            # The rest of the output needs no more input.
            is_more = len(part) == _STEP_BYTES and not stream.eof
    if body and not stream.eof:
        raise zlib.error("it is truncated")
