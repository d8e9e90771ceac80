"""OTLP over HTTP, apart from what otlp_conformance checks: events, authentication, limits and error responses."""

from __future__ import annotations

import importlib.util
import json
import zlib
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from otel_rum_exporter.delivery.spool.segment import Segment
from otel_rum_exporter.local import LocalRum
from tests.gateway.asgi import AsgiClient
from tests.gateway.bodies import JSON, PROTOBUF, json_spans, spans
from tests.gateway.conftest import Connect, MakeGateway
from tests.gateway.modules import execute
from tests.spans import APP_MONITOR_ID, START_NS
from tests.waiting import wait_until

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
    """Log records with an event name are events."""
    record = {"timeUnixNano": str(START_NS), "eventName": "coupon_used"}
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    assert client.post("/v1/logs", json.dumps(body).encode(), JSON).json() == {}
    rum.wait_for("coupon_used")


def test_deflate_is_accepted(rum: LocalRum, client: AsgiClient) -> None:
    """Some clients compress with it."""
    headers = {**PROTOBUF, "content-encoding": "deflate"}
    assert client.post("/v1/traces", zlib.compress(spans("work")), headers).status_code == 200
    rum.wait_for("work")


def test_partial_success_has_count_and_reason(client: AsgiClient) -> None:
    """Only the malformed record is rejected, with place and reason."""
    body = json_spans({}, {"spanId": "0" * 16}, {"traceId": 5})
    partial = client.post("/v1/traces", body, JSON).json()["partialSuccess"]
    assert partial == {
        "rejectedSpans": "2",
        "errorMessage": "2 rejected: resourceSpans[0].scopeSpans[0].spans[1].spanId is missing or all zeros; "
        "resourceSpans[0].scopeSpans[0].spans[2].traceId is 5, not a string",
    }


def test_a_malformed_part_is_a_warning(client: AsgiClient, rum: LocalRum) -> None:
    """The record is accepted without it."""
    body = json_spans({"name": "kept", "links": [{}]})
    partial = client.post("/v1/traces", body, JSON).json()["partialSuccess"]
    assert partial == {
        "errorMessage": "0 rejected: resourceSpans[0].scopeSpans[0].spans[0].links[0].traceId is missing or all zeros; "
        "it is ignored",
    }
    rum.wait_for("kept")


def test_a_body_of_unknown_members_is_a_warning(client: AsgiClient) -> None:
    """It names them, so that telemetry is not lost in silence."""
    partial = client.post("/v1/traces", b'{"spans": [{}]}', JSON).json()["partialSuccess"]
    assert partial == {"errorMessage": "0 rejected: spans is not read: OTLP has resourceSpans here"}


@pytest.mark.parametrize("headers", [JSON, PROTOBUF])
def test_spans_on_the_path_of_logs_are_read(client: AsgiClient, rum: LocalRum, headers: dict[str, str]) -> None:
    """Their form has no other meaning."""
    body = json_spans({"name": "misdirected"}) if headers is JSON else spans("misdirected")
    response = client.post("/v1/logs", body, headers)
    assert response.status_code == 200
    assert response.content in {b"{}", b""}
    rum.wait_for("misdirected")


def test_a_token_is_required_if_set(make_gateway: MakeGateway, connect: Connect) -> None:
    """Telemetry and metrics require it, health checks do not."""
    client = connect(make_gateway(token="secret").app)
    for wrong in (
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic secret"},
        {"authorization": "Bearer ä"},
    ):
        response = client.post("/v1/traces", b"{}", {**JSON, **wrong})
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
        assert response.json()["code"] == 16
    assert client.get("/metrics").status_code == 401
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    valid = {"authorization": "bearer secret"}
    assert client.post("/v1/traces", b"{}", {**JSON, **valid}).status_code == 200
    assert client.get("/metrics", valid).status_code == 200


def test_a_full_queue_rejects_with_a_retry_delay(rum: LocalRum, make_gateway: MakeGateway, connect: Connect) -> None:
    """Acknowledged events are not dropped for later ones; requests are accepted again when there is room."""
    rum.answer(503, times=1_000_000)
    client = connect(make_gateway({"max_memory_bytes": 1024 * 1024, "timeout_millis": 50}).app)
    accepted = 0
    for _ in range(1000):
        response = client.post("/v1/traces", spans(*["work"] * 100, note="x" * 200), PROTOBUF)
        if response.status_code != 200:
            break
        accepted += 100
    assert (response.status_code, int(response.headers["retry-after"]) > 0) == (503, True)
    assert client.get("/readyz").status_code == 503
    assert f"otel_rum_events_stored {accepted}" in client.get("/metrics").text
    assert 'otel_rum_events_dropped_total{reason="queue_full"} 0' in client.get("/metrics").text


def test_events_that_are_not_on_disk_are_not_acknowledged(
    rum: LocalRum,
    make_gateway: MakeGateway,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the spool's disk fails, clients keep their telemetry; only the first attempt may be repeated."""
    client = connect(make_gateway({"spool_directory": str(tmp_path)}).app)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as failing:
        failing.setattr(Segment, "put", fail)
        for _ in range(3):
            response = client.post("/v1/traces", spans("work"), PROTOBUF)
            assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        assert client.get("/readyz").status_code == 503
    wait_until(lambda: client.get("/readyz").status_code == 200)
    assert client.post("/v1/traces", spans("kept"), PROTOBUF).status_code == 200
    rum.wait_for("kept")
    assert len(rum.events("work")) == 1


def test_a_closing_gateway_rejects_requests(make_gateway: MakeGateway, connect: Connect) -> None:
    """Clients retry with its successor."""
    gateway = make_gateway()
    client = connect(gateway.app)
    gateway.close()
    response = client.post("/v1/traces", b"{}", JSON)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert (client.get("/readyz").status_code, client.get("/healthz").status_code) == (503, 200)


def test_closing_delivers_what_was_accepted(rum: LocalRum, make_gateway: MakeGateway) -> None:
    """The end of the application's lifespan closes the gateway."""
    rum.delay_seconds = 0.05
    with AsgiClient(make_gateway().app) as client:
        for number in range(20):
            client.post("/v1/traces", spans(f"work_{number}", session_id=f"session {number}"), PROTOBUF)
    assert len(rum.events) == 20


def test_a_resource_selects_an_app_monitor_of_the_list(
    rum: LocalRum, make_gateway: MakeGateway, connect: Connect
) -> None:
    """By id or alias; others are rejected, and so is a wrong alias."""
    client = connect(make_gateway(app_monitors=f"{OTHER_MONITOR}=shop").app)
    other = "00000000-aaaa-4bbb-8ccc-000000000003"
    resources = {
        "default": {},
        "id": {"aws.rum.appmonitor.id": OTHER_MONITOR},
        "alias": {"aws.rum.appmonitor.alias": "shop"},
        "other": {"aws.rum.appmonitor.id": other},
        "wrong_alias": {"aws.rum.appmonitor.id": OTHER_MONITOR, "aws.rum.appmonitor.alias": "other"},
    }
    partial = {}
    for name, resource in resources.items():
        response = client.post("/v1/traces", json_spans({"name": name}, resource=resource), JSON)
        partial[name] = response.json().get("partialSuccess", {}).get("rejectedSpans")
    assert partial == {"default": None, "id": None, "alias": None, "other": "1", "wrong_alias": "1"}
    events = {event.type: event.app_monitor_id for event in rum.wait_for(count=3)}
    assert events == {"default": APP_MONITOR_ID, "id": OTHER_MONITOR, "alias": OTHER_MONITOR}


def test_an_internal_error_is_reported_as_internal(
    client: AsgiClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets no details."""

    def fail(*_: object) -> None:
        raise ValueError("boom")

    monkeypatch.setattr("otel_rum_exporter.gateway.receiver.decode_json", fail)
    response = client.post("/v1/traces", b"{}", JSON)
    assert (response.status_code, response.json()) == (500, {"code": 13, "message": "internal error"})
    assert "To fix: report this traceback" in caplog.text


@pytest.mark.parametrize(
    ("origin", "method", "refused"),
    [
        ("https://other.example", "POST", "origin"),
        ("https://shop.example", "DELETE", "method"),
        ("https://other.example", "PUT", "origin, method"),
    ],
)
def test_a_refused_preflight_is_a_status(
    make_gateway: MakeGateway, connect: Connect, origin: str, method: str, refused: str
) -> None:
    """In JSON, because a preflight has no encoding."""
    client = connect(make_gateway(allowed_origins="https://shop.example").app)
    headers = {"origin": origin, "access-control-request-method": method}
    response = client.request("OPTIONS", "/v1/traces", b"", headers)
    assert (response.status_code, response.headers["content-type"]) == (403, "application/json")
    assert response.json() == {"code": 7, "message": f"Disallowed CORS {refused}"}


def test_it_mounts_under_another_application(rum: LocalRum, make_gateway: MakeGateway, connect: Connect) -> None:
    """Its paths are below the mount path."""
    client = connect(Starlette(routes=[Mount("/otlp", make_gateway().app)]))
    assert client.post("/otlp/v1/traces", spans("work"), PROTOBUF).status_code == 200
    rum.wait_for("work")


@pytest.mark.usefixtures("exporter_environment")
def test_module_has_an_application_with_the_settings_of_the_environment(rum: LocalRum) -> None:
    """ASGI servers are given `otel_rum_exporter.gateway:app`."""
    module = execute(importlib.util.find_spec("otel_rum_exporter.gateway"))
    assert module.app is module.app
    with AsgiClient(module.app) as client:
        client.post("/v1/traces", spans("work"), PROTOBUF)
    assert [event.type for event in rum.events] == ["work"]


def test_metrics_count_requests_records_and_events(rum: LocalRum, client: AsgiClient) -> None:
    """Requests by response, records by signal, events by the ledger."""
    client.post("/v1/traces", json_spans({}, {"spanId": ""}), JSON)
    client.post("/v1/traces", b"{", JSON)
    rum.wait_for("work")
    wait_until(lambda: "events_delivered_total 1" in client.get("/metrics").text)
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
