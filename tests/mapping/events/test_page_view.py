"""The spans that are pages and screens, and their events."""

from typing import Any

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from otel_rum_exporter.config import Config
from otel_rum_exporter.mapping.events import page_view
from otel_rum_exporter.mapping.span_view import SpanView
from tests.logs import make_log
from tests.mapping.event_drafts import mapped
from tests.spans import START_NS, make_config, make_span

GET_PAGE = {"http.request.method": "GET", "http.route": "/products/<sku>", "http.response.status_code": 200}


def served(attributes: dict[str, Any], config: Config | None = None) -> bool:
    """Return whether a SERVER span with these attributes is a page."""
    return page_view.is_page_served(
        SpanView.of(make_span("GET", attributes, kind=SpanKind.SERVER)), config or make_config()
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"http.request.method": "POST"}, False),
        ({"http.response.status_code": 404}, False),
        *(({"http.response.status_code": code}, False) for code in (101, 103, 204, 205, 302)),
        ({"http.route": "/api/stock/<sku>"}, False),
        ({"http.route": "/apiary"}, True),
        ({"http.route": "/static/<path:filename>"}, False),
        ({"http.route": "/healthz"}, False),
        ({"http.route": "/livestock/<int:id>"}, True),
        ({"http.route": "/readymade"}, True),
        ({"http.route": "/favicon.ico"}, False),
        ({"http.route": "/report.html"}, True),
        ({"http.route": "/data.json"}, False),
        ({"http.route": "/robots.txt"}, False),
        ({"http.route": "/en/Health"}, False),
        ({"http.route": "", "url.path": "/"}, True),
        ({"http.route": "", "url.path": "/wp-login"}, False),
        ({"user_agent.original": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}, True),
        ({"user_agent.original": "ELB-HealthChecker/2.0"}, False),
        ({"user_agent.original": "python-httpx/0.28"}, False),
        ({"user_agent.original": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}, False),
        ({"http.route": "/api/x", "http.response.header.content_type": ["text/html; charset=utf-8"]}, True),
        ({"http.response.header.content_type": ["application/json"]}, False),
        ({"http.response.header.content-type": ["application/json"]}, False),
        ({"http.route": "", "url.path": "/x", "http.response.header.content-type": ["text/html"]}, True),
        *(
            ({"user_agent.original": f"Mozilla/5.0 (compatible; {program})"}, False)
            for program in ("Yahoo! Slurp", "YandexImages/3.0", "ChatGPT-User/1.0; +https://openai.com/x", "Lighthouse")
        ),
        ({"user_agent.original": "Mozilla/5.0 (iPhone) facebookexternalhit/1.1"}, False),
        ({"user_agent.original": "Mozilla/5.0 (Linux; Android 13; CUBOT X30) Chrome/120 Mobile Safari/537.36"}, True),
    ],
)
def test_auto_detects_pages_that_a_person_sees(change: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    """A captured content type decides, else method, status and route."""
    assert expected is served({**GET_PAGE, **change})


def test_headers_of_other_languages_are_read() -> None:
    """Their names have `-`."""
    page = make_span("GET", {**GET_PAGE, "http.request.header.accept-language": ["de-DE,de"]}, kind=SpanKind.SERVER)
    assert SpanView.of(page).header("accept_language") == "de-DE,de"


def test_a_path_without_a_route_is_no_page() -> None:
    """Scanners request any path; only routes are pages."""
    assert not served({"http.method": "GET", "http.target": "/wp-login", "http.status_code": 200})


def test_all_means_every_successful_get_and_none_means_no_page() -> None:
    """The setting takes precedence over the heuristics."""
    api = {"http.method": "GET", "http.target": "/api/x", "http.status_code": 304}
    assert served(api, make_config(page_views="all"))
    assert not served(GET_PAGE, make_config(page_views="none"))


def is_admin(span: ReadableSpan) -> bool | None:
    """Decide for some paths, and return None for the rest."""
    route = (span.attributes or {}).get("http.route")
    return {"/admin": False, "/api/print": True}.get(str(route))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"http.route": "/api/stock"}, False),
        ({"http.route": "/admin"}, False),
        ({"http.route": "/api/print"}, True),
        ({"http.route": "/api/print", "http.request.method": "POST"}, True),
    ],
)
def test_a_function_takes_precedence_over_the_heuristics(change: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    """It gets the SDK's span and may return None."""
    assert expected is served({**GET_PAGE, **change}, make_config(page_views=is_admin))


def test_a_page_served_is_a_page_view_and_a_navigation() -> None:
    """The view is dated at the start, the navigation at the end; the referrer has no query."""
    attributes = {
        **GET_PAGE,
        "http.request.header.referer": ("https://search.example/?q=secret",),
        "network.protocol.version": "1.1",
    }
    view = SpanView.of(make_span("GET", attributes, kind=SpanKind.SERVER))
    seen, navigation = page_view.page_served(view, make_config())
    assert seen == (
        "com.amazon.rum.page_view_event",
        START_NS,
        {
            "version": "1.0.0",
            "pageId": "/products/<sku>",
            "referrer": "https://search.example/",
            "referrerDomain": "search.example",
        },
    )
    assert navigation == (
        "com.amazon.rum.performance_navigation_event",
        view.end_ns,
        {
            "version": "1.0.0",
            "initiatorType": "navigation",
            "startTime": 0,
            "duration": 120.0,
            "navigationType": "navigate",
            "nextHopProtocol": "http/1.1",
        },
    )


def test_a_page_is_also_an_http_event_with_http_events_all() -> None:
    """`http_events=all` applies to pages as to other requests."""
    view = SpanView.of(make_span("GET", GET_PAGE, kind=SpanKind.SERVER))
    assert len(list(page_view.page_served(view, make_config(http_events="all")))) == 3


@pytest.mark.parametrize(
    "record",
    [
        make_log("browser.page_view", {"url.full": "https://shop.example/orders/42?t=1"}),
        make_log("browser.page_view", body={"url": "https://shop.example/orders/42?t=1", "type": 0}),
    ],
)
def test_a_page_view_record_has_its_url_in_an_attribute_or_in_the_body(record: ReadableLogRecord) -> None:
    """Agents of before the current conventions send it."""
    ((kind, details),) = mapped(record)
    assert (kind, details["pageId"]) == ("page_view_event", "/orders/*")
