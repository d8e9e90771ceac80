"""The body of an HTTP request: bytes off the wire, decompressed within a limit, and read as JSON.

Which answer a bad body gets is part of `Refused`; what a good one means is not known here.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping

from starlette.requests import Request

from .json_text import parse, quote
from .response import RequestError

DEFAULT_MAX_BYTES = 10 * 1024 * 1024

# A client that is still writing would meet a closed connection in place of the 413, so what is too much is read on and
# thrown away, up to this many times the limit.
_DRAIN_FACTOR = 4

_TIMEOUT_SECONDS = 60.0

_GZIP_WINDOW = 16 + zlib.MAX_WBITS


async def receive(request: Request, max_bytes: int) -> bytes:
    """Read the body as it was sent; raise Refused when it is longer than `max_bytes` or takes too long."""
    try:
        return await asyncio.wait_for(_receive(request, max_bytes), _TIMEOUT_SECONDS)
    except asyncio.TimeoutError:
        raise RequestError(408, f"the body did not arrive within {_TIMEOUT_SECONDS} s", "RequestTimeoutException") from None


def decode(sent: bytes, headers: Mapping[str, str], max_bytes: int) -> object:
    """Return the JSON document in a body; raise Refused when there is none, or more than `max_bytes` in plain."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise RequestError(
            415,
            f"Content-Encoding {quote(encoding)} is not supported, gzip is",
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
        what = "goes on after its end" if stream.eof else "ends too early"
        raise RequestError(400, f"the body is not gzip: the stream {what}", "SerializationException")
    return plain


def _too_large(max_bytes: int) -> RequestError:
    return RequestError(413, f"the body is larger than {max_bytes} bytes")
