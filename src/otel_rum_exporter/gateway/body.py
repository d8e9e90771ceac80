"""Request bodies within limits: bytes in flight of all requests, and the decompressed size of each."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .error_response import Reason, RequestError

MAX_BODIES = 4
"""How many bodies of the largest size fit into memory at once."""

MAX_EMPTY_BYTES = 128 * 1024
"""Most compressed bytes beyond twice their content. Real content hardly grows; an empty member has 20 bytes."""

MAX_CPU_SECONDS = 2.0
"""Most processor time for one body. 64 MiB of telemetry take a quarter of a second."""

_STEP_BYTES = 64 * 1024
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
    def reservation(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that reserves bytes until the end of the block.

        The function raises RequestError if the limit is reached.
        """
        reserved = 0

        def reserve(size_bytes: int) -> None:
            nonlocal reserved
            with self._lock:
                if self.reserved_bytes + size_bytes > self._max_bytes:
                    raise RequestError(Reason.OVERLOADED, "the requests in flight have too many bytes; retry later")
                self.reserved_bytes += size_bytes
                reserved += size_bytes

        try:
            yield reserve
        finally:
            with self._lock:
                self.reserved_bytes -= reserved


def decompressed(body: bytes, encoding: str, max_bytes: int, reserve: Callable[[int], None]) -> bytes:
    """Return a decompressed body; `reserve` is called with the size of each part before it is kept.

    Raises:
        RequestError: if it is malformed, truncated or, decompressed, larger than `max_bytes`; or if it takes too much
            processor time, as streams of empty members or blocks do.
    """
    if encoding == "identity":
        return body
    parts: list[bytes] = []
    size = empty_bytes = 0
    started = time.thread_time()
    try:
        for part, consumed in _parts(body, encoding):
            size += len(part)
            if size > max_bytes:
                raise too_large(max_bytes)
            empty_bytes = max(0, empty_bytes + consumed - 2 * len(part))
            if empty_bytes > MAX_EMPTY_BYTES or time.thread_time() - started > MAX_CPU_SECONDS:
                raise RequestError(Reason.UNDECODABLE, f"the {encoding} stream takes too much work for its content")
            reserve(len(part))
            parts.append(part)
    except zlib.error as error:
        raise RequestError(Reason.UNDECODABLE, f"the body is not {encoding}: {error}") from None
    return b"".join(parts)


def too_large(max_bytes: int) -> RequestError:
    """Return the error for a body larger than `max_bytes`."""
    return RequestError(Reason.TOO_LARGE, f"the body has more than {max_bytes} bytes; send smaller requests")


def _parts(body: bytes, encoding: str) -> Iterator[tuple[bytes, int]]:
    """Yield the content of one or more compressed streams in small parts, and how many bytes each was made of."""
    stream = zlib.decompressobj(_WINDOWS[encoding])
    for at in range(0, len(body), _STEP_BYTES):
        piece, is_more = body[at : at + _STEP_BYTES], True
        while piece or is_more:
            if stream.eof:
                stream = zlib.decompressobj(_WINDOWS[encoding])
            part = stream.decompress(piece, _STEP_BYTES)
            rest = stream.unused_data if stream.eof else stream.unconsumed_tail
            yield part, len(piece) - len(rest)
            piece = rest
            # The rest of the output needs no more input.
            is_more = len(part) == _STEP_BYTES and not stream.eof
    if body and not stream.eof:
        raise zlib.error("it is truncated")
