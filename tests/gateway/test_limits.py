"""Limits of clients and requests over HTTP."""

from __future__ import annotations

import gzip
import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from otel_rum_exporter.gateway import otlp_http
from otel_rum_exporter.otlp import MAX_RECORDS
from tests.gateway.asgi import AsgiClient
from tests.gateway.bodies import JSON, PROTOBUF, json_spans
from tests.gateway.conftest import Connect, MakeGateway, Serve
from tests.waiting import wait_until

OTHER_MONITOR = "00000000-aaaa-4bbb-8ccc-000000000002"


def test_the_request_rate_of_an_address_is_limited(make_gateway: MakeGateway, connect: Connect) -> None:
    """Requests above it get a retry delay; other addresses are served."""
    gateway = make_gateway(client_requests_per_second=3)
    flood, other = connect(gateway.app), connect(gateway.app, address="192.0.2.2")
    statuses: list[int] = []
    while 429 not in statuses and len(statuses) < 100:
        statuses.append(flood.post("/v1/traces", b"{}", JSON).status_code)
    assert statuses[:3] == [200] * 3
    assert statuses[-1] == 429
    assert other.post("/v1/traces", b"{}", JSON).status_code == 200


def test_a_forwarded_address_is_used_only_from_a_trusted_proxy(make_gateway: MakeGateway, serve: Serve) -> None:
    """Otherwise a client could choose its address."""
    statuses = []
    for trusted in ("127.0.0.1", ""):
        bound = serve(make_gateway(client_bytes_per_second=1, trusted_proxies=trusted))
        url = f"http://127.0.0.1:{bound.http_port}/v1/traces"
        with httpx.Client(verify=False) as client:
            for address in ("192.0.2.1", "192.0.2.2"):
                response = client.post(url, content=json_spans({}), headers={**JSON, "x-forwarded-for": address})
                statuses.append(response.status_code)
    assert statuses == [200, 200, 200, 429]


def test_the_byte_rate_of_an_address_is_limited(make_gateway: MakeGateway, connect: Connect) -> None:
    """Decompressed bytes count; one request may exceed the rate, and the next one waits."""
    client = connect(make_gateway(client_bytes_per_second=1000).app)
    body, headers = gzip.compress(b"{" + b" " * 100_000 + b"}"), {**JSON, "content-encoding": "gzip"}
    assert client.post("/v1/traces", body, headers).status_code == 200
    response = client.post("/v1/traces", body, headers)
    assert (response.status_code, int(response.headers["retry-after"]) > 90) == (429, True)


def test_the_byte_rate_includes_what_has_no_content(make_gateway: MakeGateway, connect: Connect) -> None:
    """Compressed bytes count, also if the body is rejected."""
    client = connect(make_gateway(client_bytes_per_second=1000).app)
    headers = {**JSON, "content-encoding": "gzip"}
    assert client.post("/v1/traces", gzip.compress(b"") * 1000, headers).status_code == 400
    assert client.post("/v1/traces", gzip.compress(b"{}"), headers).status_code == 429


def test_each_app_monitor_has_its_own_record_rate(make_gateway: MakeGateway, connect: Connect) -> None:
    """Records above it are rejected with a retry delay."""
    client = connect(make_gateway(app_monitors=OTHER_MONITOR, max_records_per_second=2).app)
    many = json_spans(*[{}] * 20, resource={"aws.rum.appmonitor.id": OTHER_MONITOR})
    statuses = [client.post("/v1/traces", many, JSON).status_code for _ in range(2)]
    assert statuses == [200, 429]
    assert client.post("/v1/traces", json_spans({}), JSON).status_code == 200


def test_too_many_records_are_rejected(client: AsgiClient) -> None:
    """A span may have two bytes, so their number is limited."""
    body = b"\x0a\x00" * (MAX_RECORDS + 1)
    assert client.post("/v1/traces", body, PROTOBUF).status_code == 413
    dense = b'{"resourceSpans":[' + b"{}," * 2_000_001 + b"{}]}"
    assert client.post("/v1/traces", dense, JSON).status_code == 413


def test_the_bytes_of_requests_in_flight_are_limited(make_gateway: MakeGateway, serve: Serve) -> None:
    """An address may use half of them, so that its slow requests leave room for others. All have room again later."""
    gateway = make_gateway(max_body_bytes=100_000, trusted_proxies="127.0.0.1")
    url = f"http://127.0.0.1:{serve(gateway).http_port}/v1/traces"
    whole_body = b"{" + b" " * 90_000 + b"}"
    may_end = threading.Event()

    def slow_body() -> Iterator[bytes]:
        yield whole_body[:-1]
        may_end.wait(30)
        yield whole_body[-1:]

    def post(number: int, body: bytes | Iterator[bytes]) -> int:
        headers = {**JSON, "x-forwarded-for": f"192.0.2.{number}"}
        return httpx.post(url, content=body, headers=headers, verify=False).status_code

    def wait_for(size_bytes: int) -> None:
        metrics_url = url.replace("v1/traces", "metrics")
        wait_until(lambda: f"in_flight_bytes {size_bytes}\n" in httpx.get(metrics_url, verify=False).text)

    with ThreadPoolExecutor(4) as threads:
        slow = [threads.submit(post, 1, slow_body()) for _ in range(2)]
        wait_for(180_002)
        assert [post(number, whole_body) for number in (1, 2)] == [503, 200]
        slow += [threads.submit(post, number, slow_body()) for number in (2, 3)]
        wait_for(360_004)
        assert post(4, whole_body) == 503
        may_end.set()
        assert [one.result() for one in slow] == [200] * 4
    assert [post(number, whole_body) for number in (1, 4)] == [200, 200]


def test_a_body_that_does_not_arrive_is_an_error(
    make_gateway: MakeGateway, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is not kept forever."""
    monkeypatch.setattr(otlp_http, "BODY_SECONDS", 0.05)
    connection = http.client.HTTPConnection("127.0.0.1", serve(make_gateway()).http_port, timeout=30)
    connection.putrequest("POST", "/v1/traces")
    for name, value in {**JSON, "content-length": "100"}.items():
        connection.putheader(name, value)
    connection.endheaders(b"{")
    assert connection.getresponse().status == 408
    connection.close()
