"""Two attributes with which an application decides for itself."""

import json
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from otel_rum_exporter.mapping import override
from otel_rum_exporter.mapping.span_view import SpanView
from tests.logs import make_log
from tests.mapping.event_drafts import drafts_of, mapped, types
from tests.spans import START_NS, exception_event, make_config, make_span

PAGE_VIEW = "com.amazon.rum.page_view_event"


def override_of(kind: object, details: object = None) -> dict[str, Any]:
    """Make the two attributes."""
    return {"rum.event.type": kind} | ({} if details is None else {"rum.event.details": details})


def test_a_built_in_event_has_the_given_details() -> None:
    """As JSON or as a map."""
    details = {"version": "1.0.0", "pageId": "checkout"}
    for given in (json.dumps(details), details):
        (draft,) = drafts_of(make_span("step 3", override_of(PAGE_VIEW, given)))
        assert (draft[0], draft[1], draft[2]) == (PAGE_VIEW, START_NS, details)


def test_a_built_in_event_has_the_time_that_the_mapping_gives_it() -> None:
    """A page view that of the span's start, a request that of its end."""
    request = {"version": "1.0.0", "request": {"method": "GET"}}
    spans = [
        make_span("x", override_of(PAGE_VIEW, {"pageId": "/"})),
        make_span("x", override_of("http_event", request)),
    ]
    assert [draft[1] for span in spans for draft in drafts_of(span)] == [START_NS, spans[1].end_time]


def test_a_built_in_type_needs_no_prefix() -> None:
    """As in the documentation."""
    (draft,) = drafts_of(
        make_span("step 3", override_of("page_view_event", '{"version": "1.0.0", "pageId": "checkout"}'))
    )
    assert draft[0] == PAGE_VIEW


def test_a_custom_event_has_the_given_details_or_the_whole_span() -> None:
    """Its type is the given one, not the span's name."""
    assert mapped(make_span("x", override_of("order.placed", '{"total": 12}'))) == [("order.placed", {"total": 12})]
    ((name, details),) = mapped(make_span("x", {**override_of("order.placed"), "items": 3}))
    assert (name, details["name"], details["attributes"]) == ("order.placed", "x", {"items": 3})


def test_a_log_record_can_be_overridden_also_without_a_name() -> None:
    """A line without an event name becomes an event if its attributes name one."""
    assert mapped(make_log(None, override_of("order.placed", '{"total": 12}'))) == [("order.placed", {"total": 12})]
    ((name, details),) = mapped(make_log("placed", override_of("order.placed"), body="done"))
    assert (name, details["body"]) == ("order.placed", "done")
    assert types(make_log("exception", {"exception.type": "E", **override_of("seen", "{}")})) == ["seen"]


def test_none_excludes_a_record_with_its_exceptions() -> None:
    """Nothing of it is sent."""
    assert not mapped(make_span("x", override_of("none"), events=[exception_event()]))
    assert not mapped(make_log("exception", {"exception.type": "E", **override_of("none")}))


def test_the_exceptions_of_an_overridden_span_are_errors() -> None:
    """The override replaces the span's event, not its errors."""
    assert types(make_span("x", override_of("order.placed", "{}"), events=[exception_event()])) == [
        "order.placed",
        "js_error_event",
    ]


@pytest.mark.parametrize(
    "override",
    [
        override_of("order.placed", "no JSON"),
        override_of("order.placed", "[1]"),
        override_of("order.placed", 7),
        override_of(PAGE_VIEW),
        override_of(PAGE_VIEW, '{"pageId": 7}'),
        override_of(PAGE_VIEW, '{"pageId": "/", "version": "2.0.0"}'),
        override_of(PAGE_VIEW, '{"pageId": "/", "sku": "4711"}'),
        override_of("http_event", '{"request": {"url": "https://a.example/"}}'),
        override_of("http_event", '{"request": {"method": "GET"}, "trace_id": "6afe3c1a8d5d4b6f9a3c5e7f90b1c2d3"}'),
        override_of("performance_navigation_event", '{"initiatorType": "click", "startTime": 0, "duration": 1}'),
        override_of("rrweb_event", '{"events": [1], "eventCount": 1}'),
        override_of("xray_trace_event", '{"name": "x", "id": "y", "trace_id": "z", "start_time": true}'),
        override_of("com.amazon.rum.unheard_of_event", "{}"),
        override_of("com.amazon.mine", "{}"),
        override_of("with blank", "{}"),
        override_of("x" * 257, "{}"),
        override_of("", "{}"),
        override_of(3, "{}"),
    ],
)
def test_an_invalid_override_is_ignored(override: dict[str, Any]) -> None:
    """The default mapping applies."""
    attributes = {"http.request.method": "GET", "http.response.status_code": 200, **override}
    assert types(make_span("GET", attributes, kind=SpanKind.CLIENT)) == ["performance_resource_event"]
    assert types(make_log("plain", override)) == ["plain"]


def test_a_custom_override_needs_custom_events() -> None:
    """App monitors without custom events drop them."""
    config = make_config(custom_events="none")
    assert not mapped(make_span("x", override_of("order.placed", "{}")), config)
    assert not mapped(make_span("x", override_of("order.placed")), config)
    assert types(make_span("x", override_of(PAGE_VIEW, '{"pageId": "/"}')), config) == ["page_view_event"]


def test_the_version_of_a_schema_is_optional() -> None:
    """There is only one of each."""
    assert mapped(make_span("x", override_of("dom_event", {"event": "swipe"}))) == [
        ("dom_event", {"version": "1.1.0", "event": "swipe"})
    ]
    assert mapped(make_span("x", override_of("session_start_event"))) == [("session_start_event", {"version": "1.0.0"})]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            override_of(PAGE_VIEW, '{"pageId": "/", "sku": "4711"}'),
            "in the details of com.amazon.rum.page_view_event, RUM has no",
        ),
        (override_of("http_event", '{"request": {}}'), "in the details of http_event, 'request.method' is missing"),
        (override_of("x y"), "'x y' is neither a built-in type nor a valid custom type"),
        (override_of("order", "[]"), "rum.event.details is not a JSON object"),
        (override_of(7), "7 is not an event type"),
        (override_of("order"), None),
        (override_of("none", "[]"), None),
        ({"rum.event.details": "{}"}, None),
    ],
)
def test_an_invalid_override_has_a_reason(attributes: dict[str, Any], expected: str | None) -> None:
    """RUM itself would drop the event silently."""
    reason = override.problem(SpanView.of(make_span("x", attributes)))
    assert (reason or "").startswith(expected or "")
    assert (reason is None) is (expected is None)
