"""`otel-rum explain` shows what the exporter sends."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, Status

from otel_rum_exporter._attributes import SESSION_MINTED
from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.config import Config, ConfigError
from otel_rum_exporter.ledger import Ledger
from otel_rum_exporter.mapping import converter
from otel_rum_exporter.mapping.converter import Converter
from otel_rum_exporter.mapping.explain import (
    PLACEHOLDER_APP_MONITOR_ID,
    Explanation,
    as_json,
    config_of,
    explain,
    text_lines,
)
from otel_rum_exporter.mapping.identity import Moment
from otel_rum_exporter.mapping.mapper import Mapper
from otel_rum_exporter.mapping.rules import SPAN_RULES
from otel_rum_exporter.mapping.span_view import SpanView
from otel_rum_exporter.otlp import (
    DecodedEvent,
    DecodedLogData,
    DecodedLogRecord,
    DecodedResource,
    DecodedSpan,
    DecodeFailure,
    DecodeResult,
)
from otel_rum_exporter.rum.event import RumEvent
from otel_rum_exporter.rum.price import PRICE_DATE, PRICE_PAGE
from tests.mapping.test_rules import OF_AN_EXPORT
from tests.spans import APP_MONITOR_ID, START_NS, exception_event, make_config, make_span

NOW_NS = START_NS + 1_000_000_000
SESSION, USER = "33d38e21-7c0a-4c1e-9c58-2f6d1b0a9e44", "e175cdbf-7c0a-4c1e-9c58-2f6d1b0a9e44"
PAGE = {"http.request.method": "GET", "http.route": "/cart", "http.response.status_code": 200, "session.id": SESSION}


def _decoded(span: ReadableSpan) -> DecodedSpan:
    return DecodedSpan(
        name=span.name,
        kind=span.kind,
        context=span.context,
        parent=span.parent,
        start_time=span.start_time or 0,
        end_time=span.end_time or 0,
        status=Status(),
        attributes=dict(span.attributes or {}),
        events=tuple(DecodedEvent(event.name, event.timestamp, dict(event.attributes or {})) for event in span.events),
        links=(),
        resource=DecodedResource(dict(span.resource.attributes)),
        instrumentation_scope=None,
        dropped_attributes=0,
        dropped_events=0,
        dropped_links=0,
    )


def _log(name: str | None, attributes: Mapping[str, Any] | None = None, **fields: Any) -> DecodedLogRecord:
    data: dict[str, Any] = {
        "timestamp": START_NS,
        "observed_timestamp": None,
        "trace_id": None,
        "span_id": None,
        "trace_flags": None,
        "severity_number": None,
        "body": None,
    }
    log = DecodedLogData(attributes=dict(attributes or {}), event_name=name, **{**data, **fields})
    return DecodedLogRecord(log, DecodedResource({}), None)


def _explain(*records: ReadableSpan | DecodedLogRecord, config: Config | None = None) -> Explanation:
    decoded = (_decoded(record) if isinstance(record, ReadableSpan) else record for record in records)
    return explain(DecodeResult(tuple(decoded), ()), config or make_config(), NOW_NS)


def _types(explanation: Explanation) -> list[list[str]]:
    return [[event.type.rpartition(".")[2] for event in record.events] for record in explanation.records]


def test_each_record_has_its_own_events_in_the_order_of_the_file() -> None:
    """Children are pending until their parents arrive, and are still listed in their place."""
    page = make_span("GET /cart", {**PAGE, "user.id": USER}, kind=SpanKind.SERVER)
    query = make_span("SELECT", {}, kind=SpanKind.CLIENT, parent=page)
    explanation = _explain(query, page)
    assert _types(explanation) == [["SELECT"], ["page_view_event", "performance_navigation_event"]]
    assert [record.rule for record in explanation.records] == ["anything else", "a page served"]
    assert {(record.session_id, record.user_id, record.page_id) for record in explanation.records} == {
        (SESSION, USER, "/cart")
    }
    assert explanation.totals == {
        "SELECT": 1,
        "com.amazon.rum.page_view_event": 1,
        "com.amazon.rum.performance_navigation_event": 1,
    }


def test_the_events_are_those_of_the_exporter() -> None:
    """Ids, details and metadata are equal, byte for byte."""
    page = make_span("GET /cart", PAGE, kind=SpanKind.SERVER, events=[exception_event()])
    spans = [make_span("work", {"a": 1}, parent=page), page, make_span("alone")]
    ids = map("00000000-0000-4000-8000-{:012}".format, itertools.count(1))
    converter = Converter(make_config(), new_id=lambda: next(ids), ledger=Ledger(), log=RateLimitedLog())
    events = converter.spans(spans, Moment(NOW_NS, 0)).events.values()
    sent = [RumEvent(*event) for group in events for event in group]
    explained = [event for record in _explain(*spans).records for event in record.events]
    assert sorted(explained, key=lambda event: event.id) == sorted(sent, key=lambda event: event.id)


def test_a_repeated_record_is_explained_twice() -> None:
    """A file can contain the same request again."""
    span = make_span()
    first, second = _explain(span, span).records
    assert [event.id for event in first.events if event.type == "work"] == [event.id for event in second.events]


def test_log_records_are_explained() -> None:
    """Including those with equal content, and those that are pending."""
    page = make_span("GET /cart", PAGE, kind=SpanKind.SERVER)
    within = _log("added", trace_id=page.context.trace_id, span_id=page.context.span_id)
    explanation = _explain(within, _log("e"), _log("e"), page)
    assert _types(explanation)[0] == ["added"]
    assert explanation.records[0].page_id == "/cart"
    assert [record.kind for record in explanation.records] == [None, None, None, "SERVER"]
    assert len(explanation.records[2].events) == 1


def test_a_repeated_exception_is_the_reason_for_no_event() -> None:
    """Python records an exception on each span that it leaves; the first reports it."""
    outer = make_span("outer", {"asgi.event.type": "x"}, events=[exception_event()])
    inner = make_span("inner", parent=outer, events=[exception_event()], duration_millis=60)
    record = _explain(inner, outer).records[1]
    assert (record.events, record.left_out) == ((), "another record already reported its exception")


def test_a_repeated_document_load_is_the_reason_for_no_event() -> None:
    """Two browser instrumentations report it."""
    shown = {"url.full": "https://shop.example/cart", "session.id": SESSION}
    found = _explain(make_span("documentLoad", shown, duration_millis=0), _log("browser.navigation", shown)).records
    left_out = [(len(one.events), one.left_out) for one in found if one.left_out]
    assert left_out == [(0, "another record already reported its document load")]


@pytest.mark.parametrize(
    ("record", "settings", "reason"),
    [
        (make_span("x", {"asgi.event.type": "x"}), {}, "it is not for RUM"),
        (_log(None, body="a line"), {}, "it is not for RUM"),
        (make_span("x"), {"custom_events": "none"}, "the settings exclude it"),
        (make_span("x"), {"excluded_names": "x"}, "the settings exclude it"),
        (make_span("documentFetch"), {}, "its parent's event contains its data"),
    ],
)
def test_what_is_left_out_has_a_reason(
    record: ReadableSpan | DecodedLogRecord, settings: dict[str, object], reason: str
) -> None:
    """The rule is named, and the reason why there is no event."""
    explanation = _explain(record, config=make_config(**settings))
    assert [record.left_out for record in explanation.records] == [reason]
    assert explanation.totals.total() == 0


@pytest.mark.parametrize(
    ("changes", "settings", "reason"),
    [
        ({}, {}, None),
        ({"http.response.status_code": 304}, {"page_views": "all"}, None),
        ({"http.request.method": "POST"}, {}, None),
        ({"http.request.method": None}, {}, None),
        ({}, {"page_views": "none"}, "page views are switched off"),
        ({}, {"page_views": lambda _: False}, "the page_views function says so"),
        ({"http.response.status_code": 400}, {}, "it failed"),
        ({"http.response.status_code": None}, {}, "it has no status"),
        ({"http.route": None}, {}, "it has neither a route nor a path"),
        ({"http.response.status_code": 300}, {}, "its status is 300"),
        ({"user_agent.original": "curl/8"}, {}, "its user agent is no browser's"),
        ({"http.response.header.content_type": ("application/json",)}, {}, "its content type is not HTML"),
        ({"http.route": None, "url.path": "/a"}, {}, "it has no route, and its content type is unknown"),
        ({"http.route": "/metrics"}, {}, "its path is one that programs request, and its content type is unknown"),
        ({"http.route": "/logo.png"}, {}, "its path is that of a file, and its content type is unknown"),
    ],
)
def test_a_get_request_that_is_no_page_view_has_a_reason(
    changes: Mapping[str, Any], settings: Mapping[str, Any], reason: str | None
) -> None:
    """Other methods are never expected to be pages, so they have none."""
    attributes = {name: value for name, value in {**PAGE, **changes}.items() if value is not None}
    explanation = _explain(make_span("r", attributes, kind=SpanKind.SERVER), config=make_config(**settings))
    assert explanation.records[0].no_page == reason
    assert [line for line in text_lines(explanation) if "no page view" in line] == (
        [f"    no page view: {reason}"] if reason else []
    )


def test_the_last_report_of_a_vital_counts() -> None:
    """As if everything were exported at once."""
    vital = {"browser.web_vital.name": "cls", "browser.web_vital.id": "v5-1", "session.id": SESSION}
    first, last = (_log("browser.web_vital", {**vital, "browser.web_vital.value": value}) for value in (0.1, 0.2))
    found = _explain(first, last).records
    assert [len(one.events) for one in found] == [0, 1]
    assert (found[0].rule, found[0].left_out) == (OF_AN_EXPORT, "a later record replaces it")


def test_an_override_that_rum_would_drop_is_noted() -> None:
    """As the exporter logs it; the span gets its default mapping."""
    override = {"session.id": SESSION, "rum.event.type": "page_view_event", "rum.event.details": "{}"}
    explanation = _explain(make_span("order", override))
    assert [event.type for event in explanation.records[0].events] == ["order"]
    assert any("'pageId' is missing" in note for note in explanation.notes)


def test_a_record_without_app_monitor_is_left_out() -> None:
    """With the exporter's reason for the drop."""
    config = Config(app_monitor_id=None)
    assert _explain(make_span(), config=config).records[0].left_out == (
        "neither the configuration nor the resource names an app monitor"
    )


def test_a_record_that_cannot_be_mapped_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of the mapping does not end the explanation."""
    intact = Mapper.map

    def broken(self: Mapper, view: Any) -> Any:
        if view.name == "bad":
            raise ValueError("defect")
        return intact(self, view)

    monkeypatch.setattr(Mapper, "map", broken)
    bad, good = _explain(make_span("bad"), make_span("good")).records
    assert (bad.rule, bad.left_out) == ("no rule", "a span or log record could not be read")
    assert good.left_out is None


def test_a_record_that_cannot_be_read_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every record of the file is explained."""

    def reader(*settings: Any) -> Callable[[Any], SpanView]:
        def read(span: Any) -> SpanView:
            if span.name == "bad":
                raise ValueError("defect")
            return SpanView.of(span, *settings)

        return read

    monkeypatch.setattr(converter, "span_reader", reader)
    bad, good = _explain(make_span("bad"), make_span("good")).records
    assert (bad.rule, bad.left_out) == ("no rule", "a span or log record could not be read")
    assert (good.name, good.left_out) == ("good", None)


def test_a_placeholder_session_is_noted() -> None:
    """The exporter would create a random id."""
    explanation = _explain(make_span())
    assert explanation.records[0].session_id == "00000000-0000-4000-8000-000000000001"
    assert [note for note in explanation.notes if "are placeholders" in note]
    assert _types(explanation) == [["session_start_event", "work"]]


def test_what_the_exporter_would_log_is_noted() -> None:
    """For example how a server can have sessions."""
    explanation = _explain(make_span("GET /", {"http.request.method": "GET"}, kind=SpanKind.SERVER))
    assert [note for note in explanation.notes if "session.id" in note]


@pytest.mark.parametrize(
    ("environment", "expected", "is_noted"),
    [
        ({}, PLACEHOLDER_APP_MONITOR_ID, True),
        ({"OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": APP_MONITOR_ID}, APP_MONITOR_ID, False),
        ({"OTEL_EXPORTER_AWS_RUM_ID_HASH_KEY": "key"}, PLACEHOLDER_APP_MONITOR_ID, False),
    ],
)
def test_a_missing_app_monitor_has_a_placeholder(environment: dict[str, str], expected: str, *, is_noted: bool) -> None:
    """It affects hashed ids only, and is noted if it does."""
    config = config_of(environment)
    notes = _explain(make_span("x", {**PAGE, "session.id": "a"}), config=config).notes
    assert config.app_monitor_id == expected
    assert any("APP_MONITOR_ID is not set" in note for note in notes) is is_noted


def test_a_missing_app_monitor_is_not_noted_if_no_id_is_hashed() -> None:
    """UUIDs of any version are sent unchanged, and random ids have a note of their own."""
    notes = _explain(make_span("x", PAGE), make_span("y"), config=config_of({})).notes
    assert not any("APP_MONITOR_ID is not set" in note for note in notes)
    own = {"session.id": "00000000-AAAA-8bbb-8ccc-000000000001", "user.id": "00000000aaaa8bbb8ccc000000000002"}
    notes = _explain(make_span("x", {**PAGE, **own}), make_span("y", {**PAGE, **own}), config=config_of({})).notes
    assert not any("APP_MONITOR_ID is not set" in note for note in notes)
    notes = _explain(make_span("x", {**PAGE, "user.id": "a"}), config=config_of({})).notes
    assert any("APP_MONITOR_ID is not set" in note for note in notes)


def test_records_are_in_the_order_of_their_times() -> None:
    """A page begins before its error, although files often have log records of their own."""
    page = make_span("GET /cart", PAGE, kind=SpanKind.SERVER)
    error = _log("failed", timestamp=START_NS + 1)
    observed = _log("seen", timestamp=None, observed_timestamp=START_NS + 2)
    assert [one.name for one in _explain(observed, error, page).records] == ["GET /cart", "failed", "seen"]


def test_a_step_of_a_library_names_the_variable_that_sends_it() -> None:
    """As a user can set it."""
    query = make_span("SELECT", {"db.system.name": "postgresql"}, kind=SpanKind.CLIENT)
    (record,) = _explain(query).records
    assert (record.left_out or "").endswith("; OTEL_EXPORTER_AWS_RUM_CUSTOM_EVENTS=all sends it")


def test_a_record_that_only_starts_its_session_has_one_line() -> None:
    """A line with an event above "left out" would be a contradiction."""
    request = make_span(
        "POST /api", {**PAGE, "http.request.method": "POST", SESSION_MINTED: True}, kind=SpanKind.SERVER
    )
    explanation = _explain(request, config=make_config(custom_events="none", http_events="none"))
    lines = list(text_lines(explanation))
    assert [line.partition("; ")[0] for line in lines[2:4]] == [
        "    -> session_start_event, as the first record of its session",
        "1 span and 0 log records: 1 event, 1 left out, 0 not read",
    ]
    assert lines[2].endswith(f"; no other event: {explanation.records[0].left_out}")


def test_a_wrong_setting_is_an_error() -> None:
    """The explanation would differ from what is sent."""
    with pytest.raises(ConfigError):
        config_of({"OTEL_EXPORTER_AWS_RUM_PAGE_VIEWS": "some"})


def test_the_text_is_as_documented() -> None:
    """A record with its rule, session and events; what was not read; notes; totals."""
    page = make_span("GET /cart", PAGE, kind=SpanKind.SERVER, events=[exception_event("ValueError", "a\nb\x1b[31m")])
    decoded = DecodeResult((_decoded(page), _log(None)), (DecodeFailure("resourceSpans", "is 5, not a list"),))
    lines = list(text_lines(explain(decoded, make_config(), NOW_NS)))
    assert lines[:5] == [
        "SERVER GET /cart: a page served",
        f"    session {SESSION}, no user, page /cart",
        "    -> page_view_event  pageId=/cart",
        "    -> performance_navigation_event  initiatorType=navigation duration=120.0 navigationType=navigate",
        "    -> js_error_event  type=ValueError message=a\\x0ab\\x1b[31m",
    ]
    assert lines[5] == "LOG (no name): a log line without an event name"
    assert lines[7:8] == ["    left out: it is not for RUM"]
    assert "not read: resourceSpans is 5, not a list" in lines
    assert lines[-5:] == [
        "1 span and 1 log record: 3 events, 1 left out, 1 not read",
        "     1  page_view_event",
        "     1  performance_navigation_event",
        "     1  js_error_event",
        f"0.00003 USD at list price ({PRICE_DATE}, {PRICE_PAGE})",
    ]


def test_the_json_has_complete_events() -> None:
    """Details are objects, and metadata is merged with the session's."""
    explained = json.loads(json.dumps(as_json(_explain(make_span("GET /cart", PAGE, kind=SpanKind.SERVER)))))
    (record,) = explained["records"]
    assert {name: record[name] for name in ("name", "kind", "rule", "page_id", "user_id", "left_out")} == {
        "name": "GET /cart",
        "kind": "SERVER",
        "rule": "a page served",
        "page_id": "/cart",
        "user_id": None,
        "left_out": None,
    }
    view, navigation = record["events"]
    assert view["details"] == {"version": "1.0.0", "pageId": "/cart"}
    assert view["metadata"]["domain"] == "shop"
    assert view["metadata"]["pageId"] == "/cart"
    assert navigation["timestamp"] == pytest.approx(START_NS / 1e9 + 0.12)
    assert explained["totals"] == dict.fromkeys((view["type"], navigation["type"]), 1)


NAMES = st.text() | st.sampled_from(
    [*PAGE, "user.id", "exception.type", "url.full", "app.screen.name", "rum.event.type"]
)
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.text()).map(tuple)
)


@given(
    st.text(),
    st.dictionaries(NAMES, VALUES),
    st.sampled_from(SpanKind),
    st.integers(0, 2**64 - 1),
    st.text() | st.none(),
)
def test_nothing_decoded_raises(
    name: str, attributes: dict[str, Any], kind: SpanKind, time_ns: int, event: str | None
) -> None:
    """Every record has lines, and all of them are printable."""
    span = make_span(name, attributes, kind=kind, start_ns=time_ns, duration_millis=0)
    explanation = _explain(span, _log(event, attributes, timestamp=time_ns, body=name))
    assert all(line.isprintable() for line in text_lines(explanation))
    assert json.dumps(as_json(explanation))
    assert not [record for record in explanation.records if record.rule == "no rule"]
    assert {record.rule for record in explanation.records if record.kind} <= {rule.name for rule in SPAN_RULES}
