"""Custom events: the whole span, and nothing that identifies a person."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import Event, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode

from otel_rum_exporter.mapping.events import custom
from otel_rum_exporter.mapping.span_view import SpanView
from tests.logs import make_log
from tests.mapping.event_drafts import mapped
from tests.mapping.regex_steps import StepCounter
from tests.spans import START_NS, exception_event, make_config, make_span


def details(attributes: dict[str, Any] | None = None, **span: Any) -> dict[str, Any]:
    """Map one span to the details of its custom event."""
    (draft,) = custom.span_event(SpanView.of(make_span("work", attributes, **span)), make_config())
    return dict(draft[2])


def test_a_custom_event_has_the_whole_span() -> None:
    """Scope, status and dropped counts are required by OpenTelemetry's mapping to other formats."""
    parent = make_span("parent")
    span = make_span(
        "cook soup",
        {"pots": 2, "nothing": None},
        parent=parent,
        status=Status(StatusCode.ERROR, "burnt"),
        events=[Event("tasted", {"salt": True}, timestamp=START_NS), exception_event()],
    )
    span._instrumentation_scope = InstrumentationScope("kitchen", "2.0")
    span._links = [Link(SpanContext(1, 2, is_remote=True))]
    view = SpanView.of(span)
    (draft,) = custom.span_event(view, make_config())
    assert draft[0] == "cook_soup"
    assert draft[2] == {
        "name": "cook soup",
        "kind": "INTERNAL",
        "startTime": "2026-11-18T11:06:40.000Z",
        "durationMs": 120.0,
        "traceId": view.trace_id,
        "spanId": view.span_id,
        "parentSpanId": f"{parent.context.span_id:016x}",
        "otel": {
            "scope": {"name": "kitchen", "version": "2.0"},
            "status_code": "ERROR",
            "status_description": "burnt",
        },
        "attributes": {"pots": 2},
        "events": [{"name": "tasted", "time": "2026-11-18T11:06:40.000Z", "attributes": {"salt": True}}],
        "links": [{"traceId": f"{1:032x}", "spanId": f"{2:016x}"}],
    }


def test_dropped_counts_are_sent_if_there_are_any() -> None:
    """A reader must see that a span is incomplete."""

    class Lossy:
        """A span that lost attributes in the SDK."""

        def __init__(self) -> None:
            self._span = make_span()

        dropped_attributes, dropped_events, dropped_links = 3, 0, 1

        def __getattr__(self, name: str) -> Any:
            return getattr(self._span, name)

    (draft,) = custom.span_event(SpanView.of(Lossy()), make_config())
    assert draft[2]["otel"] == {"dropped_attributes_count": 3, "dropped_links_count": 1}


@pytest.mark.parametrize(
    "name",
    [
        "session.id",
        "user.id",
        "client.address",
        "net.peer.ip",
        "user.email",
        "enduser.id",
        "http.request.header.authorization",
        "http.request.header.cookie",
        "http.response.header.set_cookie",
        "url.query",
    ],
)
def test_personal_data_and_secrets_are_not_sent(name: str) -> None:
    """Session and user are sent as ids only; secrets are never sent."""
    assert details({name: "SECRET", "kept": 1})["attributes"] == {"kept": 1}


def test_urls_among_attributes_lose_their_query() -> None:
    """URLs are scrubbed in every attribute."""
    found = details({"http.url": "https://u:p@a.example/x?token=SECRET", "http.target": "/x?token=SECRET"})
    assert found["attributes"] == {"http.url": "https://a.example/x", "http.target": "/x"}


@given(st.text(st.characters(codec=None), max_size=400))
def test_any_span_name_makes_a_type_that_rum_accepts(name: str) -> None:
    """Types have 1 to 256 allowed characters and are never built-in types."""
    made = custom.event_type(name)
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,256}", made)
    assert not made.startswith("com.amazon.")


@pytest.mark.parametrize(
    ("name", "shown", "kind"),
    [
        ("GET /users/42/orders", "GET /users/*/orders", "GET_users_orders"),
        ("GET /users/7f9c24e8-3b12-4c5d-9e8f-0a1b2c3d4e5f", "GET /users/*", "GET_users"),
        (f"{'long/' * 300}42", f"{'long/' * 300}*", "long"),
        ("job 42", "job 42", "job"),
    ],
)
def test_ids_in_paths_are_masked_in_names_and_types(name: str, shown: str, kind: str) -> None:
    """Ids identify people, and RUM counts every type."""
    for record in (make_span(name), make_log(name)):
        assert [(made, one["name"]) for made, one in mapped(record)] == [(kind, shown)]


@pytest.mark.parametrize("part", ["long/", "a.py/", "a\\", "x.", "a/b.py,"])
def test_the_file_paths_of_a_name_are_found_in_linear_time(part: str) -> None:
    """A name may be a path that a client chose, and one twice as long takes at most about twice the steps."""
    one, two = (StepCounter(custom._FILE_PATH, part * count) for count in (12, 24))
    assert two.steps < 2.2 * one.steps


def test_a_span_named_like_a_built_in_event_is_a_custom_event() -> None:
    """Span names cannot forge built-in events."""
    assert custom.event_type("com.amazon.rum.http_event") == "otel.com.amazon.rum.http_event"


def test_custom_events_can_be_switched_off() -> None:
    """For app monitors that do not accept them."""
    view = SpanView.of(make_span())
    assert not list(custom.span_event(view, make_config(custom_events="none")))


def test_the_documentation_has_every_field_that_is_sent() -> None:
    """For a span and a log record with every field."""
    provider, kept = TracerProvider(span_limits=SpanLimits(max_span_attributes=1)), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("kitchen", "2.0")
    with tracer.start_as_current_span("menu") as menu:
        linked = Link(menu.get_span_context())
        with tracer.start_as_current_span("order", attributes={"a": 1, "b": 2}, links=[linked]) as order:
            order.add_event("paid")
            order.set_status(Status(StatusCode.ERROR, "sold out"))
    provider.shutdown()
    (_, of_span) = mapped(kept.get_finished_spans()[0])[0]
    (_, of_log) = mapped(make_log("order", {"a": 1}, body="done", span=make_span()))[0]
    for details, fields in ((of_span, custom.SPAN_FIELDS), (of_log, custom.LOG_FIELDS)):
        sent = {name for name in details if name != "otel"} | {f"otel.{name}" for name in details["otel"]}
        assert sent <= {field.name for field in fields}
    assert {field.name for field in custom.LOG_FIELDS} == {*of_log} - {"otel"} | {"otel.scope"}
    not_sent_here = {"otel.dropped_events_count", "otel.dropped_links_count"}
    assert {field.name for field in custom.SPAN_FIELDS} - not_sent_here == {*of_span} - {"otel"} | {
        f"otel.{name}" for name in of_span["otel"]
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("EXPLAIN ANALYZE SELECT * FROM orders WHERE id = 7", "SELECT_orders"),
        ("load 350ms", "load"),
        ("sent 1.5MiB", "sent"),
        ("h264 s3 http2", "h264_s3_http2"),
        ("Übersicht café", "Ubersicht_cafe"),
        ("-- who asked\nSELECT 1 FROM orders", "SELECT_orders"),
        ("(SELECT id FROM orders) UNION (SELECT 2)", "SELECT_orders"),
        ("/* a */ /* b */ select 1 from orders", "SELECT_orders"),
        ("explain prices", "explain_prices"),
        ("<Task at 0x7f3a2b1c>", "Task_at"),
    ],
)
def test_a_type_has_neither_sql_nor_addresses_in_memory(name: str, expected: str) -> None:
    """Comments and `EXPLAIN` stand before a statement."""
    assert custom.event_type(name) == expected


@pytest.mark.parametrize("part", ["/* */ ", "(", "-- a\n", " ", "EXPLAIN ", "/*"])
def test_twice_the_comments_before_sql_cost_no_more_than_a_search_from_each_start(part: str) -> None:
    """A name can have any length and repeat itself."""
    one, two = (StepCounter(custom._SQL, part * times).steps for times in (6, 12))
    assert two <= 5 * one
