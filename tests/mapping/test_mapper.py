"""Spans to event drafts, with state across spans."""

from opentelemetry.trace import SpanKind

from otel_rum_exporter.mapping.mapper import MAX_CUSTOM_TYPES, Mapper
from otel_rum_exporter.mapping.span_view import SpanView
from tests.spans import exception_event, make_config, make_span


def types(mapper: Mapper, span: object) -> list[str]:
    """Map one span to the short types of its events."""
    return [draft[0].removeprefix("com.amazon.rum.") for draft in mapper.map(SpanView.of(span))[1]]  # type: ignore[arg-type]


def test_an_exception_that_leaves_three_spans_is_one_error() -> None:
    """Python records it on each of them; the innermost ends first and reports it."""
    mapper = Mapper(make_config())
    outer = make_span("outer", events=[exception_event()])
    middle = make_span("middle", parent=outer, events=[exception_event()])
    inner = make_span("inner", parent=middle, events=[exception_event()])
    assert types(mapper, inner) == ["inner", "js_error_event"]
    assert types(mapper, middle) == ["middle"]
    assert types(mapper, outer) == ["outer"]


def test_a_request_served_that_raised_is_a_failed_request_and_an_error() -> None:
    """Both the 500 and its cause are sent."""
    attributes = {"http.method": "GET", "http.route": "/pay", "http.status_code": 500}
    span = make_span("GET /pay", attributes, kind=SpanKind.SERVER, events=[exception_event()])
    assert types(Mapper(make_config()), span) == ["http_event", "js_error_event"]


def test_the_exception_of_a_request_made_is_the_error_of_its_http_event_only() -> None:
    """Urllib records an exception for a plain 404, which is no error of the application."""
    attributes = {"http.method": "GET", "http.url": "http://a.example/", "http.status_code": 404}
    span = make_span("GET", attributes, kind=SpanKind.CLIENT, events=[exception_event("urllib.error.HTTPError")])
    assert types(Mapper(make_config()), span) == ["performance_resource_event", "http_event"]


def test_an_exception_that_a_framework_turns_into_404_is_no_error() -> None:
    """A 404 with another exception below it is an error."""
    attributes = {"http.method": "GET", "http.route": "/x", "http.status_code": 404}
    for kind, expected in (
        ("django.http.response.Http404", ["http_event"]),
        ("KeyError", ["http_event", "js_error_event"]),
    ):
        span = make_span("GET /x", attributes, kind=SpanKind.SERVER, events=[exception_event(kind)])
        assert types(Mapper(make_config()), span) == expected


def test_errors_are_sent_also_with_custom_events_off() -> None:
    """Switching off custom events must not hide errors."""
    span = make_span(events=[exception_event()])
    assert types(Mapper(make_config(custom_events="none")), span) == ["js_error_event"]


def test_too_many_types_of_custom_events_become_one() -> None:
    """Span names with ids must not each make a type."""
    mapper = Mapper(make_config())
    assert MAX_CUSTOM_TYPES == 200
    for number in range(MAX_CUSTOM_TYPES):
        assert types(mapper, make_span(f"job-{number}")) == [f"job-{number}"]
    assert types(mapper, make_span("one more")) == ["otel.span"]
    assert types(mapper, make_span("job-0")) == ["job-0"]


def test_spans_that_are_not_for_rum_make_no_event() -> None:
    """ASGI messages are part of their request."""
    assert types(Mapper(make_config()), make_span("GET / http send", {"asgi.event.type": "http.response.body"})) == []
