"""Document loads reported by OpenTelemetry's and Splunk's browser instrumentations."""

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import Event, ReadableSpan

from otel_rum_exporter.mapping import mapper as module
from otel_rum_exporter.mapping.event_types import PREFIX
from otel_rum_exporter.mapping.log_view import LogView
from otel_rum_exporter.mapping.mapper import Mapper
from otel_rum_exporter.mapping.span_view import SpanView
from tests.logs import make_log
from tests.mapping.event_drafts import check, drafts_of, mapped, types, view_of
from tests.mapping.events.test_performance_resource import NETWORK_EVENTS
from tests.spans import MILLI_NS, START_NS, make_config, make_span

PAGE = "https://u:p@shop.example/products/4711?token=SECRET#top"
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"

DOCUMENT_LOAD_EVENTS = [
    ("fetchStart", 0.0),
    ("unloadEventStart", 210.5),
    ("unloadEventEnd", 212.5),
    ("domInteractive", 480.0),
    ("domContentLoadedEventStart", 481.0),
    ("domContentLoadedEventEnd", 495.0),
    ("domComplete", 900.0),
    ("loadEventStart", 901.0),
    ("loadEventEnd", 912.25),
    ("firstPaint", 350.0),
    ("firstContentfulPaint", 360.5),
]

NAVIGATION_TIMING = {
    "url.full": PAGE,
    "browser.navigation_timing.type": "back_forward",
    "browser.navigation_timing.dom_complete": 900.5,
    "browser.navigation_timing.dom_content_loaded_event_end": 495.0,
    "browser.navigation_timing.dom_content_loaded_event_start": 481.0,
    "browser.navigation_timing.dom_interactive": 480.0,
    "browser.navigation_timing.load_event_end": 912.25,
    "browser.navigation_timing.load_event_start": 901.0,
    "browser.navigation_timing.redirect_count": 1,
    "browser.navigation_timing.unload_event_end": 0,
    "browser.navigation_timing.unload_event_start": 0,
    "browser.resource_timing.duration": 912.25,
    "browser.resource_timing.fetch_start": 3.5,
    "browser.resource_timing.domain_lookup_start": 10,
    "browser.resource_timing.domain_lookup_end": 25,
    "browser.resource_timing.connect_start": 25,
    "browser.resource_timing.connect_end": 60,
    "browser.resource_timing.secure_connection_start": 40,
    "browser.resource_timing.request_start": 61,
    "browser.resource_timing.response_start": 190,
    "browser.resource_timing.response_end": 205,
    "browser.resource_timing.transfer_size": 12_300,
    "browser.resource_timing.encoded_body_size": 12_000,
    "browser.resource_timing.decoded_body_size": 48_000,
}


def events(moments: list[tuple[str, float]]) -> list[Event]:
    """Make the span events with which OpenTelemetry's web SDK reports moments."""
    return [Event(name, {}, timestamp=START_NS + int(millis * MILLI_NS)) for name, millis in moments]


def test_a_document_loaded_is_a_page_view_a_navigation_and_a_first_paint() -> None:
    """The span and its events, as `instrumentation-document-load` makes them."""
    attributes = {"url.full": PAGE, "user_agent.original": USER_AGENT}
    span = make_span("documentLoad", attributes, events=events(DOCUMENT_LOAD_EVENTS), duration_millis=912.25)
    assert mapped(span) == [
        ("page_view_event", {"version": "1.0.0", "pageId": "/products/*"}),
        (
            "performance_navigation_event",
            {
                "version": "1.0.0",
                "initiatorType": "navigation",
                "startTime": 0,
                "duration": 912.25,
                "fetchStart": 0.0,
                "unloadEventStart": 210.5,
                "promptForUnload": 2.0,
                "domInteractive": 480.0,
                "domContentLoadedEventStart": 481.0,
                "domContentLoaded": 14.0,
                "domComplete": 900.0,
                "loadEventStart": 901.0,
                "loadEventTime": 11.25,
                "navigationTimingLevel": 2,
            },
        ),
        ("first_contentful_paint_event", {"version": "1.0.0", "value": 360.5}),
    ]


def test_a_page_view_happens_at_the_start_and_its_navigation_at_the_end() -> None:
    """AWS's web client dates a page view at its start and a measurement at its end."""
    drafts = drafts_of(make_span("documentLoad", {"http.url": PAGE}, duration_millis=50))
    assert [(draft[1] - START_NS) // MILLI_NS for draft in drafts] == [0, 50]


def test_a_document_load_is_no_page_view_if_page_views_are_off() -> None:
    """The setting applies to browsers too; timings are still sent."""
    span = make_span("documentLoad", {"url.full": PAGE})
    assert types(span, make_config(page_views="none")) == ["performance_navigation_event"]
    record = make_log("browser.navigation", {"url.full": PAGE})
    assert types(record, make_config(page_views="none")) == ["browser.navigation"]


def test_the_fetch_of_a_document_is_part_of_its_load() -> None:
    """`documentFetch` is a child of `documentLoad`, and no page of its own."""
    assert not mapped(make_span("documentFetch", {"url.full": PAGE}, events=events([("fetchStart", 0.0)])))


def test_the_timings_of_the_fetch_go_into_the_event_of_its_document() -> None:
    """The fetch ends first, and its span may start later than the document's."""
    attributes = {"url.full": PAGE, "http.response_content_length": 3000}
    document = make_span(
        "documentLoad", {"url.full": PAGE}, events=events(DOCUMENT_LOAD_EVENTS), duration_millis=912.25
    )
    fetch = make_span("documentFetch", attributes, parent=document, events=events(NETWORK_EVENTS), duration_millis=41)
    mapper = Mapper(make_config())
    assert not mapper.map(SpanView.of(fetch))[1]
    _, navigation, _ = mapper.map(SpanView.of(document))[1]
    check(navigation)
    expected = {
        "dns": 3.0,
        "connect": 8.0,
        "tlsTime": 6.0,
        "timeToFirstByte": 17.5,
        "responseTime": 11.0,
        "domInteractive": 480.0,
        "domProcessingTime": 860.0,
        "transferSize": 3000,
    }
    assert {name: navigation[2][name] for name in expected} == expected
    _, alone, _ = mapper.map(SpanView.of(document))[1]
    assert "dns" not in alone[2]


LOADED = make_span("documentLoad", {"url.full": PAGE, "session.id": "s"}, events=events(DOCUMENT_LOAD_EVENTS))
SHOWN = make_log("browser.navigation", {"url.full": PAGE, "session.id": "s", "browser.navigation.same_document": False})
TIMED = make_log("browser.navigation_timing", {**NAVIGATION_TIMING, "session.id": "s"})
PAINTED = make_log(
    "browser.web_vital", {"session.id": "s", "browser.web_vital.name": "fcp", "browser.web_vital.value": 360.5}
)


@pytest.mark.parametrize("order", list(itertools.permutations((LOADED, SHOWN, TIMED, PAINTED)))[::5])
def test_a_load_that_two_instrumentations_report_is_sent_once(
    order: Iterable[ReadableSpan | ReadableLogRecord],
) -> None:
    """The first report counts, also when the same page is loaded again."""
    mapper = Mapper(make_config())
    for _ in range(2):
        sent = [draft[0].removeprefix(PREFIX) for record in order for draft in mapper.map(view_of(record))[1]]
        assert sorted(sent) == ["first_contentful_paint_event", "page_view_event", "performance_navigation_event"]


def test_loads_of_other_sessions_pages_and_routes_are_sent() -> None:
    """Only repeated reports are left out, and only within a session."""
    mapper = Mapper(make_config())
    assert mapper.map(SpanView.of(LOADED))[1]
    for attributes in (
        {"url.full": PAGE, "session.id": "other"},
        {"url.full": "https://shop.example/cart", "session.id": "s"},
        {"url.full": PAGE, "session.id": "s", "browser.navigation.same_document": True},
        {"url.full": PAGE},
    ):
        assert len(mapper.map(LogView.of(make_log("browser.navigation", attributes)))[1]) == 1
    assert not mapper.map(LogView.of(SHOWN))[1]


def test_loads_without_a_session_are_all_sent() -> None:
    """Two reports without a session may come from two users."""
    mapper = Mapper(make_config())
    for record in (make_span("documentLoad", {"url.full": PAGE}), make_log("browser.navigation", {"url.full": PAGE})):
        sent = [draft[0].removeprefix(PREFIX) for draft in mapper.map(view_of(record))[1]]
        assert "page_view_event" in sent


def test_the_memory_of_loads_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The load reported longest ago is removed."""
    monkeypatch.setattr(module, "MAX_LOADS", 2)
    mapper = Mapper(make_config())
    for session in "abcd":
        mapper.map(LogView.of(make_log("browser.navigation", {"url.full": PAGE, "session.id": session})))
    assert [load.session for load in mapper._load_reporters] == ["c", "d"]


def test_fetches_without_a_document_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a bounded number is kept."""
    monkeypatch.setattr(module, "MAX_PARTS", 10)
    mapper = Mapper(make_config())
    for _ in range(50):
        mapper.map(SpanView.of(make_span("documentFetch", parent=make_span())))
    assert len(mapper._parts) == 10


def test_a_route_changed_is_a_page_view_with_its_referrer_and_a_navigation() -> None:
    """The span of Splunk's browser agent."""
    attributes = {
        "browser.navigation.operation": "routeChange",
        "component": "user-interaction",
        "location.href": "https://shop.example/cart?coupon=SECRET",
        "prev.href": PAGE,
        "splunk.rumSessionId": "a" * 32,
    }
    assert mapped(make_span("routeChange", attributes, duration_millis=80)) == [
        (
            "page_view_event",
            {
                "version": "1.0.0",
                "pageId": "/cart",
                "referrer": "https://shop.example/products/*",
                "referrerDomain": "shop.example",
            },
        ),
        (
            "performance_navigation_event",
            {
                "version": "1.0.0",
                "initiatorType": "route_change",
                "startTime": START_NS / MILLI_NS,
                "duration": 80.0,
            },
        ),
    ]


def test_a_navigation_log_record_is_a_page_view() -> None:
    """Its URL is raw, so only the path is sent, with ids masked."""
    attributes = {
        "url.full": PAGE,
        "browser.navigation.same_document": True,
        "browser.navigation.hash_change": False,
        "browser.navigation.type": "push",
    }
    (draft,) = drafts_of(make_log("browser.navigation", attributes, body="navigation: push"))
    assert (draft[0], draft[1]) == ("com.amazon.rum.page_view_event", START_NS)
    assert draft[2] == {"version": "1.0.0", "pageId": "/products/*"}


def test_a_navigation_timing_log_record_is_a_navigation() -> None:
    """The formulas are those of AWS's web client."""
    assert mapped(make_log("browser.navigation_timing", NAVIGATION_TIMING)) == [
        (
            "performance_navigation_event",
            {
                "version": "1.0.0",
                "initiatorType": "navigation",
                "navigationType": "back_forward",
                "startTime": 0,
                "duration": 912.25,
                "redirectCount": 1,
                "fetchStart": 3.5,
                "domainLookupStart": 10,
                "dns": 15,
                "connectStart": 25,
                "connect": 35,
                "secureConnectionStart": 40,
                "tlsTime": 20,
                "requestStart": 61,
                "timeToFirstByte": 129,
                "responseStart": 190,
                "responseTime": 15,
                "unloadEventStart": 0,
                "promptForUnload": 0,
                "domInteractive": 480.0,
                "domContentLoadedEventStart": 481.0,
                "domContentLoaded": 14.0,
                "domComplete": 900.5,
                "domProcessingTime": 696.0,
                "loadEventStart": 901.0,
                "loadEventTime": 11.25,
                "transferSize": 12_300,
                "headerSize": 300,
                "compressionRatio": 4.0,
                "navigationTimingLevel": 2,
            },
        )
    ]


@pytest.mark.parametrize(
    ("attributes", "duration"),
    [
        ({"browser.navigation_timing.duration": 7}, 7),
        ({"browser.resource_timing.duration": 6}, 6),
        ({"browser.navigation_timing.duration": 7, "browser.resource_timing.duration": 6}, 6),
        ({"browser.navigation_timing.load_event_end": 5}, 5),
        ({"browser.navigation_timing.load_event_end": 5, "browser.navigation_timing.duration": 7}, 7),
        ({}, 0),
    ],
)
def test_the_duration_of_a_navigation_has_an_attribute(attributes: dict[str, Any], duration: float) -> None:
    """Without one, it is the end of the load event."""
    ((_, details),) = mapped(make_log("browser.navigation_timing", attributes))
    assert details["duration"] == duration


@pytest.mark.parametrize(("change", "missing"), [({"type": "prerender"}, "navigationType"), ({}, "domProcessingTime")])
def test_values_that_rum_does_not_accept_are_left_out(change: dict[str, Any], missing: str) -> None:
    """A page that was left before it was loaded lacks moments; no time is negative."""
    attributes = {
        "browser.navigation_timing.load_event_start": 0,
        "browser.resource_timing.response_end": 205,
        **{f"browser.navigation_timing.{name}": value for name, value in change.items()},
    }
    ((_, details),) = mapped(make_log("browser.navigation_timing", attributes))
    assert missing not in details
    assert details["duration"] == 0


@pytest.mark.parametrize("value", [-1, -1.0, "-1"])
def test_a_moment_of_minus_one_did_not_happen(value: object) -> None:
    """Browsers report it for documents of the memory cache."""
    moments: dict[str, object] = {
        "fetch_start": value,
        "request_start": value,
        "response_start": value,
        "response_end": value,
    }
    given: dict[str, object] = {
        **moments,
        "dom_interactive": 300.5,
        "load_event_start": 400,
        "load_event_end": 0,
        "duration": value,
    }
    attributes = {
        f"browser.navigation_timing.{name}": moment for name, moment in {**given, "redirect_count": value}.items()
    }
    (details,) = [
        one for kind, one in mapped(make_log("browser.navigation_timing", attributes)) if "navigation" in kind
    ]
    assert details["duration"] == 0
    assert (details["domInteractive"], details["loadEventStart"]) == (300.5, 400)
    absent = ("fetchStart", "timeToFirstByte", "responseStart", "responseTime", "domProcessingTime", "redirectCount")
    assert not {*absent} & details.keys()
