"""Two attributes with which an application decides for itself."""

import json
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from otel_rum_exporter.mapping import override
from otel_rum_exporter.mapping.span_view import SpanView
from tests.logs import make_log
from tests.mapping.drafts import drafts_of, mapped, types
from tests.spans import START_NS, exception_event, make_config, make_span

PAGE_VIEW = "com.amazon.rum.page_view_event"


def told(kind: object, details: object = None) -> dict[str, Any]:
    """Make the two attributes."""
    return {"rum.event.type": kind} | ({} if details is None else {"rum.event.details": details})


def test_a_built_in_event_has_the_details_that_the_application_told() -> None:
    """As JSON, or as the map that OTel's attributes may be."""
    details = {"version": "1.0.0", "pageId": "checkout"}
    for given in (json.dumps(details), details):
        (draft,) = drafts_of(make_span("step 3", told(PAGE_VIEW, given)))
        assert (draft.type, draft.timestamp_ns, draft.details) == (PAGE_VIEW, START_NS, details)


def test_a_built_in_type_may_stand_without_its_prefix() -> None:
    """As the documentation writes it."""
    (draft,) = drafts_of(make_span("step 3", told("page_view_event", '{"version": "1.0.0", "pageId": "checkout"}')))
    assert draft.type == PAGE_VIEW


def test_a_custom_event_has_the_details_that_the_application_told_or_the_whole_span() -> None:
    """Its type is the application's, not the span's name."""
    assert mapped(make_span("x", told("order.placed", '{"total": 12}'))) == [("order.placed", {"total": 12})]
    ((name, details),) = mapped(make_span("x", {**told("order.placed"), "items": 3}))
    assert (name, details["name"], details["attributes"]) == ("order.placed", "x", {"items": 3})


def test_a_log_record_can_be_told_as_well_also_one_without_a_name() -> None:
    """A line that nobody named becomes an event where its attributes say so."""
    assert mapped(make_log(None, told("order.placed", '{"total": 12}'))) == [("order.placed", {"total": 12})]
    ((name, details),) = mapped(make_log("placed", told("order.placed"), body="done"))
    assert (name, details["body"]) == ("order.placed", "done")
    assert types(make_log("exception", {"exception.type": "E", **told("seen", "{}")})) == ["seen"]


def test_none_keeps_a_record_from_rum_with_its_exceptions() -> None:
    """Nothing of it leaves."""
    assert not mapped(make_span("x", told("none"), events=[exception_event()]))
    assert not mapped(make_log("exception", {"exception.type": "E", **told("none")}))


def test_the_exceptions_of_a_span_that_was_told_are_errors_still() -> None:
    """The override says what the span is, not what went wrong in it."""
    assert types(make_span("x", told("order.placed", "{}"), events=[exception_event()])) == [
        "order.placed",
        "js_error_event",
    ]


@pytest.mark.parametrize(
    "override",
    [
        told("order.placed", "no JSON"),
        told("order.placed", "[1]"),
        told("order.placed", 7),
        told(PAGE_VIEW),
        told(PAGE_VIEW, '{"pageId": 7}'),
        told(PAGE_VIEW, '{"pageId": "/", "version": "2.0.0"}'),
        told(PAGE_VIEW, '{"pageId": "/", "sku": "4711"}'),
        told("http_event", '{"request": {"url": "https://a.example/"}}'),
        told("http_event", '{"request": {"method": "GET"}, "trace_id": "6afe3c1a8d5d4b6f9a3c5e7f90b1c2d3"}'),
        told("performance_navigation_event", '{"initiatorType": "click", "startTime": 0, "duration": 1}'),
        told("rrweb_event", '{"events": [1], "eventCount": 1}'),
        told("xray_trace_event", '{"name": "x", "id": "y", "trace_id": "z", "start_time": true}'),
        told("com.amazon.rum.unheard_of_event", "{}"),
        told("com.amazon.mine", "{}"),
        told("with blank", "{}"),
        told("x" * 257, "{}"),
        told("", "{}"),
        told(3, "{}"),
    ],
)
def test_an_override_that_cannot_be_carried_out_is_none(override: dict[str, Any]) -> None:
    """The span becomes what it would have been."""
    attributes = {"http.request.method": "GET", "http.response.status_code": 200, **override}
    assert types(make_span("GET", attributes, kind=SpanKind.CLIENT)) == ["performance_resource_event"]
    assert types(make_log("plain", override)) == ["plain"]


def test_a_custom_event_is_told_only_where_custom_events_are_wanted() -> None:
    """An app monitor that does not take them drops them."""
    config = make_config(custom_events=False)
    assert not mapped(make_span("x", told("order.placed", "{}")), config)
    assert not mapped(make_span("x", told("order.placed")), config)
    assert types(make_span("x", told(PAGE_VIEW, '{"pageId": "/"}')), config) == ["page_view_event"]


def test_the_version_of_a_schema_need_not_be_told() -> None:
    """There is only one of each."""
    assert mapped(make_span("x", told("dom_event", {"event": "swipe"}))) == [
        ("dom_event", {"version": "1.1.0", "event": "swipe"})
    ]
    assert mapped(make_span("x", told("session_start_event"))) == [("session_start_event", {"version": "1.0.0"})]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            told(PAGE_VIEW, '{"pageId": "/", "sku": "4711"}'),
            "of the details of com.amazon.rum.page_view_event, RUM knows",
        ),
        (told("http_event", '{"request": {}}'), "of the details of http_event, 'request.method' is missing"),
        (told("x y"), "'x y' is neither a type of RUM's nor one for a custom event"),
        (told("order", "[]"), "rum.event.details is no JSON object"),
        (told(7), "7 is no type of events"),
        (told("order"), None),
        (told("none", "[]"), None),
        ({"rum.event.details": "{}"}, None),
    ],
)
def test_why_an_override_is_none_is_said(attributes: dict[str, Any], expected: str | None) -> None:
    """RUM itself would drop the event without a word."""
    said = override.problem(SpanView.of(make_span("x", attributes)))
    assert (said or "").startswith(expected or "")
    assert (said is None) is (expected is None)
