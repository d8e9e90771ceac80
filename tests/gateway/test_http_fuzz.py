"""Requests from a grammar of HTTP/1.1 over raw sockets: each gets the response that its kind must get, in order.

FUZZ_REQUESTS sets their number. Most requests go to the gateway's server with a small application in it, which returns
what it gets, because the gateway's own takes four fifths of the time and has a test for itself, `test_fuzz`. A tenth of
the number goes to the whole gateway.
"""

from __future__ import annotations

import os
import random
import socket
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from otel_rum_exporter.gateway import Gateway, GatewaySettings, lingering
from tests.gateway.bodies import json_spans
from tests.gateway.conftest import Serve
from tests.sockets import read_to_reset
from tests.spans import make_config

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "1000"))
PARTS = 4
"""Tests for the server, so that pytest-xdist divides them."""

BODY = json_spans({"name": "work"})
SMUGGLED = b"POST /v1/traces HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 0\r\nX-Inner: 1\r\n\r\n"
"""A body that is a request. As one, it would be counted twice."""


ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="tried on Linux only: resets differ")


@pytest.fixture(autouse=True)
def unlimited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for clients however slow the machine is."""
    monkeypatch.setattr(lingering, "LINGER_SECONDS", 60)


class _AcceptingClient:
    def put_rum_events(self, **_: object) -> None:
        """Do nothing."""


class _Request(NamedTuple):
    """A request, its status, what an application gets of it, and whether the server must close the connection after it.

    No application gets an invalid request, at least not its end.
    """

    content: bytes
    status: int
    seen: bytes | None = None
    is_last: bool = False


def _headers(source: random.Random, *headers: bytes) -> bytes:
    """Return headers in any order, with any case and spaces that are allowed, among others that mean nothing."""
    extra = [
        b"X-Empty:",
        b"X-Long: " + b"y" * source.choice((1, 100, 3000)),
        b"Accept: */*",
        b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
        b"Cookie: a=b; c=d",
        b"X-Bytes: \xe4\xf6\t~",
    ]
    lines = [b"Host: gateway", *headers, *source.sample(extra, source.randrange(4))]
    source.shuffle(lines)
    written = []
    for line in lines:
        name, _, value = line.partition(b":")
        name = source.choice((name, name.lower(), name.upper()))
        # httptools 0.6.4 does not recognize `close` before a space.
        end = b"" if name.lower() == b"connection" else source.choice((b"", b" "))
        written.append(name + b":" + source.choice((b"", b" ", b"\t ")) + value.strip() + end)
    return b"".join(line + b"\r\n" for line in written) + b"\r\n"


def _offer(source: random.Random) -> list[bytes]:
    offers: list[list[bytes]] = [
        [],
        [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c"],
        [b"Connection: keep-alive, Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x"],
        [b"Upgrade: TLS/1.0", b"Upgrade: other/2", b"Connection: upgrade"],
        [b"Upgrade: h2c"],
        [b"Connection: upgrade"],
    ]
    return source.choice(offers)


def _framed(source: random.Random, body: bytes) -> tuple[bytes, bytes]:
    """Return the header of a body's framing, and the body in it."""
    if source.random() < 0.5:
        return b"Content-Length: %d" % len(body), body
    cuts = sorted({0, len(body), *(source.randrange(len(body) + 1) for _ in range(source.randrange(5)))})
    chunks = b"".join(
        source.choice((b"%x", b"%X", b"0%x")) % (stop - start) + source.choice((b"", b";a=b")) + b"\r\n"
        + body[start:stop] + b"\r\n"
        for start, stop in pairwise(cuts)
    )  # fmt: skip
    return b"Transfer-Encoding: chunked", chunks + b"0\r\n" + source.choice((b"", b"X-Trailer: 1\r\n")) + b"\r\n"


def _post(source: random.Random, body: bytes, content_type: bytes, status: int) -> _Request:
    framing, framed = _framed(source, body)
    line = b"POST " + source.choice((b"/v1/traces", b"/v1/traces?a=b", b"http://gateway/v1/traces")) + b" HTTP/1.1\r\n"
    headers = _headers(source, b"Content-Type: " + content_type, framing, *_offer(source))
    return _Request(line + headers + framed, status, b"POST /v1/traces " + body)


def _bodyless(source: random.Random, line: bytes, status: int) -> _Request:
    return _Request(line + b" HTTP/1.1\r\n" + _headers(source, *_offer(source)), status, line + b" ")


def _last(source: random.Random) -> _Request:
    line = source.choice((b"POST /v1/traces HTTP/1.0\r\n", b"POST /v1/traces HTTP/1.1\r\n"))
    headers = [b"Content-Type: application/json", b"Content-Length: %d" % len(BODY), b"Connection: close"]
    return _Request(line + _headers(source, *headers) + BODY, 200, b"POST /v1/traces " + BODY, is_last=True)


def _invalid(source: random.Random) -> _Request:
    post, json = b"POST /v1/traces HTTP/1.1\r\n", b"Content-Type: application/json\r\n"
    chunked = post + json + b"Transfer-Encoding: chunked\r\n"
    forms = (
        post + json + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        post + json + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        post + json + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + SMUGGLED,
        post + json + b"Content-Length: +5\r\n\r\n" + SMUGGLED,
        post + json + b"Content-Length: 0x5\r\n\r\n" + SMUGGLED,
        post + json + b"Content-Length : 5\r\n\r\n" + SMUGGLED,
        post + json + b"Content-Length: 99999999999999999999999\r\n\r\n" + SMUGGLED,
        post + json + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
        post + b" folded: 1\r\n\r\n",
        post + b"X-Null: \0\r\n\r\n",
        post + b"X-Return: a\rb\r\n\r\n",
        b"CONNECT gateway:80 HTTP/1.1\r\nHost: gateway\r\n\r\n" + SMUGGLED,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /v1/traces HTTP/3.7\r\n\r\n",
        b"TRACES /v1/traces HTTP/1.1\r\n\r\n",
        chunked + b"\r\n-1\r\n",
        chunked + b"\r\n5\r\nabcdefgh\r\n",
        chunked + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\nzz\r\n" + SMUGGLED,
    )
    return _Request(source.choice(forms), 400, is_last=True)


KINDS: tuple[tuple[int, Callable[[random.Random], _Request]], ...] = (
    (40, lambda source: _post(source, BODY, b"application/json", 200)),
    (10, lambda source: _post(source, b"", b"application/x-protobuf; a=b", 200)),
    (10, lambda source: _post(source, SMUGGLED, b"application/json", 400)),
    (5, lambda source: _post(source, SMUGGLED, b"text/plain", 415)),
    (5, lambda source: _bodyless(source, b"GET /healthz", 200)),
    (5, lambda source: _bodyless(source, b"GET /v1/traces", 405)),
    (5, lambda source: _bodyless(source, b"DELETE /other", 404)),
    (8, _last),
    (12, _invalid),
)


def _connection(source: random.Random) -> list[_Request]:
    """Return the requests of a connection. The last one makes the server close it."""
    requests: list[_Request] = []
    makers, weights = [make for _, make in KINDS], [weight for weight, _ in KINDS]
    while not requests or not requests[-1].is_last:
        requests.append(source.choices(makers, weights)[0](source))
    return requests


def _responses(received: bytes) -> list[tuple[int, bytes]]:
    responses = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status_line, *lines = head.split(b"\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in lines)
        size = int(headers[b"content-length"])
        responses.append((int(status_line.split()[1]), rest[:size]))
        received = rest[size:]
    return responses


def _exchange(source: random.Random, port: int, requests: list[_Request]) -> list[tuple[int, bytes]]:
    """Send the requests of a connection in pieces, and return the status and the body of each response."""
    content = b"".join(request.content for request in requests)
    pieces = source.choice((1, 1, 2, 5, 30))
    cuts = sorted({0, len(content), *(source.randrange(len(content) + 1) for _ in range(pieces - 1))})
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start, stop in pairwise(cuts):
            connection.sendall(content[start:stop])
        received, is_reset = read_to_reset(connection)
        assert not is_reset, content
        return _responses(received)


def _gateway() -> Gateway:
    limits = {"client_requests_per_second": 0, "client_bytes_per_second": 0}
    settings = GatewaySettings.read({"http_port": 0, "grpc": False, **limits}, {})
    return Gateway(make_config(region="eu-central-1", max_requests_per_second=0), settings, _AcceptingClient())


def _returning_what_it_gets(inner: ASGIApp) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await inner(scope, receive, send)
            return
        seen, has_more = f"{scope['method']} {scope['path']} ".encode(), True
        while has_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            seen += message["body"]
            has_more = message["more_body"]
        headers = [(b"content-length", b"%d" % len(seen))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": seen})

    return application


@ON_LINUX
@pytest.mark.parametrize("part", range(PARTS))
def test_the_application_gets_each_valid_request_whole(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    """However it is cut, framed or followed, and with any offer to upgrade. No body becomes a request."""
    gateway = _gateway()
    monkeypatch.setattr(gateway, "app", _returning_what_it_gets(gateway.app))
    port = serve(gateway).http_port
    source = random.Random(20261128 + part)
    sent = 0
    while sent < REQUESTS // PARTS:
        requests = _connection(source)
        sent += len(requests)
        responses = _exchange(source, port, requests)
        expected = [(400, None) if request.seen is None else (200, request.seen) for request in requests]
        received = [(status, body if status == 200 else None) for status, body in responses]
        assert received == expected, [request.content for request in requests]
    gateway.close()


@ON_LINUX
def test_each_request_gets_its_response_in_order(serve: Serve) -> None:
    """No response is missing, early or twice."""
    gateway = _gateway()
    port = serve(gateway).http_port
    source = random.Random(20261128)
    sent = 0
    while sent < max(300, REQUESTS // 10):
        requests = _connection(source)
        sent += len(requests)
        statuses = [status for status, _ in _exchange(source, port, requests)]
        assert statuses == [request.status for request in requests], [request.content for request in requests]
    gateway.close()
