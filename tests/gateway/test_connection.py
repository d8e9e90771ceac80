"""Limits of connections: time, and size of heads and trailers."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator

import pytest

from otel_rum_exporter.gateway import connection
from tests.gateway.bodies import PROTOBUF, spans
from tests.gateway.conftest import MakeGateway, Serve
from tests.sockets import read_to_end, send_slowly

HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/x-protobuf\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 1024 * 1024


@pytest.fixture
def port(make_gateway: MakeGateway, serve: Serve) -> int:
    """Serve a gateway."""
    return serve(make_gateway(grpc=False)).http_port


@pytest.fixture
def client_socket(port: int) -> Iterator[socket.socket]:
    """Open a connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as opened:
        yield opened


@pytest.mark.parametrize("beginning", [b"", b"POST /v1/tr", HEAD, HEAD + b"X-Half: "])
def test_a_connection_without_a_complete_head_is_closed(
    monkeypatch: pytest.MonkeyPatch, port: int, beginning: bytes
) -> None:
    """A client may send nothing, or half a head."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as opened:
        opened.sendall(beginning)
        assert read_to_end(opened) == b""


def test_a_head_that_arrives_slowly_is_closed(monkeypatch: pytest.MonkeyPatch, client_socket: socket.socket) -> None:
    """Each byte would restart a timeout of the socket."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.3)
    with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
        send_slowly(client_socket, HEAD + b"X-Slow: " + b"y" * 1000)


def test_a_body_that_continues_after_its_response_is_closed(
    monkeypatch: pytest.MonkeyPatch, client_socket: socket.socket
) -> None:
    """Otherwise a client that sends slowly would keep the connection open forever."""
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.5)
    client_socket.sendall(HEAD.replace(b"x-protobuf", b"x-unknown") + b"Content-Length: 100000\r\n\r\n")
    assert client_socket.recv(65_536).startswith(b"HTTP/1.1 415 ")
    with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
        send_slowly(client_socket, b"x" * 1000)


@pytest.mark.parametrize(
    ("beginning", "endless"),
    [
        (HEAD, b"X-Header: 1\r\n"),
        (HEAD + b"X-Header: ", b"x"),
        (b"POST /v1/traces?", b"x"),
        (CHUNKED + b"1\r\nx\r\n0\r\n", b"X-Trailer: 1\r\n"),
        (CHUNKED + b"1\r\nx\r\n0\r\nX-Trailer: ", b"x"),
        (CHUNKED + b"1;", b"x"),
    ],
)
def test_an_endless_head_or_trailer_is_aborted(client_socket: socket.socket, beginning: bytes, endless: bytes) -> None:
    """The client cannot send all of it."""
    piece = endless * (MIB // len(endless))
    with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
        client_socket.sendall(beginning + 64 * piece)


def test_the_limit_applies_per_request_of_a_connection(port: int) -> None:
    """Many small heads, the framing of small chunks and large bodies do not count together."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    body = spans("work")
    for _ in range(200):
        client.request("POST", "/v1/traces", body, {**PROTOBUF, "X-Padding": "x" * 1000})
        response = client.getresponse()
        assert (response.status, response.read()) == (200, b"")
    client.request("POST", "/v1/traces", spans(*(f"large_{n}" for n in range(40)), text="x" * 200_000), PROTOBUF)
    assert client.getresponse().read() == b""
    body = spans(*(f"chunked_{n}" for n in range(5)), text="x" * 200_000)
    pieces = (body[start : start + 16] for start in range(0, len(body), 16))
    client.request("POST", "/v1/traces", pieces, PROTOBUF, encode_chunked=True)
    assert client.getresponse().read() == b""
    client.close()
