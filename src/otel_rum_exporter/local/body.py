"""HTTP request bodies: receive, decompress within a limit, and parse as JSON.

A bad body raises `RequestError`, which has the answer. `validation` checks the content.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping

from starlette.requests import Request

from .json_text import parse, quote
from .response import RequestError

DEFAULT_MAX_BYTES = 10 * 1024 * 1024

# A client that is still writing gets a closed connection in place of the 413, so the rest of a body that is too large
# is read and ignored, up to this multiple of the limit.
_DRAIN_FACTOR = 4

_TIMEOUT_SECONDS = 60.0

_GZIP_WINDOW = 16 + zlib.MAX_WBITS


async def receive(request: Request, max_bytes: int) -> bytes:
    """Receive the body as sent; raise RequestError when it is longer than `max_bytes` or takes too long."""
    try:
        return await asyncio.wait_for(_receive(request, max_bytes), _TIMEOUT_SECONDS)
    except asyncio.TimeoutError:
        raise RequestError(
            408, f"the body did not arrive within {_TIMEOUT_SECONDS} s", "RequestTimeoutException"
        ) from None


def decode(sent: bytes, headers: Mapping[str, str], max_bytes: int) -> object:
    """Return the JSON document of a body; raise RequestError when it is invalid or above `max_bytes` decompressed."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise RequestError(
            415,
            f"Content-Encoding {quote(encoding)} is not supported; use gzip",
            "UnsupportedMediaTypeException",
        )
    plain = _gunzip(sent, max_bytes) if encoding == "gzip" else sent
    try:
        return parse(plain.decode("utf-8"))
    except ValueError as error:
        raise RequestError(400, f"the body is not JSON: {error}", "SerializationException") from error


async def _receive(request: Request, max_bytes: int) -> bytes:
    received = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= max_bytes:
            received += chunk
        elif size > _DRAIN_FACTOR * max_bytes:
            break
    if size > max_bytes:
        raise _too_large(max_bytes)
    return bytes(received)


def _gunzip(sent: bytes, max_bytes: int) -> bytes:
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = stream.decompress(sent, max_bytes + 1)
    except zlib.error as error:
        raise RequestError(400, f"the body is not gzip: {error}", "SerializationException") from error
    if len(plain) > max_bytes:
        raise _too_large(max_bytes)
    if not stream.eof or stream.unused_data:
        problem = "has data after its end" if stream.eof else "is truncated"
        raise RequestError(400, f"the body is not gzip: the stream {problem}", "SerializationException")
    return plain


def _too_large(max_bytes: int) -> RequestError:
    return RequestError(413, f"the body is larger than {max_bytes} bytes. To fix: send fewer events per request")
