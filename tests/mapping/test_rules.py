"""The tables of rules: the row that applies to each span and log record, and the events that it names."""

import json
from copy import copy
from typing import Any

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind

from otel_rum_exporter.mapping.event_types import PREFIX
from otel_rum_exporter.mapping.events.web_vital import VITALS
from otel_rum_exporter.mapping.log_view import LogView
from otel_rum_exporter.mapping.rules import LOG_RULES, SPAN_RULES
from otel_rum_exporter.mapping.span_view import SpanView
from tests.logs import make_log
from tests.mapping.event_drafts import drafts_of
from tests.spans import exception_event, make_config, make_span

CONFIG = make_config(xray_events=True, excluded_names="health*")
CLIENT, SERVER, INTERNAL = SpanKind.CLIENT, SpanKind.SERVER, SpanKind.INTERNAL
PAGE_VIEW = {
    "rum.event.type": "com.amazon.rum.page_view_event",
    "rum.event.details": json.dumps({"version": "1.0.0", "pageId": "/"}),
}


def _of_scope(
    scope: str, name: str, attributes: dict[str, Any] | None = None, kind: SpanKind = SpanKind.INTERNAL
) -> ReadableSpan:
    span = make_span(name, attributes or {}, kind=kind)
    span._instrumentation_scope = InstrumentationScope(scope)
    return span


def _lifecycle(name: str, attributes: dict[str, Any]) -> ReadableSpan:
    return _of_scope("io.opentelemetry.lifecycle", name, attributes)


def _words(kind: str) -> set[str]:
    """Return the words with which a row can name a type of event."""
    words = {"the event that `rum.event.type` names"}
    words |= {f"`{kind.removeprefix(PREFIX)}`"} if kind.startswith(PREFIX) else {"a custom event"}
    return words | ({"the event of each web vital"} if kind in {vital.type for vital in VITALS.values()} else set())


SPANS: list[tuple[str, ReadableSpan]] = [
    ("a request to RUM itself", make_span("RUM", {"rpc.service": "RUM"}, kind=CLIENT)),
    ("a name or scope in `EXCLUDED_NAMES`", make_span("healthy", {**PAGE_VIEW, "exception.type": "E"})),
    ("a message of an ASGI request", make_span("GET / http send", {"asgi.event.type": "http.response.start"})),
    ("`rum.event.type` = `none`", make_span("x", {"rum.event.type": "none", "exception.type": "E"})),
    ("`rum.event.type`", make_span("x", {**PAGE_VIEW, "exception.type": "E"})),
    ("a document loaded: `documentLoad`", make_span("documentLoad", {"url.full": "https://a.example/"})),
    ("a document fetched: `documentFetch`", make_span("documentFetch", {"url.full": "https://a.example/"})),
    ("a resource fetched: `resourceFetch`", make_span("resourceFetch", {"url.full": "https://a.example/a.css"})),
    ("a route changed: `routeChange`", make_span("routeChange", {"location.href": "https://a.example/b"})),
    ("web vitals: `webvitals`, or the name of a vital", make_span("webvitals", {"lcp": 900.5})),
    (
        "an interaction: `event_type` and `target_element`",
        make_span("click", {"event_type": "click", "target_element": "BUTTON"}),
    ),
    ("the start of an application: `AppStart`", make_span("AppStart", {"screen.name": "Home", "start.type": "cold"})),
    (
        "a screen drawn: `app.screen.time_to_first_…`",
        make_span("app.screen.time_to_first_draw", {"screen.name": "Home"}),
    ),
    ("an Android screen shown", _lifecycle("Resumed", {"screen.name": "Home"})),
    ("another step of a screen's lifecycle", _lifecycle("Paused", {"screen.name": "Home"})),
    ("an exception as a span", make_span("device.hang", {"exception.type": "hang"})),
    ("an HTTP request made", make_span("GET", {"http.method": "GET"}, kind=CLIENT)),
    (
        "a page served in the session of AWS's browser client",
        make_span(
            "GET /",
            {"http.method": "GET", "http.route": "/", "http.status_code": 200, "rum.session.joined": "browser"},
            kind=SERVER,
        ),
    ),
    (
        "a page served",
        make_span("GET /", {"http.method": "GET", "http.route": "/", "http.status_code": 200}, kind=SERVER),
    ),
    (
        "an HTTP request served",
        make_span("POST /", {"http.method": "POST", "http.route": "/", "http.status_code": 200}, kind=SERVER),
    ),
    ("an HTTP request served", make_span("GET", {"http.method": "GET", "http.status_code": 500}, kind=SERVER)),
    ("a screen shown", make_span("show", {"app.screen.name": "Home"})),
    (
        "a call to a database or cache, of kind CLIENT or by the scope of a library: `db.…`",
        make_span("GET /products/_doc/{id}", {"db.system": "elasticsearch", "http.method": "GET"}, kind=CLIENT),
    ),
    (
        "a call of an AWS SDK: `rpc.system` = `aws-api`",
        make_span("S3.GetObject", {"rpc.system": "aws-api", "http.method": "GET"}, kind=CLIENT),
    ),
    (
        "a health check that succeeded, by its path or user agent",
        make_span("GET", {"http.method": "GET", "http.target": "/healthz", "http.status_code": 200}, kind=SERVER),
    ),
    (
        "a request for messages, by the scope of a library that makes a span for each message as well",
        _of_scope("opentelemetry.instrumentation.confluent_kafka", "recv", kind=SpanKind.CONSUMER),
    ),
    ("a message processed: kind CONSUMER", make_span("take", {}, kind=SpanKind.CONSUMER)),
    ("a unit of work: `faas.…`, `job.…`", make_span("close books", {"job.name": "close"})),
    (
        "a message sent or received: `messaging.system`",
        make_span("orders send", {"messaging.system": "kafka"}, kind=SpanKind.PRODUCER),
    ),
    ("a call to another service: `rpc.system`", make_span("/a.B/Get", {"rpc.system": "grpc"}, kind=CLIENT)),
    ("a step of an instrumentation library, by its scope", _of_scope("opentelemetry.instrumentation.jinja2", "render")),
    ("anything else", make_span("GET", {"user_agent.synthetic.type": "bot"})),
]

OF_AN_EXPORT = "a web vital that a later record of the same export replaces"
"""The one row that a single record never reaches; `test_web_vital.py` tests it."""

LOGS: list[tuple[str, ReadableLogRecord]] = [
    ("a name or scope in `EXCLUDED_NAMES`", make_log("health", {"exception.type": "E"})),
    ("`rum.event.type` = `none`", make_log("exception", {"rum.event.type": "none", "exception.type": "E"})),
    ("`rum.event.type`", make_log("exception", {**PAGE_VIEW, "exception.type": "E"})),
    (
        "the log record of a failed request",
        make_log("http.client.request.exception", {"exception.type": "E"}, span=make_span("GET")),
    ),
    ("an exception", make_log("session.start", {"exception.type": "E", "session.id": "a"})),
    ("a session start: `session.start`", make_log("session.start", {"session.id": "a"})),
    (
        "a web vital: `browser.web_vital`",
        make_log("browser.web_vital", {"browser.web_vital.name": "cls", "browser.web_vital.value": 0}),
    ),
    (
        "a page shown: `browser.navigation`, `browser.page_view`",
        make_log("browser.navigation", {"url.full": "https://a.example/"}),
    ),
    ("a document loaded: `browser.navigation_timing`", make_log("browser.navigation_timing")),
    ("a resource loaded: `browser.resource_timing`", make_log("browser.resource_timing")),
    ("a click", make_log("app.screen.click")),
    (
        "a screen shown: `app.screen.view_did_appear`",
        make_log("app.screen.view_did_appear", {"screen.name": "Home"}),
    ),
    ("any other named event", make_log("feature_flag.evaluation", {"feature_flag.key": "k"})),
    ("any other named event", make_log(None, {"event.name": "device.app.lifecycle"})),
    ("a log line without an event name", make_log(body="started")),
]


@pytest.mark.parametrize(("rule", "span"), SPANS)
def test_the_first_row_that_fits_a_span_applies(rule: str, span: ReadableSpan) -> None:
    """Each row has a span that no row before it fits."""
    assert rule == SPAN_RULES.with_settings(CONFIG).rule_of(SpanView.of(span)).name


@pytest.mark.parametrize(("rule", "record"), LOGS)
def test_the_first_row_that_fits_a_log_record_applies(rule: str, record: ReadableLogRecord) -> None:
    """Each row has a log record that no row before it fits."""
    assert rule == LOG_RULES.with_settings(CONFIG).rule_of(LogView.of(record)).name


def test_every_row_has_an_example() -> None:
    """A row that nothing reaches is dead; names are unique within a table."""
    assert {rule.name for rule in SPAN_RULES} == {name for name, _ in SPANS}
    assert {rule.name for rule in LOG_RULES} == {name for name, _ in LOGS} | {OF_AN_EXPORT}
    assert len({rule.name for rule in SPAN_RULES}) == len(list(SPAN_RULES))
    assert len({rule.name for rule in LOG_RULES}) == len(list(LOG_RULES))


@pytest.mark.parametrize(("name", "record"), [*SPANS, *LOGS])
def test_a_row_names_the_events_that_it_makes(name: str, record: ReadableSpan | ReadableLogRecord) -> None:
    """The documentation is made from `becomes`; exceptions add errors unless the row leaves them out."""
    rows: dict[str, Any] = {row.name: row for row in (SPAN_RULES if isinstance(record, ReadableSpan) else LOG_RULES)}
    row = rows[name]
    made = {draft[0] for draft in drafts_of(record, CONFIG)}
    if row.keeps_exceptions and row.becomes != "`js_error_event`":
        made.discard("com.amazon.rum.js_error_event")
    for kind in made:
        assert any(words in row.becomes for words in _words(kind))
    assert bool(made) != row.becomes.startswith("nothing"), f"{name} makes {sorted(made)}"


def test_exceptions_of_calls_and_of_what_is_left_out_are_no_errors_of_their_spans() -> None:
    """The span that they reach reports them."""
    reported = set()
    for name, span in SPANS:
        failed = copy(span)
        failed._events = [exception_event("shop.Broken", "no", "stack")]
        if "com.amazon.rum.js_error_event" in {draft[0] for draft in drafts_of(failed, CONFIG)}:
            reported.add(name)
    assert {name for name, _ in SPANS} - reported == {
        "a request to RUM itself",
        "a name or scope in `EXCLUDED_NAMES`",
        "`rum.event.type` = `none`",
        "an HTTP request made",
        "a call to a database or cache, of kind CLIENT or by the scope of a library: `db.…`",
        "a call of an AWS SDK: `rpc.system` = `aws-api`",
        "a message sent or received: `messaging.system`",
    }


def test_synthetic_users_are_users() -> None:
    """A canary's requests are mapped as a user's are."""
    attributes = {"http.method": "GET", "http.status_code": 200, "user_agent.synthetic.type": "test"}
    assert [draft[0] for draft in drafts_of(make_span("GET", attributes, kind=CLIENT))] == [
        "com.amazon.rum.performance_resource_event"
    ]
