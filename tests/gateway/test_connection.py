"""What a connection may not do: take its time, and send a head without end."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from otel_rum_exporter.gateway import Gateway, GatewaySettings, connection
from tests.gateway.bodies import PROTOBUF, spans
from tests.gateway.conftest import MakeGateway

HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/x-protobuf\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 1024 * 1024

Serve = Callable[[Gateway], GatewaySettings]


@pytest.fixture
def port(make_gateway: MakeGateway, serve: Serve) -> int:
    """Serve a gateway."""
    return serve(make_gateway(grpc=False)).http_port


@pytest.fixture
def connected(port: int) -> Iterator[socket.socket]:
    """Open a connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as opened:
        yield opened


def _rest(opened: socket.socket) -> bytes:
    received = b""
    try:
        while piece := opened.recv(65_536):
            received += piece
    except ConnectionError:
        pass
    return received


def _trickle(opened: socket.socket, sent: bytes) -> None:
    for byte in sent:
        opened.sendall(bytes([byte]))
        time.sleep(0.02)


@pytest.mark.parametrize("begun", [b"", b"POST /v1/tr", HEAD, HEAD + b"X-Half: "])
def test_a_connection_without_a_complete_head_is_closed(
    monkeypatch: pytest.MonkeyPatch, port: int, begun: bytes
) -> None:
    """After nothing or half a head."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as opened:
        opened.sendall(begun)
        assert _rest(opened) == b""


def test_a_head_that_arrives_slowly_is_closed(monkeypatch: pytest.MonkeyPatch, connected: socket.socket) -> None:
    """A byte does not restart the deadline."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.3)
    with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
        _trickle(connected, HEAD + b"X-Slow: " + b"y" * 1000)


def test_a_body_that_continues_after_its_response_is_closed(
    monkeypatch: pytest.MonkeyPatch, connected: socket.socket
) -> None:
    """A slow body would keep the connection open forever."""
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.5)
    connected.sendall(HEAD.replace(b"x-protobuf", b"x-unknown") + b"Content-Length: 100000\r\n\r\n")
    assert connected.recv(65_536).startswith(b"HTTP/1.1 415 ")
    with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
        _trickle(connected, b"x" * 1000)


@pytest.mark.parametrize(
    ("begun", "endless"),
    [
        (HEAD, b"X-Header: 1\r\n"),
        (HEAD + b"X-Header: ", b"x"),
        (b"POST /v1/traces?", b"x"),
        (CHUNKED + b"1\r\nx\r\n0\r\n", b"X-Trailer: 1\r\n"),
        (CHUNKED + b"1\r\nx\r\n0\r\nX-Trailer: ", b"x"),
        (CHUNKED + b"1;", b"x"),
    ],
)
def test_an_endless_head_or_trailer_is_aborted(connected: socket.socket, begun: bytes, endless: bytes) -> None:
    """Nothing of it is kept."""
    piece = endless * (MIB // len(endless))
    with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
        connected.sendall(begun + 64 * piece)


def test_the_limit_applies_per_request_of_a_connection(port: int) -> None:
    """Heads of many requests, small chunks and large bodies do not add up."""
    sender = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    body = spans("work")
    for _ in range(200):
        sender.request("POST", "/v1/traces", body, {**PROTOBUF, "X-Padding": "x" * 1000})
        answer = sender.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
    sender.request("POST", "/v1/traces", spans(*(f"large_{n}" for n in range(40)), text="x" * 200_000), PROTOBUF)
    assert sender.getresponse().read() == b""
    body = spans(*(f"chunked_{n}" for n in range(5)), text="x" * 200_000)
    pieces = (body[start : start + 16] for start in range(0, len(body), 16))
    sender.request("POST", "/v1/traces", pieces, PROTOBUF, encode_chunked=True)
    assert sender.getresponse().read() == b""
    sender.close()
