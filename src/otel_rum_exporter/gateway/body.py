"""The body of a request within its limits: bytes in flight of all requests together, and each one decompressed."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .error_response import Reason, RefusedError

MAX_BODIES = 4
"""Bodies of the largest size that may be held at once."""

_STEP_BYTES = 256 * 1024
_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
ENCODINGS = ("identity", *_WINDOWS)
"""Content encodings that are taken."""


class Budget:
    """Bytes that all requests in flight may hold together. Thread-safe."""

    def __init__(self, max_bytes: int) -> None:
        self._lock = threading.Lock()
        self._max_bytes = max_bytes
        self.held_bytes = 0

    @contextmanager
    def hold(self) -> Iterator[Callable[[int], None]]:
        """Give a function that takes so many bytes more, until the end of the block.

        The function raises RefusedError when there are no more.
        """
        held = 0

        def take(size_bytes: int) -> None:
            nonlocal held
            with self._lock:
                if self.held_bytes + size_bytes > self._max_bytes:
                    raise RefusedError(Reason.OVERLOADED, "too many bytes are being received; come again")
                self.held_bytes += size_bytes
                held += size_bytes

        try:
            yield take
        finally:
            with self._lock:
                self.held_bytes -= held


def decompressed(body: bytes, encoding: str, max_bytes: int, take: Callable[[int], None]) -> bytes:
    """Return a body as it was before compression; `take` is told of every part before it is kept.

    Raises:
        RefusedError: where it is malformed, cut off or, decompressed, larger than `max_bytes`.
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
        raise RefusedError(Reason.UNDECODABLE, f"the body is not {encoding}: {error}") from None
    return b"".join(parts)


def too_large(max_bytes: int) -> RefusedError:
    """Return what is said of a body that is larger than `max_bytes`."""
    return RefusedError(Reason.TOO_LARGE, f"the body has more than {max_bytes} bytes; send less at once")


def _parts(body: bytes, encoding: str) -> Iterator[bytes]:
    """Yield what is in one or more compressed streams, a little at a time."""
    stream = zlib.decompressobj(_WINDOWS[encoding])
    for at in range(0, len(body), _STEP_BYTES):
        piece, is_more = body[at : at + _STEP_BYTES], True
        while piece or is_more:
            if stream.eof:
                stream = zlib.decompressobj(_WINDOWS[encoding])
            part = stream.decompress(piece, _STEP_BYTES)
            yield part
            piece = stream.unused_data if stream.eof else stream.unconsumed_tail
            # What is left of the output comes without more input.
            is_more = len(part) == _STEP_BYTES and not stream.eof
    if body and not stream.eof:
        raise zlib.error("it is cut off")
