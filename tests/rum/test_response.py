"""Responses in RUM's place: only RUM's own success delivers, and only RUM's own error drops."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, ClassVar

import boto3
import botocore
import pytest
from botocore.config import Config as BotoConfig

from otel_rum_exporter.rum.batch import AppMonitor, Batch, BatchKey
from otel_rum_exporter.rum.client import Transport
from otel_rum_exporter.rum.encoded_events import EncodedEvents
from otel_rum_exporter.rum.errors import Disposition, Outcome
from otel_rum_exporter.rum.event import RumEvent
from otel_rum_exporter.rum.ids import event_id
from otel_rum_exporter.rum.response import NotRumError, check_success
from tests.spans import APP_MONITOR_ID, START_NS, make_config

PAGE = b"<!DOCTYPE html><title>Sign in</title>"
NIL = "00000000-0000-0000-0000-000000000000"
BATCH = Batch(
    BatchKey(AppMonitor(APP_MONITOR_ID, None, None, None), "11111111-1111-4111-8111-111111111111", NIL),
    (EncodedEvents.of([RumEvent.of(event_id("1"), START_NS, "work", "{}", "{}", "{}")]),),
)


class Answer(http.server.BaseHTTPRequestHandler):
    """Answer each request with the status, headers and body that a test sets."""

    status: ClassVar[int] = 200
    headers_to_send: ClassVar[dict[str, str]] = {}
    body: ClassVar[bytes] = b""
    raw: ClassVar[bytes] = b""
    piece_bytes: ClassVar[int] = 1000
    pause_seconds: ClassVar[float] = 0.0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.raw:
            for at in range(0, len(self.raw), self.piece_bytes):
                time.sleep(self.pause_seconds)
                self.wfile.write(self.raw[at : at + self.piece_bytes])
            return
        self.send_response(self.status)
        for name, value in {"Content-Length": str(len(self.body)), **self.headers_to_send}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Serve answers, and yield the URL."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module", params=["own client", "client passed in"])
def transport(request: pytest.FixtureRequest, url: str) -> Iterator[Transport]:
    """Return a transport with its own client, and one with a client of the application."""
    client: Any = None
    if request.param == "client passed in":
        config = BotoConfig(
            signature_version=botocore.UNSIGNED, inject_host_prefix=False, retries={"total_max_attempts": 1}
        )
        client = boto3.session.Session(region_name="us-east-1").client("rum", endpoint_url=url, config=config)
    one = Transport(make_config(endpoint=url, signing="none"), client)
    yield one
    one.close()
    if client is not None:
        client.close()


@pytest.fixture
def send(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Return a function that sends one event, and returns the outcome for an answer."""

    def answered(status: int, content_type: str | None = None, body: bytes = b"", **headers: str) -> Outcome:
        monkeypatch.setattr(Answer, "status", status)
        monkeypatch.setattr(Answer, "body", body)
        typed = {"Content-Type": content_type} if content_type else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        monkeypatch.setattr(Answer, "headers_to_send", {**typed, **named})
        return transport.send(BATCH)

    return answered


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (None, b""),
        ("application/json", b""),
        ("application/json", b"{}"),
        ("application/x-amz-json-1.1", b'{"status": 200, "error": null}'),
        (
            "application/json",
            b'{"code": 0, "success": true, "failedCount": 0, "errors": [], "accepted": [{"id": "1"}]}',
        ),
    ],
)
def test_status_200_with_an_empty_body_or_an_object_is_a_success(
    send: Callable[..., Outcome], content_type: Any, body: bytes
) -> None:
    """RUM documents an empty body."""
    assert send(200, content_type, body).disposition is Disposition.DELIVERED


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (200, "text/html", PAGE),
        (200, "Text/HTML; charset=utf-8", PAGE),
        (200, "TEXT/HTML", b""),
        (200, "application/xhtml+xml", PAGE),
        (200, None, PAGE),
        (200, "text/plain", b"OK"),
        (200, "text/xml", b"<ok/>"),
        (200, None, b"{"),
        (101, None, b""),
        (201, None, b""),
        (202, "application/json", b"{}"),
        (204, None, b""),
        (206, "application/json", b"{}"),
        (226, None, b""),
        (200, "image/gif", b""),
        (200, "application/javascript", b""),
        (200, "application/xml", b""),
    ],
)
def test_any_other_success_is_retried(
    send: Callable[..., Outcome], status: int, content_type: Any, body: bytes
) -> None:
    """30 of 30 events were lost and counted as delivered."""
    outcome = send(status, content_type, body)
    assert (outcome.disposition, outcome.reason) == (Disposition.RETRY, "NotRumError")
    assert str(status) in outcome.message


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b"true",
        b'"ok"',
        b'{"error": "blocked"}',
        b'{"errors": [{}]}',
        b'{"Message": "blocked"}',
        b'{"__type": "ThrottlingException"}',
        b'{"code": 7}',
        b'{"errorMessage": "x"}',
        b'{"success": false}',
        b'{"status": "failed"}',
        b'{"status": 503}',
        b'{"statusCode": 403}',
        b'{"http_status": "forbidden"}',
        b'{"success": 0}',
        b'{"success": "false"}',
        b'{"ok": null}',
        b'{"result": "blocked"}',
        b'{"state": "ERROR"}',
        b'{"denied": true}',
        b'{"login_url": "http://portal.example"}',
        b'{"FailedEventCount": 1}',
        b'{"Response": {"Errors": [{}]}}',
        b'{"Output": {"__type": "com.amazon.coral.service#InternalFailure"}, "Version": "1.0"}',
        b'{"results": [{"status": 500}]}',
        b"[" * 10_000,
    ],
)
def test_json_that_is_no_object_or_has_an_error_is_not_a_success(body: bytes) -> None:
    """With status 200."""
    with pytest.raises(NotRumError):
        check_success(200, {"content-type": "application/json"}, body)


@pytest.mark.parametrize("header", ["X_Amzn_ErrorType", "Location", "Refresh", "X_Amzn_Waf_Action"])
def test_status_200_with_a_header_of_an_error_or_a_sign_in_page_is_not_a_success(
    send: Callable[..., Outcome], header: str
) -> None:
    """Without a body, the header is the only sign."""
    assert send(200, **{header: "challenge"}).reason == "NotRumError"


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200",
        OK,
        OK + b"Date: today\r\n",
        OK + b"Date: today\r\nContent-Ty",
        OK + b"Content-Length: 100\r\n\r\n",
        OK + b"Content-Length: 100\r\n\r\n{}",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: many\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    ],
)
def test_a_response_that_is_cut_off_is_not_a_success(url: str, monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    """The rest may be a page. A head without its end, or a body shorter than its length, counted as delivered."""
    monkeypatch.setattr(Answer, "raw", raw)
    with closing(Transport(make_config(endpoint=url, signing="none"))) as transport:
        assert transport.send(BATCH).disposition is Disposition.RETRY


def test_a_head_that_arrives_byte_by_byte_ends_at_the_timeout(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte would restart a timeout of the socket."""
    monkeypatch.setattr(Answer, "raw", OK + b"Content-Length: 0\r\n\r\n")
    monkeypatch.setattr(Answer, "piece_bytes", 1)
    monkeypatch.setattr(Answer, "pause_seconds", 0.02)
    with closing(Transport(make_config(endpoint=url, signing="none", timeout_millis=100))) as transport:
        assert transport.send(BATCH).reason == "ReadTimeoutError"


@pytest.mark.parametrize("raw", [OK + b"\r\n", OK + b"Content-Length: 0\r\n\r\n", OK + b"Content-Length: 2\r\n\r\n{}"])
def test_a_whole_response_is_a_success(url: str, monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    """Also if the end of the connection is the end of its body."""
    monkeypatch.setattr(Answer, "raw", raw)
    with closing(Transport(make_config(endpoint=url, signing="none"))) as transport:
        assert transport.send(BATCH).disposition is Disposition.DELIVERED


@pytest.mark.parametrize(
    "raw",
    [
        OK + b"Content-Length: 0\r\n\r\n",
        OK + b"Content-Length: 2\r\n\r\n{}",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_a_whole_response_keeps_its_connection(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    """A new one takes several requests and responses, with TLS."""
    clients: set[tuple[str, int]] = set()

    class Persistent(Answer):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            clients.add(self.client_address)
            super().setup()

    monkeypatch.setattr(Answer, "raw", raw)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Persistent) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        config = make_config(endpoint=f"http://127.0.0.1:{server.server_port}", signing="none")
        with closing(Transport(config)) as transport:
            outcomes = [transport.send(BATCH).disposition for _ in range(3)]
        server.shutdown()
        thread.join()
    assert outcomes == [Disposition.DELIVERED] * 3
    assert len(clients) == 1


@pytest.mark.parametrize("status", [300, 302, 307, 400, 401, 403, 404, 407, 413, 418, 451, 500, 511])
def test_a_page_of_another_server_never_drops_or_waits(send: Callable[..., Outcome], status: int) -> None:
    """A proxy or firewall knows nothing about events and permissions. Its Retry-After is not RUM's either."""
    for content_type, body in ((None, PAGE), ("text/html", PAGE), ("application/json", b'{"message": "blocked"}')):
        outcome = send(status, content_type, body, Retry_After="3600")
        assert outcome.disposition is Disposition.RETRY
        assert outcome.retry_after_seconds is None


@pytest.mark.parametrize("status", [400, 413])
def test_an_error_of_rum_splits_the_batch(send: Callable[..., Outcome], status: int) -> None:
    """RUM names its type in a header, or a known code in a JSON object."""
    assert send(status, None, b"", X_Amzn_ErrorType="SomethingNew").disposition is Disposition.SPLIT
    assert send(status, None, b"", X_Amzn_ErrorType="").disposition is Disposition.RETRY
    code = b'{"code": "ValidationException", "message": "bad"}'
    assert send(status, "application/json", code).disposition is Disposition.SPLIT
    typed = b'{"__type": "aws#ValidationException", "message": "bad"}'
    assert send(status, "application/json", typed).disposition is Disposition.SPLIT


def test_throttling_by_a_proxy_is_throttling(send: Callable[..., Outcome]) -> None:
    """It says how long to wait, also without RUM's header."""
    outcome = send(429, "text/html", PAGE, Retry_After="7")
    assert (outcome.disposition, outcome.retry_after_seconds) == (Disposition.THROTTLED, 7.0)
    assert send(503, "text/html", PAGE, Retry_After="7").retry_after_seconds == 7.0
