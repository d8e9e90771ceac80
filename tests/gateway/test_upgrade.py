"""Requests that offer another protocol with `Upgrade`: they are served as HTTP/1.1, with their bodies.

Java's HttpClient and `curl --http2` offer HTTP/2 (`h2c`) with their first request.
"""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import httptools
import pytest

from otel_rum_exporter.gateway.connection import Parser
from otel_rum_exporter.local import LocalRum
from tests.gateway.asgi import AsgiClient
from tests.gateway.bodies import JSON, PROTOBUF, json_spans
from tests.gateway.conftest import MakeGateway, Serve

TOKEN = "made-up"
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n"
OFFERS = {
    "h2c": OFFER,
    "websocket": b"Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n",
    "several": b"UPGRADE: TLS/1.0, h2c\r\nConnection: upgrade\r\nUpgrade: other\r\n",
    "none": b"",
}
JAVA_CLIENT = """
import java.net.URI;
import java.net.http.*;
import java.nio.file.*;

class Send {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (int number = 0; number < 3; number++) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
                .header("Content-Type", "application/json")
                .header("Authorization", "Bearer made-up")
                .POST(HttpRequest.BodyPublishers.ofFile(Path.of(arguments[1])))
                .build();
            System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
        }
    }
}
"""


@pytest.fixture
def port(make_gateway: MakeGateway, serve: Serve) -> int:
    """Serve a gateway that requires a token."""
    return serve(make_gateway(grpc=False, token=TOKEN, client_requests_per_second=0)).http_port


@pytest.fixture
def client_socket(port: int) -> Iterator[socket.socket]:
    """Open a connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as opened:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield opened


def _crc(name: str) -> int:
    return zlib.crc32(name.encode())


def _request(name: str, offer: bytes = OFFER, *, is_chunked: bool = False, last: bool = False) -> bytes:
    body = json_spans({"name": name, "traceId": f"{_crc(name):032x}"})
    head = b"POST /v1/traces HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer made-up\r\n"
    head += b"Content-Type: application/json\r\n" + offer + (b"Connection: close\r\n" if last else b"")
    if not is_chunked:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    chunks = (body[:7], body[7:])
    framed = b"".join(b"%x;extension\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\nX-Trailer: 1\r\n\r\n"


def _statuses(connection: socket.socket, count: int) -> list[int]:
    """Read responses; a byte of the next one must not be read with one of them."""
    received = connection.makefile("rb")
    statuses = []
    for _ in range(count):
        status_line = received.readline()
        headers = http.client.parse_headers(received)
        received.read(int(headers["content-length"]))
        statuses.append(int(status_line.split()[1]))
    return statuses


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("offer", OFFERS)
def test_a_request_with_upgrade_is_served_with_its_body(
    rum: LocalRum, client_socket: socket.socket, offer: str, *, is_chunked: bool
) -> None:
    """The connection continues as HTTP/1.1."""
    for name in ("first", "second"):
        client_socket.sendall(_request(name, OFFERS[offer], is_chunked=is_chunked))
        assert _statuses(client_socket, 1) == [200]
    assert {event.type for event in rum.wait_for(count=2)} == {"first", "second"}


def test_a_body_behind_upgrade_is_no_request(rum: LocalRum, client_socket: socket.socket) -> None:
    """A request inside a body would pass a proxy's checks. Here the body is not JSON."""
    inner = _request("smuggled", b"")
    head = _request("outer").partition(b"Content-Length")[0]
    client_socket.sendall(head + b"Content-Length: %d\r\n\r\n" % len(inner) + inner + _request("next"))
    assert _statuses(client_socket, 2) == [400, 200]
    assert {event.type for event in rum.wait_for("next")} == {"next"}
    assert not rum.events("smuggled")


def test_upgrade_needs_authentication(client_socket: socket.socket) -> None:
    """Like any request."""
    client_socket.sendall(_request("work").replace(b"made-up", b"guessed"))
    assert _statuses(client_socket, 1) == [401]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_request_with_upgrade_may_arrive_byte_by_byte(
    rum: LocalRum, client_socket: socket.socket, *, is_chunked: bool
) -> None:
    """The offer may be in an earlier packet than the end of the head."""
    request = _request("split", is_chunked=is_chunked)
    for byte in request:
        client_socket.sendall(bytes([byte]))
    assert _statuses(client_socket, 1) == [200]
    rum.wait_for("split")


class _Recorder:
    """Records what a parser reports, like `Connection`."""

    def __init__(self) -> None:
        self.parser: httptools.HttpRequestParser = httptools.HttpRequestParser(self)
        self.url, self.headers = b"", list[tuple[bytes, bytes]]()
        self.bodies: list[bytes] = []

    def on_message_begin(self) -> None:
        self.url, self.headers = b"", []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if not self.parser.should_upgrade():
            self.bodies.append(b"")

    def on_body(self, body: bytes) -> None:
        self.bodies[-1] += body

    def head_without_upgrade(self) -> bytes:
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])


@pytest.mark.parametrize("is_chunked", [False, True])
def test_each_split_of_a_request_gives_the_same_body(*, is_chunked: bool) -> None:
    """Two packets, divided at any byte, with another request after it."""
    request = _request("one", is_chunked=is_chunked) + _request("two")
    expected = [json_spans({"name": name, "traceId": f"{_crc(name):032x}"}) for name in ("one", "two")]
    for split in range(len(request)):
        recorder = _Recorder()
        recorder.parser = Parser(recorder)  # type: ignore[arg-type]
        recorder.parser.feed_data(request[:split])
        recorder.parser.feed_data(request[split:])
        assert recorder.bodies == expected, split


@pytest.mark.xfail(strict=True, raises=httptools.HttpParserUpgrade, reason="httptools ends a request at its Upgrade")
def test_httptools_reads_the_body_of_a_request_with_upgrade() -> None:
    """`Parser` is no longer needed when this passes."""
    recorder = _Recorder()
    recorder.parser.feed_data(_request("work"))
    assert recorder.bodies


def test_a_hundred_pipelined_requests_in_one_packet_are_served(rum: LocalRum, client_socket: socket.socket) -> None:
    """With and without an offer, whole and chunked."""
    offers = list(OFFERS.values())
    client_socket.sendall(
        b"".join(_request(f"work_{n}", offers[n % len(offers)], is_chunked=n % 3 == 0) for n in range(100))
    )
    assert _statuses(client_socket, 100) == [200] * 100
    assert {event.type for event in rum.wait_for(count=100)} == {f"work_{n}" for n in range(100)}


@pytest.mark.parametrize("target", [b"example:443", b"/v1/traces"])
def test_connect_is_an_error(client_socket: socket.socket, target: bytes) -> None:
    """The gateway is no proxy."""
    client_socket.sendall(b"CONNECT %s HTTP/1.1\r\nHost: example\r\n\r\n" % target + _request("behind", b""))
    assert _statuses(client_socket, 1) == [400]
    assert client_socket.recv(1) == b""


def test_a_server_that_loses_the_body_is_an_error(client: AsgiClient) -> None:
    """Plain uvicorn calls the application without the body; the request must not be acknowledged."""
    offer = {**JSON, "connection": "upgrade", "upgrade": "h2c"}
    response = client.post("/v1/traces", b"", {**offer, "content-length": "100"})
    assert response.status_code == 400
    assert "Upgrade" in response.json()["message"]
    assert client.post("/v1/traces", b"", {**PROTOBUF, "upgrade": "h2c", "content-length": "0"}).status_code == 200
    assert client.post("/v1/traces", json_spans({}), offer).status_code == 200


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_with_http2_is_served(rum: LocalRum, port: int, tmp_path: Path) -> None:
    """`curl --http2` offers h2c."""
    (tmp_path / "body").write_bytes(json_spans({"name": "from_curl"}))
    command = ["curl", "--http2", "-sS", "-o", str(tmp_path / "response"), "-w", "%{http_code} %{http_version}"]
    command += ["-H", "content-type: application/json", "-H", f"authorization: Bearer {TOKEN}"]
    command += ["--data-binary", f"@{tmp_path / 'body'}", f"http://127.0.0.1:{port}/v1/traces"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "not support" in done.stderr:
        pytest.skip("curl has no HTTP/2")
    assert (done.stdout, done.stderr) == ("200 1.1", "")
    rum.wait_for("from_curl")


@pytest.mark.skipif(not shutil.which("java"), reason="java is not installed")
def test_java_is_served(rum: LocalRum, port: int, tmp_path: Path) -> None:
    """Java's HttpClient, which OpenTelemetry's JDK sender uses, offers h2c by default."""
    (tmp_path / "Send.java").write_text(JAVA_CLIENT)
    (tmp_path / "body").write_bytes(json_spans({"name": "from_java"}))
    command = ["java", "-XX:TieredStopAtLevel=1", str(tmp_path / "Send.java")]
    command += [f"http://127.0.0.1:{port}/v1/traces", str(tmp_path / "body")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    if "ClassNotFoundException" in done.stderr or "compiler" in done.stderr:
        pytest.skip("java is a runtime without the compiler")
    assert (done.stdout.split(), done.stderr) == (["200"] * 3, "")
    rum.wait_for("from_java")
