"""Limits of connections: time, and size of heads and trailers."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import re
import socket
import struct
import threading
from collections.abc import Iterator

import httpx
import pytest
from google.protobuf.json_format import Parse
from google.rpc.status_pb2 import Status

from otel_rum_exporter.gateway import connection, lingering
from otel_rum_exporter.gateway.server import Server
from otel_rum_exporter.local import LocalRum
from tests.gateway.bodies import PROTOBUF, spans
from tests.gateway.conftest import MakeGateway, Serve
from tests.sockets import read_to_end, read_to_reset, send_slowly
from tests.waiting import wait_until

HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/x-protobuf\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 1024 * 1024
IDLE_CONNECTIONS = 9000 if os.environ.get("LONG_FAULTS") else 300


@pytest.fixture
def port(make_gateway: MakeGateway, serve: Serve) -> int:
    """Serve a gateway."""
    return serve(make_gateway(grpc=False, client_requests_per_second=0)).http_port


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


def test_idle_connections_do_not_keep_others_from_being_served(port: int) -> None:
    """As many as the limit of descriptors allows, with one for each side."""
    resource = pytest.importorskip("resource")
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as idle:
        for _ in range(min(IDLE_CONNECTIONS, (descriptors - 200) // 2)):
            idle.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
        with socket.create_connection(("127.0.0.1", port), timeout=20) as opened:
            opened.sendall(HEAD + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            assert read_to_end(opened).startswith(b"HTTP/1.1 200 ")


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


def _responses(connection: socket.socket) -> list[tuple[int, str, bytes]]:
    """Return status, Content-Type and body of each response until the server closes the connection."""
    received = io.BytesIO(read_to_end(connection))
    responses = []
    while status_line := received.readline():
        headers = http.client.parse_headers(received)
        body = received.read(int(headers["content-length"]))
        responses.append((int(status_line.split()[1]), headers["content-type"], body))
    return responses


def _status_of(content_type: str, body: bytes) -> int:
    """Return the code of a google.rpc.Status."""
    status: Status = Parse(body, Status()) if content_type == "application/json" else Status.FromString(body)
    return int(status.code)


SMALL = HEAD + b"Content-Length: 0\r\n\r\n"
JSON_HEAD = HEAD.replace(b"x-protobuf", b"json; charset=utf-8")


@pytest.mark.parametrize(
    ("request_bytes", "content_type"),
    [
        (b"nonsense\r\n\r\n", "application/json"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), "application/json"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "application/json"),
        (HEAD + b"X-Header: 1\r\nBad Name: 1\r\n\r\n", "application/x-protobuf"),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "application/x-protobuf"),
        (JSON_HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "application/json"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "application/x-protobuf"),
        (JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxyz", "application/json"),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 20])
def test_a_request_that_is_not_http_gets_a_status_after_earlier_responses(
    client_socket: socket.socket,
    before: int,
    request_bytes: bytes,
    content_type: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In the encoding of its Content-Type if it is known. A client takes responses in the order of its requests.

    No log line: anyone could fill the log.
    """
    client_socket.sendall(SMALL * before + request_bytes + SMALL)
    *earlier, (status, found, body) = _responses(client_socket)
    assert [response[0] for response in earlier] == [200] * before
    assert (status, found, _status_of(found, body)) == (400, content_type, 3)
    assert not caplog.records


def test_an_invalid_chunk_after_an_early_response_gets_no_second_response(client_socket: socket.socket) -> None:
    """The client takes a second response for that of its next request."""
    client_socket.sendall(HEAD.replace(b"x-protobuf", b"x-unknown") + b"Transfer-Encoding: chunked\r\n\r\n")
    assert client_socket.recv(65_536).startswith(b"HTTP/1.1 415 ")
    client_socket.sendall(b"zz\r\n")
    assert read_to_end(client_socket) == b""


LAST = SMALL.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
UNREAD_BODY = (
    HEAD.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"x-protobuf", b"x-unknown") + b"Content-Length: 9000000\r\n\r\n"
)
LARGE_RESPONSE = b"GET /metrics HTTP/1.1\r\nHost: gateway\r\n\r\n"
LAST_REQUESTS = {
    "invalid": (b"nonsense\r\n\r\n", 400),
    "too large a head": (HEAD + b"X-Large: " + b"x" * connection.MAX_HEAD_BYTES, 400),
    "Connection: close": (LAST, 200),
    "a body that is not read": (UNREAD_BODY, 415),
}


@pytest.mark.parametrize("last", LAST_REQUESTS)
def test_all_responses_arrive_although_more_bytes_follow_the_last_request(
    monkeypatch: pytest.MonkeyPatch, port: int, last: str
) -> None:
    """A close with unread bytes would reset the connection, and lose the responses that the client cannot hold yet."""
    monkeypatch.setattr(lingering, "LINGER_SECONDS", 60)
    request, status = LAST_REQUESTS[last]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as opened:
        opened.sendall(LARGE_RESPONSE * 80 + SMALL + request)
        served = f'response="200"}} {1 + (status == 200)}\n'
        wait_until(lambda: served in httpx.get(f"http://127.0.0.1:{port}/metrics", verify=False).text)
        opened.sendall(b"x" * (6 * MIB))
        received, is_reset = read_to_reset(opened)
    assert [int(found) for found in re.findall(rb"HTTP/1.1 (\d+) ", received)] == [200] * 81 + [status]
    assert not is_reset


def test_no_request_after_the_last_is_served(rum: LocalRum, client_socket: socket.socket) -> None:
    """The discarded bytes are not read as a request."""
    client_socket.sendall(LAST)
    received = client_socket.recv(65_536)
    assert received.startswith(b"HTTP/1.1 200 ")
    body = spans("late")
    client_socket.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert read_to_end(client_socket) == b""
    assert not rum.events("late")


def test_a_client_that_sends_on_after_the_last_response_is_closed(
    monkeypatch: pytest.MonkeyPatch, client_socket: socket.socket
) -> None:
    """After a time, however slowly it sends."""
    monkeypatch.setattr(lingering, "LINGER_SECONDS", 0.3)
    client_socket.sendall(LAST)
    assert read_to_end(client_socket).startswith(b"HTTP/1.1 200 ")
    with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
        send_slowly(client_socket, b"x" * 1000)


@pytest.mark.parametrize("last", [LAST, b"nonsense\r\n\r\n"])
def test_a_client_that_sends_much_after_the_last_response_is_closed(client_socket: socket.socket, last: bytes) -> None:
    """After a number of bytes."""
    with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
        client_socket.sendall(last + b"x" * (4 * lingering.MAX_DISCARDED_BYTES))


def test_a_shutdown_waits_for_no_idle_or_discarded_client(
    make_gateway: MakeGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After its limit of time uvicorn would log that it gave up."""
    monkeypatch.setattr(lingering, "LINGER_SECONDS", 600)
    server = Server(make_gateway(grpc=False))
    thread = threading.Thread(target=server.run, args=(lambda _: None,))
    thread.start()
    address = ("127.0.0.1", server.bound.http_port)
    with socket.create_connection(address, timeout=20) as idle, socket.create_connection(address, timeout=20) as last:
        for opened, request in ((idle, SMALL), (last, LAST)):
            opened.sendall(request)
            assert opened.recv(65_536).startswith(b"HTTP/1.1 200 ")
        server.stop()
        thread.join()
        assert read_to_end(idle) == b""
    assert not caplog.records


def test_a_client_that_is_gone_is_not_logged(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """Its responses are written to a closed connection."""
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as opened:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            opened.sendall(SMALL * 20 + LAST)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as opened:
        opened.sendall(LAST)
        assert read_to_end(opened).startswith(b"HTTP/1.1 200 ")
    assert not caplog.records
