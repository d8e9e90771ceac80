"""Telemetry recorded from other SDKs and the events that it becomes, across event families.

Each record is mapped with the resource of its SDK, and the events satisfy AWS's schemas.
"""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk.trace import Event
from opentelemetry.trace import SpanKind, Status, StatusCode

from tests.logs import make_log
from tests.mapping.event_drafts import mapped, types
from tests.spans import START_NS, exception_event, make_config, make_span

ANDROID = {
    "aws.rum.appmonitor.id": "00000000-aaaa-4bbb-8ccc-000000000001",
    "cloud.platform": "aws_rum",
    "cloud.provider": "aws",
    "cloud.region": "eu-central-1",
    "device.manufacturer": "Google",
    "device.model.identifier": "Pixel 8",
    "device.model.name": "Pixel 8",
    "os.build_id": "UP1A.231005.007",
    "os.description": "Android Version 14",
    "os.name": "Android",
    "os.type": "linux",
    "os.version": "14",
    "rum.sdk.version": "1.0.0",
    "telemetry.sdk.language": "java",
}
IOS = {
    "aws.rum.appmonitor.id": "00000000-aaaa-4bbb-8ccc-000000000001",
    "cloud.platform": "aws_rum",
    "cloud.provider": "aws",
    "device.model.name": "iPhone 15",
    "os.name": "iOS",
    "os.type": "darwin",
    "os.version": "17.4",
    "rum.sdk.version": "1.0.0",
    "telemetry.sdk.language": "swift",
}
BROWSER = {
    "browser.brands": ("Chromium 126", "Google Chrome 126"),
    "browser.mobile": False,
    "browser.platform": "Linux",
}
WHO = {"session.id": "E621E1F8-C36C-495A-93FC-0C247A3E6E5F", "user.id": "0D5A1A0E-95C1-4C2C-A7E7-0B8C3C4D5E6F"}
CLIENT, RESOURCE, HTTP, ERROR = SpanKind.CLIENT, "performance_resource_event", "http_event", "js_error_event"

SPANS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a request of Android": (
        {
            "name": "GET",
            "kind": CLIENT,
            "resource": ANDROID,
            "attributes": {
                **WHO,
                "http.request.method": "GET",
                "http.response.status_code": 404,
                "network.connection.type": "wifi",
                "network.protocol.version": "1.1",
                "screen.name": "MainActivity",
                "server.address": "shop.example",
                "server.port": 443,
                "url.full": "https://shop.example/stock",
                "http.request.header.accept": ("application/json",),
                "http.response.header.content-type": ("application/json",),
            },
        },
        [RESOURCE, HTTP],
    ),
    "a request of iOS, in the old conventions": (
        {
            "name": "HTTP GET",
            "kind": CLIENT,
            "resource": IOS,
            "attributes": {
                **WHO,
                "http.method": "GET",
                "http.url": "https://shop.example/stock",
                "http.target": "/stock",
                "http.scheme": "https",
                "http.status_code": 200,
                "http.response.body.size": 4711,
                "net.peer.name": "shop.example",
                "hw.battery.charge": 0.8,
                "process.cpu.utilization": 0.12,
                "process.memory.usage": 84.5,
            },
        },
        [RESOURCE],
    ),
    "a request of a browser that was aborted": (
        {
            "name": "GET",
            "kind": CLIENT,
            "resource": BROWSER,
            "status": Status(StatusCode.ERROR, "request aborted"),
            "attributes": {
                "http.request.method": "GET",
                "url.full": "https://api.example/stock",
                "server.address": "api.example",
                "error.type": "abort",
            },
            "events": [Event("open", {}, START_NS), Event("send", {}, START_NS), Event("abort", {}, START_NS)],
        },
        [RESOURCE, HTTP],
    ),
    "a long task of a browser": (
        {
            "name": "longtask",
            "resource": BROWSER,
            "attributes": {
                "longtask.name": "self",
                "longtask.entry_type": "longtask",
                "longtask.duration": 83,
                "longtask.attribution.name": "unknown",
            },
        },
        ["longtask"],
    ),
    "a hang of iOS": (
        {
            "name": "device.hang",
            "resource": IOS,
            "attributes": {
                **WHO,
                "exception.type": "hang",
                "exception.message": "Hang detected at main()",
                "exception.stacktrace": "0 main 0x0000000100 main + 1",
                "screen.name": "Home",
            },
        },
        [ERROR],
    ),
    "the start of an application on iOS": (
        {
            "name": "AppStart",
            "resource": IOS,
            "attributes": {
                **WHO,
                "start.type": "prewarm",
                "active_prewarm": True,
                "launch_start_name": "kp_proc.p_starttime",
                "launch_end_name": "UIApplicationDidFinishLaunchingNotification",
            },
        },
        ["AppStart"],
    ),
    "a call of gRPC that failed": (
        {
            "name": "/shop.Stock/Get",
            "kind": CLIENT,
            "status": Status(StatusCode.ERROR, "StatusCode.UNAVAILABLE:failed to connect"),
            "attributes": {
                "rpc.system": "grpc",
                "rpc.grpc.status_code": 14,
                "rpc.method": "Get",
                "rpc.service": "shop.Stock",
            },
            "events": [exception_event("grpc._channel._InactiveRpcError", "unavailable")],
        },
        [ERROR],
    ),
    "a query, in the old conventions": (
        {
            "name": "SELECT",
            "kind": CLIENT,
            "attributes": {"db.system": "postgresql", "db.name": "shop", "db.statement": "SELECT 1", "db.user": "shop"},
        },
        [],
    ),
    "a query, in the stable conventions": (
        {
            "name": "SELECT shop.products",
            "kind": CLIENT,
            "attributes": {
                "db.system.name": "postgresql",
                "db.namespace": "shop",
                "db.operation.name": "SELECT",
                "db.collection.name": "products",
                "db.query.text": "SELECT 1",
            },
        },
        [],
    ),
    "a message sent": (
        {
            "name": "orders send",
            "kind": SpanKind.PRODUCER,
            "attributes": {
                "messaging.system": "kafka",
                "messaging.destination.name": "orders",
                "messaging.operation.type": "send",
            },
        },
        [],
    ),
    "a message received": (
        {
            "name": "run/tasks.mail",
            "kind": SpanKind.CONSUMER,
            "attributes": {"celery.action": "run", "celery.task_name": "tasks.mail", "messaging.destination": "celery"},
            "events": [exception_event()],
        },
        ["run_tasks.mail", ERROR],
    ),
}

LOGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a session of iOS": (
        {
            "event_name": "session.start",
            "resource": IOS,
            "attributes": {**WHO, "session.previous_id": "F621E1F8-C36C-495A-93FC-0C247A3E6E5F"},
        },
        ["session_start_event"],
    ),
    "the end of a session of iOS": (
        {"event_name": "session.end", "resource": IOS, "attributes": WHO},
        ["session.end"],
    ),
    "a crash of iOS": (
        {
            "event_name": "device.crash",
            "resource": IOS,
            "attributes": {
                **WHO,
                "exception.type": "crash",
                "exception.message": "EXC_BREAKPOINT",
                "exception.stacktrace": "Incident Identifier: 1\n" + "0 main 0x0000000100 main + 1\n" * 900,
                "recovered_context": True,
            },
        },
        [ERROR],
    ),
    "a crash of Android": (
        {
            "event_name": "app.crash",
            "resource": ANDROID,
            "severity": None,
            "attributes": {
                **WHO,
                "exception.type": "java.lang.IllegalStateException",
                "exception.message": "java.lang.IllegalStateException: no",
                "exception.stacktrace": "java.lang.IllegalStateException: no\n\tat shop.Cart.pay(Cart.kt:12)",
                "thread.id": 2,
                "thread.name": "main",
            },
        },
        [ERROR],
    ),
    "an application of Android that does not respond": (
        {
            "event_name": "device.anr",
            "resource": ANDROID,
            "severity": None,
            "attributes": {**WHO, "exception.stacktrace": "android.os.MessageQueue.nativePollOnce(Native Method)"},
        },
        [ERROR],
    ),
    "slow rendering": (
        {
            "event_name": "app.jank",
            "resource": ANDROID,
            "attributes": {"app.jank.frame_count": 3, "app.jank.period": 1.0, "app.jank.threshold": 0.016},
        },
        ["app.jank"],
    ),
    "a change of network": (
        {
            "event_name": "network.change",
            "resource": ANDROID,
            "attributes": {"network.connection.type": "cell", "network.status": "available"},
        },
        ["network.change"],
    ),
    "a click on Android": (
        {
            "event_name": "app.widget.click",
            "resource": ANDROID,
            "attributes": {"app.widget.id": "1000", "app.widget.name": "Pay", "app.screen.coordinate.x": 12},
        },
        ["dom_event"],
    ),
    "an error of a browser": (
        {
            "event_name": "exception",
            "resource": BROWSER,
            "severity": SeverityNumber.ERROR,
            "attributes": {
                "exception.type": "TypeError",
                "exception.message": "x is undefined",
                "exception.stacktrace": "TypeError: x is undefined\n    at f (https://a.example/app.js:1:20)",
            },
        },
        [ERROR],
    ),
    "a line of a browser's console": (
        {"event_name": "browser.console", "resource": BROWSER, "body": "hello"},
        ["browser.console"],
    ),
    "the exception of a request served": (
        {
            "event_name": "http.server.request.exception",
            "severity": SeverityNumber.ERROR,
            "attributes": {"exception.type": "shop.CouponExpired", "exception.message": "no"},
        },
        [ERROR],
    ),
    "a feature flag": (
        {
            "event_name": "feature_flag.evaluation",
            "attributes": {"feature_flag.key": "cart", "feature_flag.result.variant": "blue"},
        },
        ["feature_flag.evaluation"],
    ),
    "a plain line": ({"body": "started", "severity": SeverityNumber.ERROR}, []),
}


@pytest.mark.parametrize("row", SPANS)
def test_a_span_becomes_what_the_contract_says(row: str) -> None:
    """With the attributes that its SDK sets."""
    span, expected = SPANS[row]
    assert types(make_span(**span)) == expected


@pytest.mark.parametrize("row", LOGS)
def test_a_log_record_becomes_what_the_contract_says(row: str) -> None:
    """With the attributes that its SDK sets."""
    record, expected = LOGS[row]
    assert types(make_log(**record)) == expected


def test_an_aborted_browser_request_has_the_reason() -> None:
    """As AWS's web client reports XHR."""
    _, (_, details) = mapped(make_span(**SPANS["a request of a browser that was aborted"][0]))
    assert details["error"] == {"version": "1.0.0", "type": "abort", "message": "request aborted"}


def test_a_mobile_request_has_its_transfer_size() -> None:
    """The old conventions use other names for it."""
    ((_, details),) = mapped(make_span(**SPANS["a request of iOS, in the old conventions"][0]))
    assert (details["transferSize"], details["targetUrl"]) == (4711, "https://shop.example/stock")


@pytest.mark.parametrize("row", [row for row, (span, _) in SPANS.items() if span.get("kind") is CLIENT])
def test_queries_and_personal_data_are_not_sent(row: str) -> None:
    """For each kind of call, in old and stable conventions."""
    span = SPANS[row][0]
    sent = str(mapped(make_span(**span), make_config(http_events="all", xray_events=True)))
    assert "SELECT 1" not in sent
    assert WHO["user.id"] not in sent
