"""The resources that browsers load beside a document."""

from typing import Any

import pytest
from opentelemetry.sdk.trace import Event
from opentelemetry.trace import SpanKind

from otel_rum_exporter.mapping.events.performance_resource import file_type
from tests.logs import make_log
from tests.mapping.event_drafts import mapped
from tests.spans import MILLI_NS, START_NS, make_span

NETWORK_EVENTS = [
    ("fetchStart", 0.0),
    ("domainLookupStart", 1.0),
    ("domainLookupEnd", 4.0),
    ("connectStart", 4.0),
    ("secureConnectionStart", 6.0),
    ("connectEnd", 12.0),
    ("requestStart", 12.5),
    ("responseStart", 30.0),
    ("responseEnd", 41.0),
]


def test_a_resource_fetch_has_its_timings() -> None:
    """The span and its events, as `instrumentation-document-load` makes them."""
    network = [Event(name, {}, timestamp=START_NS + int(at * MILLI_NS)) for name, at in NETWORK_EVENTS]
    attributes = {"url.full": "https://cdn.example/a/app.css?v=7", "http.response_content_length": 1207}
    assert mapped(make_span("resourceFetch", attributes, events=network, duration_millis=41)) == [
        (
            "performance_resource_event",
            {
                "version": "1.0.0",
                "initiatorType": "other",
                "targetUrl": "https://cdn.example/a/app.css",
                "startTime": 0,
                "duration": 41.0,
                "fileType": "stylesheet",
                "fetchStart": 0.0,
                "domainLookupStart": 1.0,
                "dns": 3.0,
                "connectStart": 4.0,
                "connect": 8.0,
                "secureConnectionStart": 6.0,
                "tlsTime": 6.0,
                "requestStart": 12.5,
                "timeToFirstByte": 17.5,
                "responseStart": 30.0,
                "responseTime": 11.0,
                "transferSize": 1207,
            },
        )
    ]


@pytest.mark.parametrize(
    "attributes",
    [
        {
            "http.request.method": "GET",
            "url.full": "https://api.example/stock?sku=4711",
            "server.address": "api.example",
            "server.port": 443,
            "http.response.status_code": 200,
        },
        {
            "component": "fetch",
            "http.method": "GET",
            "http.url": "https://api.example/stock?sku=4711",
            "http.host": "api.example",
            "http.scheme": "https",
            "http.status_code": 200,
            "http.status_text": "OK",
            "http.user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
            "http.response_content_length": 812,
        },
        {
            "component": "xml-http-request",
            "http.method": "GET",
            "http.url": "https://api.example/stock?sku=4711",
            "http.status_code": 200,
        },
    ],
)
def test_a_browser_request_has_its_timings(attributes: dict[str, Any]) -> None:
    """The spans of OpenTelemetry's fetch and XHR instrumentations; XHR adds its own events."""
    moments = [("open", 0.0), ("send", 0.1), *NETWORK_EVENTS, ("loaded", 41.0)]
    network = [Event(name, {}, timestamp=START_NS + int(at * MILLI_NS)) for name, at in moments]
    ((name, details),) = mapped(
        make_span("GET", attributes, kind=SpanKind.CLIENT, events=network, duration_millis=41.5)
    )
    expected = {
        "targetUrl": "https://api.example/stock",
        "initiatorType": "fetch",
        "duration": 41.5,
        "dns": 3.0,
        "connect": 8.0,
        "tlsTime": 6.0,
        "timeToFirstByte": 17.5,
        "responseTime": 11.0,
    }
    assert name == "performance_resource_event"
    assert {field: details[field] for field in expected} == expected
    assert details.get("transferSize") == attributes.get("http.response_content_length")


def test_a_resource_fetch_in_the_old_conventions_has_its_url() -> None:
    """They use `http.url` instead of `url.full`."""
    ((_, details),) = mapped(make_span("resourceFetch", {"http.url": "https://cdn.example/logo.png"}))
    assert (details["targetUrl"], details["fileType"]) == ("https://cdn.example/logo.png", "image")


def test_a_resource_timing_log_record_is_a_resource() -> None:
    """For a cross-origin resource, browsers report zeros."""
    attributes = {
        "url.full": "https://cdn.example/tracker?uid=SECRET",
        "browser.resource_timing.initiator_type": "script",
        "browser.resource_timing.duration": 33.25,
        "browser.resource_timing.fetch_start": 120.5,
        "browser.resource_timing.domain_lookup_start": 0,
        "browser.resource_timing.domain_lookup_end": 0,
        "browser.resource_timing.connect_start": 0,
        "browser.resource_timing.connect_end": 0,
        "browser.resource_timing.secure_connection_start": 0,
        "browser.resource_timing.request_start": 0,
        "browser.resource_timing.response_start": 0,
        "browser.resource_timing.response_end": 153.75,
        "browser.resource_timing.transfer_size": 0,
        "browser.resource_timing.encoded_body_size": 0,
        "browser.resource_timing.decoded_body_size": 0,
        "browser.resource_timing.redirect_start": 0,
        "browser.resource_timing.redirect_end": 0,
        "browser.resource_timing.worker_start": 0,
        "browser.resource_timing.next_hop_protocol": "h2",
        "browser.resource_timing.render_blocking_status": "non-blocking",
    }
    assert mapped(make_log("browser.resource_timing", attributes)) == [
        (
            "performance_resource_event",
            {
                "version": "1.0.0",
                "initiatorType": "script",
                "targetUrl": "https://cdn.example/tracker",
                "fileType": "script",
                "startTime": 120.5,
                "duration": 33.25,
                "nextHopProtocol": "h2",
                "redirectStart": 0,
                "redirectTime": 0,
                "workerStart": 0,
                "workerTime": 0,
                "fetchStart": 120.5,
                "domainLookupStart": 0,
                "dns": 0,
                "connectStart": 0,
                "connect": 0,
                "secureConnectionStart": 0,
                "tlsTime": 0,
                "requestStart": 0,
                "timeToFirstByte": 0,
                "responseStart": 0,
                "responseTime": 0,
                "transferSize": 0,
                "headerSize": 0,
                "compressionRatio": 0,
            },
        )
    ]


@pytest.mark.parametrize(
    ("target", "initiator", "expected"),
    [
        ("https://a.example/x.woff2", "css", "font"),
        ("https://a.example/x", "css", "stylesheet"),
        ("https://a.example/x", "img", "image"),
        ("https://a.example/x", "iframe", "document"),
        ("https://a.example/x", "fetch", "other"),
        (None, "script", "script"),
    ],
)
def test_the_file_type_comes_from_the_extension_else_from_the_initiator(
    target: str | None, initiator: str, expected: str
) -> None:
    """As in AWS's web client."""
    assert file_type(target, initiator) == expected


def test_negative_sizes_and_durations_are_no_measurements() -> None:
    """-1 is the length of a body that is unknown."""
    resource = "browser.resource_timing."
    sizes = {f"{resource}transfer_size": -1, f"{resource}encoded_body_size": -1, f"{resource}decoded_body_size": 5}
    (logged,) = mapped(make_log("browser.resource_timing", {**sizes, f"{resource}duration": -2.5}))
    attributes = {"http.method": "GET", "http.status_code": 200, "http.response_content_length": -1}
    (made,) = mapped(make_span("GET", attributes, kind=SpanKind.CLIENT))
    assert logged[1]["duration"] == 0
    for _, details in (logged, made):
        assert not {"transferSize", "headerSize", "compressionRatio"} & details.keys()
