"""Routes of resources: app monitor, session, browser and country."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from otel_rum_exporter.gateway import GatewaySettings
from otel_rum_exporter.gateway.application import config_of
from otel_rum_exporter.gateway.client import Client, address_of
from otel_rum_exporter.gateway.routing import (
    MAX_CACHED_BYTES,
    MAX_RESOURCE_BYTES,
    TOO_LARGE,
    NoRouteError,
    Routing,
    bound_ids,
)
from otel_rum_exporter.local import LocalRum
from otel_rum_exporter.otlp import DecodedResource
from tests.gateway.asgi import AsgiClient
from tests.gateway.bodies import JSON, json_spans
from tests.gateway.conftest import MakeGateway
from tests.spans import START_NS, make_config

MINUTE_NS = 60 * 1_000_000_000
CLIENT = Client("192.0.2.1")
CHROME = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"
)
SESSION = "0f0e0d0c-0b0a-4908-8706-050403020100"


def _routing(**settings: object) -> Routing:
    numbers = itertools.count(1)
    return Routing(make_config(), GatewaySettings.read(settings, {}), lambda: f"session {next(numbers)}")


def _session(routing: Routing, client: Client = CLIENT, now_ns: int = START_NS, **attributes: str) -> object:
    resource = DecodedResource({"service.name": "shop", **attributes})
    return routing.route(resource, client, now_ns).resource.attributes["session.id"]


def test_telemetry_without_session_gets_one_per_client_and_resource() -> None:
    """Another address or resource is another session."""
    routing = _routing()
    assert _session(routing) == _session(routing) == "session 1"
    assert _session(routing, Client("192.0.2.2")) == "session 2"
    assert _session(routing, instance="b") == "session 3"
    assert _session(routing) == "session 1"


def test_an_assigned_session_ends_after_30_minutes_of_silence() -> None:
    """Each request prolongs it."""
    routing = _routing()
    times = [0, 29, 58, 89]
    assert [_session(routing, now_ns=START_NS + minutes * MINUTE_NS) for minutes in times] == [
        "session 1",
        "session 1",
        "session 1",
        "session 2",
    ]


def test_a_resource_keeps_the_session_it_names() -> None:
    """By any attribute that the exporter reads."""
    routing = _routing()
    route = routing.route(DecodedResource({"session.id": SESSION}), CLIENT, START_NS)
    assert route.resource.attributes["session.id"] == SESSION
    resource = DecodedResource({"splunk.rumSessionId": SESSION})
    assert "session.id" not in routing.route(resource, CLIENT, START_NS).resource.attributes


def test_a_cached_route_is_one_object() -> None:
    """So that its resource is mapped once; large resources are not cached."""
    routing = _routing()
    for size, is_same in ((10, True), (MAX_CACHED_BYTES, False)):
        first, second = (routing.route(DecodedResource({"k": "x" * size}), CLIENT, START_NS) for _ in range(2))
        assert (first is second) is is_same
        assert first == second


def test_without_a_default_an_app_monitor_must_be_named() -> None:
    """A gateway with only a list rejects telemetry that names none of it."""
    monitor = "00000000-aaaa-4bbb-8ccc-000000000009"
    settings = GatewaySettings.read({"app_monitors": monitor}, {})
    routing = Routing(config_of(settings, {}), settings)
    with pytest.raises(NoRouteError, match=r"aws\.rum\.appmonitor\.id"):
        routing.route(DecodedResource({}), CLIENT, START_NS)
    resource = DecodedResource({"aws.rum.appmonitor.id": monitor})
    assert routing.route(resource, CLIENT, START_NS).monitor_id == monitor


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("unix:", "unix:"),
        ("", ""),
    ],
)
def test_an_ipv6_client_is_its_network(host: str, address: str) -> None:
    """A subscriber has a whole network of addresses."""
    assert address_of(host) == address


def test_sessions_from_the_internet_are_uuids_in_rum(rum: LocalRum, client: AsgiClient) -> None:
    """A UUID is unchanged, any other value is hashed."""
    ids = [SESSION, "x" * 5000, "a\x00b", "'; drop", "00000000-0000-0000-0000-000000000000"]
    found = [
        {"name": f"work_{number}", "attributes": [{"key": "session.id", "value": {"stringValue": session_id}}]}
        for number, session_id in enumerate(ids)
    ]
    client.post("/v1/traces", json_spans(*found), JSON)
    sessions = {event.type: event.session_id for event in rum.wait_for(count=len(ids))}
    assert sessions["work_0"] == SESSION
    assert len(set(sessions.values())) == len(ids)
    assert rum.refused == ()


def test_long_ids_are_replaced_by_digests(rum: LocalRum, client: AsgiClient) -> None:
    """Different ids have different digests."""
    ids = [letter * 100_000 for letter in "ab"]
    for number, session_id in enumerate(ids):
        user = {"key": "user.id", "value": {"stringValue": session_id}}
        body = json_spans(
            {"name": f"work_{number}", "attributes": [user]}, resource={"session.id": session_id[:50_000]}
        )
        client.post("/v1/traces", body, JSON)
    events = rum.wait_for(count=2)
    assert len({event.session_id for event in events}) == len({event.user_id for event in events}) == 2
    attributes: dict[str, Any] = {"user.id": ids[0], "session.id": SESSION}
    bound_ids(attributes)
    assert (len(attributes["user.id"]), attributes["session.id"]) == (64, SESSION)


def test_the_size_of_a_resource_is_limited(client: AsgiClient) -> None:
    """Resources are kept for long."""
    body = json_spans({}, resource={"x": "y" * MAX_RESOURCE_BYTES})
    partial = client.post("/v1/traces", body, JSON).json()["partialSuccess"]
    assert (partial["rejectedSpans"], partial["errorMessage"]) == ("1", f"1 rejected: {TOO_LARGE}")


def test_a_servers_telemetry_does_not_affect_a_browsers(rum: LocalRum, client: AsgiClient) -> None:
    """A server's operating system is not its users'; that of a page or phone is."""
    server = {"service.name": "api", "os.type": "linux"}
    client.post("/v1/traces", json_spans({"name": "serve", "kind": 2}, resource=server), JSON)
    phone = {"service.name": "app", "os.name": "Android"}
    client.post("/v1/traces", json_spans({"name": "tap", "traceId": "f" * 32}, resource=phone), JSON)
    client.post("/v1/traces", json_spans({"name": "query", "traceId": "e" * 32}, resource=server), JSON)
    events = {event.type.rpartition(".")[2]: event.metadata for event in rum.wait_for(count=3)}
    assert (events["tap"]["osName"], events["tap"]["deviceType"]) == ("Android", "mobile")
    assert not {"osName", "deviceType"} & events["query"].keys()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (None, None)),
        ({"keep_user_agent": True, "country_header": "CloudFront-Viewer-Country"}, (CHROME, "DE")),
    ],
)
def test_browser_and_country_are_used_only_if_enabled(
    rum: LocalRum,
    make_gateway: MakeGateway,
    connect: Callable[..., AsgiClient],
    settings: dict[str, object],
    expected: tuple[str | None, str | None],
) -> None:
    """The address never leaves the gateway."""
    client = connect(make_gateway(**settings).app, address="203.0.113.77")
    headers = {**JSON, "user-agent": CHROME, "cloudfront-viewer-country": "DE", "x-forwarded-for": "203.0.113.78"}
    client.post("/v1/traces", json_spans({}), headers)
    (event,) = rum.wait_for("work")
    assert (event.metadata.get("aws:userAgent"), event.metadata.get("countryCode")) == expected
    assert "203.0.113" not in repr(rum.requests) + repr(event)


def test_only_valid_browsers_and_countries_are_used(
    rum: LocalRum, make_gateway: MakeGateway, connect: Callable[..., AsgiClient]
) -> None:
    """A Collector's user agent is ignored, and the telemetry's own attributes take precedence."""
    client = connect(make_gateway(keep_user_agent=True, country_header="X-Country").app)
    headers = {**JSON, "user-agent": "OpenTelemetry Collector/1.65", "x-country": "<script>"}
    client.post("/v1/traces", json_spans({"name": "collector"}), headers)
    browser = {"user_agent.original": "Mozilla/5.0 given", "client.geo.country.iso_code": "FR"}
    client.post(
        "/v1/traces", json_spans({"name": "page"}, resource=browser), {**JSON, "user-agent": CHROME, "x-country": "DE"}
    )
    events = {event.type: event.metadata for event in rum.wait_for(count=2)}
    assert not {"aws:userAgent", "countryCode"} & events["collector"].keys()
    assert (events["page"]["aws:userAgent"], events["page"]["countryCode"]) == ("Mozilla/5.0 given", "FR")
