"""What AWS's SDKs for telephones send, as literal OTLP bodies, and what RUM gets of it.

Attributes and scopes are those of https://github.com/aws-observability/aws-otel-android and aws-otel-swift, and of the
contract tests there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_rum_exporter.local import LocalRum
from tests.gateway.asgi import AsgiClient
from tests.gateway.bodies import JSON
from tests.gateway.conftest import MakeGateway

BODIES = Path(__file__).with_name("phones")
ANDROID = "1f6d2c3a-5b7e-4a90-8c11-d2e3f4a5b6c7", "9a8b7c6d-1e2f-4a3b-8c4d-5e6f7a8b9c0d"
IOS = "A1B2C3D4-E5F6-4708-9A0B-C1D2E3F4A5B6", "0F1E2D3C-4B5A-4697-8879-6A5B4C3D2E1F"


@pytest.fixture
def client(make_gateway: MakeGateway, connect: Callable[..., AsgiClient]) -> AsgiClient:
    """Return a client of a gateway for the app monitor and alias of the phones."""
    return connect(make_gateway({"alias": "shop-app"}).app)


def test_an_android_phone(rum: LocalRum, client: AsgiClient) -> None:
    """Start, screens, requests, clicks, a hang and a crash."""
    found = _sent(rum, client, "android", 13)
    assert found == {
        "session_start_event": 1,
        "AppStart": 1,
        "Created": 1,
        "page_view_event": 1,
        "Paused": 1,
        "performance_navigation_event": 1,
        "performance_resource_event": 2,
        "http_event": 1,
        "coupon_used": 1,
        "js_error_event": 2,
        "dom_event": 1,
        "network.change": 1,
    }
    assert {(event.session_id, event.user_id) for event in rum.events} == {ANDROID}
    (shown,), (failed,) = rum.events("page_view_event"), rum.events("http_event")
    assert (shown.details["pageId"], shown.metadata["pageId"]) == ("CartActivity", "CartActivity")
    assert failed.details["request"] == {"method": "GET", "url": "https://api.shop.example/cart"}
    crash = next(event for event in rum.events("js_error_event") if "onPay" in event.details["stack"])
    assert crash.details["type"] == "java.lang.IllegalStateException"
    metadata = crash.metadata
    assert (metadata["osName"], metadata["osVersion"], metadata["deviceType"]) == ("Android", "15", "mobile")


def test_an_ios_phone(rum: LocalRum, client: AsgiClient) -> None:
    """Ids in capitals are unchanged, so that RUM joins the phone's and the gateway's events."""
    found = _sent(rum, client, "ios", 9)
    assert found == {
        "session_start_event": 1,
        "session.end": 1,
        "AppStart": 1,
        "page_view_event": 1,
        "performance_navigation_event": 1,
        "performance_resource_event": 1,
        "http_event": 1,
        "js_error_event": 2,
    }
    assert {(event.session_id, event.user_id) for event in rum.events} == {IOS}
    (shown,), (failed,) = rum.events("page_view_event"), rum.events("http_event")
    assert shown.details["pageInteractionId"] == "CartView-1"
    assert shown.details["parentPageInteractionId"] == "HomeView-0"
    assert (failed.details["request"]["url"], failed.details["response"]["status"]) == (
        "https://api.shop.example/pay",
        404,
    )
    assert {event.details["type"] for event in rum.events("js_error_event")} == {"hang", "crash"}
    assert {event.metadata["pageId"] for event in rum.events("js_error_event")} == {"CartView"}


@pytest.mark.parametrize("phone", ["android", "ios"])
def test_personal_data_of_urls_and_devices_is_not_sent(rum: LocalRum, client: AsgiClient, phone: str) -> None:
    """URL queries and the device id."""
    _sent(rum, client, phone, 9)
    sent = json.dumps([[event.details, event.metadata] for event in rum.events])
    assert "=planted" not in sent
    assert "0D1E2F3A" not in sent


def _sent(rum: LocalRum, client: AsgiClient, phone: str, count: int) -> Counter[str]:
    """Send spans and log records of a phone; return the types of the accepted events."""
    for signal in ("traces", "logs"):
        body = (BODIES / f"{phone}_{signal}.json").read_bytes()
        assert client.post(f"/v1/{signal}", body, JSON).json() == {}
    rum.wait_for(count=count)
    assert rum.dropped == ()
    return Counter(event.type.removeprefix("com.amazon.rum.") for event in rum.events)
