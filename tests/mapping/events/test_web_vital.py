"""The six web vitals, in the three forms in which they come."""

import json
from typing import Any

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord

from otel_rum_exporter.mapping.events.web_vital import EVENT_NAME, supersede
from otel_rum_exporter.mapping.log_view import LogView
from otel_rum_exporter.mapping.mapper import Mapper
from tests.logs import make_log
from tests.mapping.event_drafts import drafts_of, mapped, types
from tests.spans import START_NS, make_config, make_span

EVENTS = {
    "lcp": "largest_contentful_paint_event",
    "fcp": "first_contentful_paint_event",
    "cls": "cumulative_layout_shift_event",
    "inp": "interaction_to_next_paint_event",
    "ttfb": "time_to_first_byte_event",
    "fid": "first_input_delay_event",
}

WEB_VITALS_ATTRIBUTION: dict[str, dict[str, Any]] = {
    "lcp": {
        "target": "html>body>img.hero",
        "url": "https://cdn.example/hero.png?sig=SECRET",
        "timeToFirstByte": 180.5,
        "resourceLoadDelay": 20,
        "resourceLoadDuration": 300,
        "elementRenderDelay": 12,
        "navigationEntry": {"name": "https://shop.example/", "entryType": "navigation"},
        "lcpEntry": {"name": "", "entryType": "largest-contentful-paint"},
    },
    "fcp": {"timeToFirstByte": 180.5, "firstByteToFCP": 60, "loadState": "dom-interactive", "fcpEntry": {}},
    "cls": {
        "largestShiftTarget": "#banner",
        "largestShiftValue": 0.05,
        "largestShiftTime": 900.1,
        "loadState": "complete",
        "largestShiftSource": {},
    },
    "inp": {
        "interactionTarget": "#buy",
        "interactionTime": 5000,
        "nextPaintTime": 5160,
        "interactionType": "pointer",
        "inputDelay": 5,
        "processingDuration": 100,
        "presentationDelay": 55,
        "loadState": "complete",
        "processedEventEntries": [],
    },
    "ttfb": {
        "waitingDuration": 2,
        "cacheDuration": 0,
        "dnsDuration": 11,
        "connectionDuration": 30,
        "requestDuration": 140,
        "navigationEntry": {},
    },
    "fid": {"eventTarget": "#buy", "eventType": "pointerdown", "eventTime": 5000, "loadState": "complete"},
}

RUM_ATTRIBUTION: dict[str, dict[str, Any]] = {
    "lcp": {
        "element": "html>body>img.hero",
        "url": "https://cdn.example/hero.png",
        "timeToFirstByte": 180.5,
        "resourceLoadDelay": 20,
        "resourceLoadTime": 300,
        "elementRenderDelay": 12,
    },
    "fcp": {"timeToFirstByte": 180.5, "firstByteToFCP": 60, "loadState": "dom-interactive"},
    "cls": {
        "largestShiftTarget": "#banner",
        "largestShiftValue": 0.05,
        "largestShiftTime": 900.1,
        "loadState": "complete",
    },
    "inp": {
        "interactionTarget": "#buy",
        "interactionTime": 5000,
        "nextPaintTime": 5160,
        "interactionType": "pointer",
        "inputDelay": 5,
        "processingDuration": 100,
        "presentationDelay": 55,
        "loadState": "complete",
    },
    "ttfb": {
        "waitingDuration": 2,
        "cacheDuration": 0,
        "dnsDuration": 11,
        "connectionDuration": 30,
        "requestDuration": 140,
    },
    "fid": {"eventTarget": "#buy", "eventType": "pointerdown", "eventTime": 5000, "loadState": "complete"},
}


def attributes(name: str, value: float = 0.25) -> dict[str, Any]:
    """Make the attributes of a web vital, as semantic conventions have them since 1.44."""
    return {
        "browser.web_vital.name": name,
        "browser.web_vital.value": value,
        "browser.web_vital.delta": value,
        "browser.web_vital.rating": "good",
        "browser.web_vital.id": "v5-1719310000000-1234567890123",
        "browser.web_vital.navigation_type": "navigate",
    }


@pytest.mark.parametrize("name", EVENTS)
def test_each_web_vital_is_an_event_of_its_own(name: str) -> None:
    """Value only: RUM has no place for rating and delta."""
    assert mapped(make_log("browser.web_vital", attributes(name))) == [
        (EVENTS[name], {"version": "1.0.0", "value": 0.25})
    ]


@pytest.mark.parametrize("name", EVENTS)
def test_a_web_vital_can_be_in_the_body(name: str) -> None:
    """Before 1.44 its fields were members of the body, in the capitals of web-vitals."""
    body = {"name": name.upper(), "value": 12.5, "delta": 12.5, "id": "v3-1"}
    record = make_log(None, {"event.name": "browser.web_vital"}, body=body)
    assert mapped(record) == [(EVENTS[name], {"version": "1.0.0", "value": 12.5})]


@pytest.mark.parametrize("name", EVENTS)
def test_the_attribution_keeps_the_fields_of_rum(name: str) -> None:
    """The body is the attribution of web-vitals if the page asked for it; RUM's schema is closed."""
    body = json.dumps(WEB_VITALS_ATTRIBUTION[name])
    ((_, details),) = mapped(make_log("browser.web_vital", attributes(name), body=body))
    assert details["attribution"] == RUM_ATTRIBUTION[name]


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "[]",
        {"timeToFirstByte": 1},
        json.dumps({"timeToFirstByte": 1, "firstByteToFCP": "soon", "loadState": "complete"}),
        json.dumps({"timeToFirstByte": 1, "firstByteToFCP": 2, "loadState": "frozen"}),
    ],
)
def test_an_incomplete_attribution_is_left_out(body: object) -> None:
    """RUM would drop the event for one missing or mistyped member."""
    ((_, details),) = mapped(make_log("browser.web_vital", attributes("fcp"), body=body))
    assert details == {"version": "1.0.0", "value": 0.25}


def exported(records: list[ReadableLogRecord]) -> list[Any]:
    """Export records together, and return the values that RUM gets."""
    views = [LogView.of(record) for record in records]
    supersede(views)
    mapper = Mapper(make_config())
    return [draft[2]["value"] for view in views for draft in mapper.map(view)[1]]


def test_the_last_report_of_a_vital_within_one_export_counts() -> None:
    """Pages may report every change of a vital; attributes and body both carry its id."""
    grown = [make_log("browser.web_vital", attributes("cls", value)) for value in (0.1, 0.2, 0.3)]
    body = [make_log("browser.web_vital", body={"name": "LCP", "value": value, "id": "v3-7"}) for value in (900, 1200)]
    no_id = {name: value for name, value in attributes("cls", 0.05).items() if name != "browser.web_vital.id"}
    first = make_log("browser.web_vital", no_id)
    assert exported([grown[0], first, body[0], *grown[1:], body[1]]) == [0.05, 0.3, 1200]


def test_other_vitals_and_other_exports_are_kept() -> None:
    """Another page, session or vital, a record without a value, one without an id."""
    given = attributes("cls", 0.1)
    others = [
        {**given, "browser.web_vital.id": "v5-other"},
        {**given, "session.id": "a"},
        {**given, "browser.web_vital.name": "inp"},
        {name: value for name, value in given.items() if name != "browser.web_vital.id"},
    ]
    assert exported([make_log("browser.web_vital", one) for one in (given, *others)]) == [0.1] * 5
    nothing = {name: value for name, value in given.items() if name != "browser.web_vital.value"}
    first, second = LogView.of(make_log(EVENT_NAME, given)), LogView.of(make_log(EVENT_NAME, nothing))
    supersede([first, second])
    assert not first.is_superseded
    assert exported([make_log(EVENT_NAME, given)]) + exported([make_log(EVENT_NAME, given)]) == [0.1, 0.1]


def test_a_time_since_the_page_start_is_replaced_by_the_observed_time() -> None:
    """OpenTelemetry's instrumentation sets such a time; the observed time is right."""
    (draft,) = drafts_of(make_log("browser.web_vital", attributes("lcp"), time_ns=1_234_500_000))
    assert draft[1] == START_NS


def test_a_web_vital_without_a_rum_event_is_a_custom_event() -> None:
    """So is one without a value."""
    assert types(make_log("browser.web_vital", attributes("tbt"))) == ["browser.web_vital"]
    assert types(make_log("browser.web_vital", {"browser.web_vital.name": "lcp"})) == ["browser.web_vital"]


@pytest.mark.parametrize("name", EVENTS)
def test_a_splunk_span_has_a_web_vital(name: str) -> None:
    """In one attribute with the vital's name."""
    span = make_span("webvitals", {name: 0.1, "webvitals.metric_id": "v4-1"}, duration_millis=0)
    assert mapped(span) == [(EVENTS[name], {"version": "1.0.0", "value": 0.1})]
    assert types(make_span("webvitals", {name: "fast"})) == ["webvitals"]


def test_a_negative_vital_is_no_measurement() -> None:
    """Browsers report -1 for what did not happen; 0 is a value."""
    attributes = {"browser.web_vital.name": "lcp", "browser.web_vital.value": -1}
    assert mapped(make_log("browser.web_vital", attributes)) == []
    assert mapped(make_span("webvitals", {"lcp": -1})) == []
    assert [kind for kind, _ in mapped(make_span("webvitals", {"lcp": -1, "cls": 0}))] == [
        "cumulative_layout_shift_event"
    ]


@pytest.mark.parametrize("name", ["LCP", "CLS", "INP", "FCP", "TTFB", "FID"])
def test_a_vital_as_a_span_of_its_own_is_that_vital(name: str) -> None:
    """Honeycomb's agent makes one span for each."""
    attributes = {f"{name.lower()}.value": 12.5, f"{name.lower()}.rating": "good", f"{name.lower()}.delta": 1}
    ((kind, details),) = mapped(make_span(name, attributes))
    assert kind.endswith("_event")
    assert details["value"] == 12.5
    assert types(make_span(name)) == [name], "without a value it is a span like any other"
