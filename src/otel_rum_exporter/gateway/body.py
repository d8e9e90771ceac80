"""Request bodies within limits: bytes in flight of all requests, and the decompressed size of each."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..otlp import OtlpError, inflate
from .error_response import Reason, RequestError

MAX_BODIES = 4
"""The number of bodies of the largest size that fit into memory at once."""

MAX_CPU_SECONDS = 2.0
"""Most processor time for one body. 64 MiB of telemetry take a quarter of a second."""

ENCODINGS = ("identity", *inflate.ENCODINGS)
"""Accepted content encodings."""


class Budget:
    """A limit for the bytes of all requests in flight; one address may use half of them. Thread-safe."""

    def __init__(self, max_bytes: int) -> None:
        self._lock = threading.Lock()
        self._max_bytes = max_bytes
        self._of_addresses: Counter[str] = Counter()
        self.reserved_bytes = 0

    @contextmanager
    def reservation(self, address: str | None) -> Iterator[Callable[[int], None]]:
        """Yield a function that reserves bytes for an address until the end of the block; None has no limit of its own.

        The function raises RequestError if a limit is reached.
        """
        reserved = 0

        def reserve(size_bytes: int) -> None:
            nonlocal reserved
            with self._lock:
                if address is not None and self._of_addresses[address] + size_bytes > self._max_bytes // 2:
                    reason = "the requests in flight from this address have too many bytes; retry later"
                    raise RequestError(Reason.OVERLOADED, reason)
                if self.reserved_bytes + size_bytes > self._max_bytes:
                    raise RequestError(Reason.OVERLOADED, "the requests in flight have too many bytes; retry later")
                self._add(address, size_bytes)
                reserved += size_bytes

        try:
            yield reserve
        finally:
            with self._lock:
                self._add(address, -reserved)

    def _add(self, address: str | None, size_bytes: int) -> None:
        self.reserved_bytes += size_bytes
        if address is not None:
            self._of_addresses[address] += size_bytes
            if not self._of_addresses[address]:
                del self._of_addresses[address]


def decompressed(body: bytes, encoding: str, max_bytes: int, reserve: Callable[[int], None]) -> bytes:
    """Return a decompressed body; `reserve` is called with the size of each part before it is kept.

    Raises:
        RequestError: if it is malformed, truncated or, decompressed, larger than `max_bytes`; or if it takes too much
            processor time, as streams of empty members or blocks do.
    """
    if encoding == "identity":
        return body
    parts: list[bytes] = []
    size = 0
    started = time.thread_time()
    try:
        for part in inflate.parts(body, encoding):
            size += len(part)
            if size > max_bytes:
                raise too_large(max_bytes)
            if time.thread_time() - started > MAX_CPU_SECONDS:
                raise inflate.too_much_work(encoding)
            reserve(len(part))
            parts.append(part)
    except OtlpError as error:
        raise RequestError(Reason.UNDECODABLE, str(error)) from None
    return b"".join(parts)


def too_large(max_bytes: int) -> RequestError:
    """Return the error for a body larger than `max_bytes`."""
    return RequestError(Reason.TOO_LARGE, f"the body has more than {max_bytes} bytes; send smaller requests")
