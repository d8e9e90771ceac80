"""OTLP over HTTP: what reaches RUM, who may send, what is refused; what all receivers owe is in otlp_conformance."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from otel_rum_exporter.delivery.spool.file import SpoolFile
from otel_rum_exporter.gateway import Gateway, GatewaySettings, otlp_http
from otel_rum_exporter.gateway.receiver import MAX_RECORDS
from otel_rum_exporter.local import LocalRum
from tests.gateway.asgi import AsgiClient
from tests.gateway.bodies import JSON, PROTOBUF, json_spans, spans
from tests.gateway.conftest import MakeGateway
from tests.spans import APP_MONITOR_ID, START_NS

OTHER_MONITOR = "00000000-aaaa-4bbb-8ccc-000000000002"
SESSION = "0f0e0d0c-0b0a-4908-8706-050403020100"


@pytest.mark.parametrize(
    ("headers", "body"),
    [(PROTOBUF, spans("add_to_cart", session_id=SESSION)), (JSON, json_spans({"name": "add_to_cart"}))],
)
def test_spans_become_events(rum: LocalRum, client: AsgiClient, headers: dict[str, str], body: bytes) -> None:
    """Both encodings reach RUM through the exporter's mapping."""
    assert client.post("/v1/traces", body, headers).status_code == 200
    (event,) = rum.wait_for("add_to_cart")
    assert event.app_monitor_id == APP_MONITOR_ID


def test_log_records_become_events(rum: LocalRum, client: AsgiClient) -> None:
    """If they have an event name."""
    record = {"timeUnixNano": str(START_NS), "eventName": "coupon_used"}
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    assert client.post("/v1/logs", json.dumps(body).encode(), JSON).json() == {}
    rum.wait_for("coupon_used")


def test_deflate_is_accepted(rum: LocalRum, client: AsgiClient) -> None:
    """It is gzip without its header."""
    headers = {**PROTOBUF, "content-encoding": "deflate"}
    assert client.post("/v1/traces", zlib.compress(spans("work")), headers).status_code == 200
    rum.wait_for("work")


def test_partial_success_has_count_and_reason(client: AsgiClient) -> None:
    """Only the malformed record is rejected, with place and reason."""
    body = json_spans({}, {"spanId": "0" * 16}, {"name": 5})
    partial = client.post("/v1/traces", body, JSON).json()["partialSuccess"]
    assert partial == {
        "rejectedSpans": "2",
        "errorMessage": "2 rejected: resourceSpans[0].scopeSpans[0].spans[1].spanId is missing or all zeros; "
        "resourceSpans[0].scopeSpans[0].spans[2].name is 5, not a string",
    }


def test_a_token_is_required_if_set(make_gateway: MakeGateway, connect: Callable[..., AsgiClient]) -> None:
    """For telemetry and metrics, but not for health checks."""
    client = connect(make_gateway(token="secret").app)
    for shown in (
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic secret"},
        {"authorization": "Bearer ä"},
    ):
        answer = client.post("/v1/traces", b"{}", {**JSON, **shown})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json()["code"] == 16
    assert client.get("/metrics").status_code == 401
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    shown = {"authorization": "bearer secret"}
    assert client.post("/v1/traces", b"{}", {**JSON, **shown}).status_code == 200
    assert client.get("/metrics", shown).status_code == 200


def test_a_full_queue_rejects_with_a_retry_delay(
    rum: LocalRum, make_gateway: MakeGateway, connect: Callable[..., AsgiClient]
) -> None:
    """Acknowledged events are not dropped for later ones; requests are accepted again when there is room."""
    rum.answer(503, times=1_000_000)
    client = connect(make_gateway({"max_memory_bytes": 1024 * 1024, "timeout_millis": 50}).app)
    taken = 0
    for _ in range(1000):
        answer = client.post("/v1/traces", spans(*["work"] * 100, note="x" * 200), PROTOBUF)
        if answer.status_code != 200:
            break
        taken += 100
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)
    assert client.get("/readyz").status_code == 503
    assert f"otel_rum_events_stored {taken}" in client.get("/metrics").text
    assert 'otel_rum_events_dropped_total{reason="queue_full"} 0' in client.get("/metrics").text


def test_events_that_are_not_on_disk_are_not_acknowledged(
    rum: LocalRum,
    make_gateway: MakeGateway,
    connect: Callable[..., AsgiClient],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the spool's disk fails, clients keep their telemetry; only the first attempt may be repeated."""
    client = connect(make_gateway({"spool_directory": str(tmp_path)}).app)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as failing:
        failing.setattr(SpoolFile, "put", fail)
        for _ in range(3):
            answer = client.post("/v1/traces", spans("work"), PROTOBUF)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert client.get("/readyz").status_code == 503
    while client.get("/readyz").status_code != 200:
        time.sleep(0.05)
    assert client.post("/v1/traces", spans("kept"), PROTOBUF).status_code == 200
    rum.wait_for("kept")
    assert len(rum.events("work")) == 1


def test_a_closing_gateway_rejects_requests(make_gateway: MakeGateway, connect: Callable[..., AsgiClient]) -> None:
    """Clients retry with its successor."""
    gateway = make_gateway()
    client = connect(gateway.app)
    gateway.close()
    answer = client.post("/v1/traces", b"{}", JSON)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert (client.get("/readyz").status_code, client.get("/healthz").status_code) == (503, 200)


def test_closing_delivers_what_was_accepted(rum: LocalRum, make_gateway: MakeGateway) -> None:
    """At the end of the application's lifespan."""
    rum.delay_seconds = 0.05
    with AsgiClient(make_gateway().app) as client:
        for number in range(20):
            client.post("/v1/traces", spans(f"work_{number}", session_id=f"session {number}"), PROTOBUF)
    assert len(rum.events) == 20


def test_the_request_rate_of_an_address_is_limited(
    make_gateway: MakeGateway, connect: Callable[..., AsgiClient]
) -> None:
    """Requests above it get a retry delay; other addresses are served."""
    gateway = make_gateway(client_requests_per_second=3)
    flood, other = connect(gateway.app), connect(gateway.app, address="192.0.2.2")
    statuses: list[int] = []
    while 429 not in statuses and len(statuses) < 100:
        statuses.append(flood.post("/v1/traces", b"{}", JSON).status_code)
    assert statuses[:3] == [200] * 3
    assert statuses[-1] == 429
    assert other.post("/v1/traces", b"{}", JSON).status_code == 200


def test_a_forwarded_address_is_used_only_from_a_trusted_proxy(
    make_gateway: MakeGateway, serve: Callable[[Gateway], GatewaySettings]
) -> None:
    """Otherwise a client could choose its address."""
    found = []
    for trusted in ("127.0.0.1", ""):
        bound = serve(make_gateway(client_bytes_per_second=1, trusted_proxies=trusted))
        url = f"http://127.0.0.1:{bound.http_port}/v1/traces"
        with httpx.Client() as client:
            for address in ("192.0.2.1", "192.0.2.2"):
                answer = client.post(url, content=json_spans({}), headers={**JSON, "x-forwarded-for": address})
                found.append(answer.status_code)
    assert found == [200, 200, 200, 429]


def test_the_byte_rate_of_an_address_is_limited(make_gateway: MakeGateway, connect: Callable[..., AsgiClient]) -> None:
    """Decompressed bytes count; one request may exceed the rate, and the next one waits."""
    client = connect(make_gateway(client_bytes_per_second=1000).app)
    body, headers = gzip.compress(b"{" + b" " * 100_000 + b"}"), {**JSON, "content-encoding": "gzip"}
    assert client.post("/v1/traces", body, headers).status_code == 200
    answer = client.post("/v1/traces", body, headers)
    assert (answer.status_code, int(answer.headers["retry-after"]) > 90) == (429, True)


def test_a_resource_selects_an_app_monitor_of_the_list(
    rum: LocalRum, make_gateway: MakeGateway, connect: Callable[..., AsgiClient]
) -> None:
    """By id or alias; others are rejected, and so is a wrong alias."""
    client = connect(make_gateway(app_monitors=f"{OTHER_MONITOR}=shop").app)
    other = "00000000-aaaa-4bbb-8ccc-000000000003"
    by = {
        "default": {},
        "id": {"aws.rum.appmonitor.id": OTHER_MONITOR},
        "alias": {"aws.rum.appmonitor.alias": "shop"},
        "other": {"aws.rum.appmonitor.id": other},
        "wrong_alias": {"aws.rum.appmonitor.id": OTHER_MONITOR, "aws.rum.appmonitor.alias": "other"},
    }
    partial = {}
    for name, resource in by.items():
        answer = client.post("/v1/traces", json_spans({"name": name}, resource=resource), JSON)
        partial[name] = answer.json().get("partialSuccess", {}).get("rejectedSpans")
    assert partial == {"default": None, "id": None, "alias": None, "other": "1", "wrong_alias": "1"}
    events = {event.type: event.app_monitor_id for event in rum.wait_for(count=3)}
    assert events == {"default": APP_MONITOR_ID, "id": OTHER_MONITOR, "alias": OTHER_MONITOR}


def test_each_app_monitor_has_its_own_record_rate(
    make_gateway: MakeGateway, connect: Callable[..., AsgiClient]
) -> None:
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


def test_the_bytes_of_requests_in_flight_are_limited(
    make_gateway: MakeGateway, serve: Callable[[Gateway], GatewaySettings]
) -> None:
    """There is room again after they end."""
    gateway = make_gateway(max_body_bytes=100_000)
    url = f"http://127.0.0.1:{serve(gateway).http_port}/v1/traces"
    more, statuses = threading.Event(), []

    def slowly() -> Any:
        yield b"{" + b" " * 90_000
        more.wait(30)
        yield b"}"

    threads = [threading.Thread(target=lambda: httpx.post(url, content=slowly(), headers=JSON)) for _ in range(4)]
    for thread in threads:
        thread.start()
    while "otel_rum_gateway_in_flight_bytes 360004" not in httpx.get(url.replace("v1/traces", "metrics")).text:
        time.sleep(0.01)
    statuses.append(httpx.post(url, content=b"{" + b" " * 90_000 + b"}", headers=JSON).status_code)
    more.set()
    for thread in threads:
        thread.join()
    statuses.append(httpx.post(url, content=b"{" + b" " * 90_000 + b"}", headers=JSON).status_code)
    assert statuses == [503, 200]


def test_a_body_that_does_not_arrive_is_an_error(
    make_gateway: MakeGateway, serve: Callable[[Gateway], GatewaySettings], monkeypatch: pytest.MonkeyPatch
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


def test_an_internal_error_is_reported_as_internal(
    client: AsgiClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without details for the client."""

    def fail(*_: object) -> None:
        raise ValueError("boom")

    monkeypatch.setattr("otel_rum_exporter.gateway.receiver.decode_json", fail)
    answer = client.post("/v1/traces", b"{}", JSON)
    assert (answer.status_code, answer.json()) == (500, {"code": 13, "message": "internal error"})
    assert "To fix: report this" in caplog.text


def test_it_mounts_under_another_application(
    rum: LocalRum, make_gateway: MakeGateway, connect: Callable[..., AsgiClient]
) -> None:
    """Its paths are below the mount path."""
    client = connect(Starlette(routes=[Mount("/otlp", make_gateway().app)]))
    assert client.post("/otlp/v1/traces", spans("work"), PROTOBUF).status_code == 200
    rum.wait_for("work")


def test_the_application_of_the_environment(rum: LocalRum, monkeypatch: pytest.MonkeyPatch) -> None:
    """`otel_rum_exporter.gateway:app`, for ASGI servers."""
    import otel_rum_exporter.gateway

    monkeypatch.setenv("OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID", APP_MONITOR_ID)
    monkeypatch.setenv("OTEL_EXPORTER_AWS_RUM_ENDPOINT", rum.url)
    monkeypatch.setenv("OTEL_EXPORTER_AWS_RUM_SIGNING", "none")
    otel_rum_exporter.gateway._from_environment.cache_clear()
    with AsgiClient(otel_rum_exporter.gateway.app) as client:
        client.post("/v1/traces", spans("work"), PROTOBUF)
    assert [event.type for event in rum.events] == ["work"]
    otel_rum_exporter.gateway._from_environment.cache_clear()


def test_metrics_count_requests_records_and_events(rum: LocalRum, client: AsgiClient) -> None:
    """Requests by response, records by signal, events by the ledger."""
    client.post("/v1/traces", json_spans({}, {"spanId": ""}), JSON)
    client.post("/v1/traces", b"{", JSON)
    rum.wait_for("work")
    while "events_delivered_total 1" not in client.get("/metrics").text:
        time.sleep(0.01)
    metrics = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if line[0] != "#")
    assert {name.removeprefix("otel_rum_"): int(value) for name, value in metrics.items() if value != "0"} == {
        'gateway_requests_total{transport="http",response="200"}': 1,
        'gateway_requests_total{transport="http",response="400"}': 1,
        'gateway_records_total{signal="traces"}': 2,
        'gateway_rejected_records_total{signal="traces"}': 1,
        "events_accepted_total": 1,
        "events_delivered_total": 1,
    }
    assert json.loads(client.get("/nothing").text)["code"] == 12
