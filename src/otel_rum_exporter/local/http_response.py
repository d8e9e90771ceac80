"""HTTP responses in AWS's format, and responses that a `Fault` makes late, slow, partial or missing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
import uuid
from asyncio import Transport

from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from .fault import Fault
from .json_text import dump
from .response import Answer

_REQUEST_TIMEOUT = 408

# Key in a request's state: `listener` stores the connection's transport there.
TRANSPORT = "transport"

_DRIP, _DRIP_PAUSE_SECONDS = b" ", 0.1
_FLOOD, _FLOOD_PAUSE_SECONDS = b" " * 16384, 0.02

# SO_LINGER value that closes with a TCP reset: a client could read a normal close as the end of the answer.
_RESET = struct.pack("ii", 1, 0)


def response(answer: Answer) -> Response:
    """Build the response to a PutRumEvents request."""
    if answer.html is not None:
        return HTMLResponse(answer.html, answer.status, _retry_after(answer))
    return error_response(answer) if answer.is_error else Response(status_code=answer.status, headers=_request_id())


def error_response(answer: Answer) -> Response:
    """Build an error response: type in a header, message in the body."""
    headers = {**_request_id(), **_retry_after(answer), "x-amzn-ErrorType": answer.wire_error_type}
    if answer.status == _REQUEST_TIMEOUT:  # the rest of the body is not read
        headers["Connection"] = "close"
    return json_response({"message": answer.wire_message}, answer.status, headers)


def json_response(document: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Build a JSON response."""
    return Response(dump(document), status, headers or _request_id(), media_type="application/json")


def _request_id() -> dict[str, str]:
    return {"x-amzn-RequestId": str(uuid.uuid4())}


def _retry_after(answer: Answer) -> dict[str, str]:
    return {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}


class FaultyResponse(Response):
    """A response whose delivery a fault changes. Padding is white space before the JSON body, so it stays valid."""

    def __init__(self, original: Response, fault: Fault) -> None:
        super().__init__(original.body, original.status_code)
        self.raw_headers = original.raw_headers
        self._fault = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the part that the fault allows."""
        fault = self._fault
        if await client_disconnects(receive, fault.latency_seconds):
            return
        if fault.cut == "in_answer":
            await self._send_half(send)
        if fault.cut:
            await _reset(scope, receive)
        elif fault.endless_seconds:
            await self._send_padded(receive, send, _FLOOD, _FLOOD_PAUSE_SECONDS, fault.endless_seconds)
        elif fault.drip_seconds:
            await self._send_padded(receive, send, _DRIP, _DRIP_PAUSE_SECONDS, fault.drip_seconds)
        else:
            await super().__call__(scope, receive, send)

    async def _send_half(self, send: Send) -> None:
        body = bytes(self.body) or b"{}"
        self.headers["content-length"] = str(len(body))
        await self._begin(send)
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})

    async def _send_padded(
        self, receive: Receive, send: Send, padding: bytes, pause_seconds: float, seconds: float
    ) -> None:
        del self.headers["content-length"]
        await self._begin(send)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await send({"type": "http.response.body", "body": padding, "more_body": True})
            if await client_disconnects(receive, pause_seconds):
                return
        await send({"type": "http.response.body", "body": self.body})

    async def _begin(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})


async def client_disconnects(receive: Receive, seconds: float) -> bool:
    """Wait, and return whether the client disconnected. Its request must have been read completely."""
    if seconds <= 0:
        return False
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(receive(), seconds)
        return True
    return False


async def _reset(scope: Scope, receive: Receive) -> None:
    transport: Transport = scope["state"][TRANSPORT]
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
