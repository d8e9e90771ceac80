"""An HTTP connection that limits time, heads and trailers, which uvicorn does not, and ignores offers to upgrade.

The application limits the size and time of bodies.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from .error_response import Reason, RequestError
from .lingering import LingeringTransport
from .response import Encoding, error_status

HEAD_SECONDS = 20.0
"""The time for a connection to start its first request, and for each request to complete its head."""

BODY_SECONDS = 60.0
"""The time for a whole body; the application responds with an error before that."""

MAX_HEAD_BYTES = 65_536
"""Most bytes beside the body: head, trailers and chunk framing."""

_INVALID = "the request is not valid HTTP/1.1, or its head or trailers are too large"


class Connection(HttpToolsProtocol):
    """Close connections that are too slow or send endless heads, without losing responses. Ignore `Upgrade`."""

    transport: LingeringTransport  # type: ignore[assignment]
    _timer: asyncio.TimerHandle | None = None
    _body_bytes = 0
    _other_bytes = 0
    _unanswered = 0
    _is_in_body = False
    _is_invalid = False

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.parser = Parser(self)
        # uvicorn sets the same: the last request of a connection is served although more bytes follow it.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(LingeringTransport(transport, self.loop))  # type: ignore[arg-type]
        self._set_deadline(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._set_deadline(None)
        self.transport.lost()

    def shutdown(self) -> None:
        if self.transport.is_lingering or self.cycle is None or self.cycle.response_complete:
            self.transport.close_now()  # an idle client does not notice the end of the stream
        else:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        if self._is_invalid or self.transport.is_lingering:
            self.transport.discard(data)
            return
        self._other_bytes += len(data)
        super().data_received(data)
        # The parser buffers a whole header before it reports any of it.
        if self._other_bytes > MAX_HEAD_BYTES + self._body_bytes and not self._is_invalid:
            self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._set_deadline(HEAD_SECONDS)
        self._other_bytes = self._body_bytes = 0

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        super().on_headers_complete()
        self._unanswered += 1
        self._is_in_body = True
        self._set_deadline(BODY_SECONDS)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._body_bytes += len(body)
        self._other_bytes -= len(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._is_in_body = False
        self._set_deadline(None)

    def on_response_complete(self) -> None:
        self._unanswered -= 1
        super().on_response_complete()
        if self._is_invalid and not self._unanswered and not self.transport.is_closing():
            self._respond_invalid()

    def send_400_response(self, msg: str) -> None:
        """Respond to a request that is not HTTP or too large, after the responses to the requests before it."""
        del msg
        self._is_invalid = True
        self._set_deadline(BODY_SECONDS)
        if self._is_in_body and self.pipeline:
            self.pipeline.popleft()
            self._unanswered -= 1
        elif self._is_in_body and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._unanswered = 0
        if not self._unanswered:
            self._respond_invalid()

    def head_without_upgrade(self) -> bytes:
        """Return the head that the parser has read, without its `Upgrade` headers."""
        parser = self.parser
        lines = [b"%s %s HTTP/%s" % (parser.get_method(), self.url, parser.get_http_version().encode())]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _respond_invalid(self) -> None:
        # An error response may precede the end of its request's body. No other response follows it.
        if not self._is_in_body or not self.cycle.response_started:
            media_type = next((value for name, value in self.headers or () if name == b"content-type"), b"")
            encoding = Encoding.of(media_type.decode("latin-1")) or Encoding.JSON
            body = error_status(RequestError(Reason.UNDECODABLE, _INVALID), encoding)
            headers = [
                *self.server_state.default_headers,
                (b"content-type", encoding.value.encode()),
                (b"content-length", b"%d" % len(body)),
                (b"connection", b"close"),
            ]
            lines = [b"%s: %s\r\n" % header for header in headers]
            self.transport.write(b"".join([STATUS_LINE[400], *lines, b"\r\n", body]))
        self.transport.close()

    def _set_deadline(self, seconds: float | None) -> None:
        """Close the connection after a time unless called again before; None means no limit."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)


class Parser(httptools.HttpRequestParser):
    """A parser that ignores `Upgrade`, such as the `h2c` of Java's HttpClient and `curl --http2`.

    httptools ends a request with `Upgrade` after its head, and would parse its body as the next request. So it gets
    the same head again, without `Upgrade`, and then the rest. A server may ignore the header (RFC 9110, section 7.8).
    https://github.com/encode/uvicorn/discussions/2722
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._connection = connection

    def feed_data(self, data: Any) -> None:
        rest = memoryview(data)
        while True:
            try:
                super().feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                if self.get_method() == b"CONNECT":
                    raise httptools.HttpParserError("CONNECT is not supported") from None
                super().feed_data(self._connection.head_without_upgrade())
                rest = rest[upgrade.args[0] :]
            else:
                return
