"""The mapping accepts any attribute values: every rule makes events that RUM accepts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, Status, StatusCode

from otel_rum_exporter import _attributes
from otel_rum_exporter.mapping.event_types import BUILT_IN
from otel_rum_exporter.mapping.events import js_error, timing
from otel_rum_exporter.mapping.events.web_vital import VITALS
from otel_rum_exporter.mapping.rules import LOG_RULES, SPAN_RULES
from tests.logs import make_log
from tests.mapping.event_drafts import drafts_of
from tests.mapping.test_attribute_values import ANY_VALUES
from tests.mapping.test_rules import LOGS, OF_AN_EXPORT, SPANS
from tests.spans import START_NS, make_config, make_span

MOMENTS = sorted({name for row in timing.NAVIGATION for name in (row.at, row.since) if name})

NAMES = sorted(
    {
        *(name for moment in MOMENTS for name in timing.attributes_of(moment)),
        *(name for one in BUILT_IN.values() for field in one.fields for name in field.sources),
        *(name for pair in js_error.SPLUNK_ATTRIBUTES for name in pair),
        *(
            *_attributes.TRANSFER_SIZES,
            *("location.href", "browser.document.url.full", "url.full", "http.url"),
            *_attributes.PARENT_SCREENS,
            *_attributes.SCREEN_NAMES,
        ),
        *(
            *_attributes.ERROR_TYPES,
            *_attributes.CODE_FILES,
            *_attributes.CODE_LINES,
            *_attributes.CONTENT_LENGTHS,
            *VITALS,
        ),
        *("browser.web_vital.name", "browser.web_vital.value", "browser.element.attributes", "prev.href"),
        *(
            "browser.resource_timing.transfer_size",
            "browser.resource_timing.encoded_body_size",
            "browser.resource_timing.decoded_body_size",
        ),
        *("browser.resource_timing.duration", "browser.resource_timing.initiator_type"),
        *("browser.resource_timing.next_hop_protocol", "browser.navigation_timing.redirect_count"),
        *("browser.navigation_timing.type", "app.screen.interaction", "event_type", "component", "session.id"),
        *("http.request.method", "http.method", "http.response.status_code", "http.status_code", "http.status_text"),
        *("http.route", "url.path", "url.query", "http.target", "server.address", "server.port", "net.peer.name"),
        *("http.request.header.referer", "http.response.header.content_type", "network.protocol.version"),
        *("rpc.service", "asgi.event.type", "event.name", "rum.event.details"),
    }
)
"""Every attribute that a rule reads, except the override `rum.event.type`."""

PLAUSIBLE = st.sampled_from(
    [
        *(
            "https://u:p@a.example:8443/x/4711?y=z#f",
            "http://[",
            "/a/b?c",
            "//",
            "GET",
            "_OTHER",
            "click",
            "error",
            "200",
        ),
        *(*VITALS, "CLS", "back_forward", "prerender", "script", "1.1", "complete", "RUM", "{}", '{"loadState": 1}'),
        *(0, 1, 200, 404, 429, 500, 600, -1, 5e-324, 1e300, 0.1, 2**53, 2**64, True),
        *(["https://a.example/?q=1"], ["text/html"], [1], {"id": "x"}, {"id": 1}),
    ]
)
VALUES = PLAUSIBLE | ANY_VALUES
ATTRIBUTES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=12)
DETAIL_NAMES = ["version", "pageId", "value", "event", "request", "response", "error", "interaction", "attribution"]
DETAILS = st.dictionaries(
    st.sampled_from([*DETAIL_NAMES, *sorted({field.name for one in BUILT_IN.values() for field in one.fields})]),
    VALUES | st.just("1.0.0") | st.dictionaries(st.sampled_from(["method", "status", "type", "loadState"]), VALUES),
    max_size=4,
)
STRANGE = "\ud800"
STRANGE_TEXTS = st.text(st.characters(codec=None), max_size=60)
CONFIGS = [make_config(xray_events=True, http_events="all", page_views="all"), make_config(page_views="none")]


def _span(like: ReadableSpan, attributes: dict[str, Any], moments: dict[str, int], name: str | None) -> ReadableSpan:
    span = make_span(
        like.name if name is None else name,
        {**(like.attributes or {}), **attributes},
        kind=like.kind,
        events=[Event(name, attributes, timestamp=START_NS + at) for name, at in moments.items()],
        status=Status(StatusCode.ERROR, "?" * (len(attributes) % 2)),
    )
    span._instrumentation_scope = like.instrumentation_scope or InstrumentationScope("kitchen")
    return span


@pytest.mark.parametrize("config", CONFIGS)
@given(
    like=st.sampled_from([span for rule, span in SPANS if rule != "`rum.event.type`"]),
    attributes=ATTRIBUTES,
    moments=st.dictionaries(
        st.sampled_from([*MOMENTS, "firstContentfulPaint", "exception"]),
        st.integers(min_value=-(2**63), max_value=2**63),
        max_size=6,
    ),
    name=st.none() | STRANGE_TEXTS,
)
def test_any_span_makes_events_that_rum_accepts(
    config: Any, like: ReadableSpan, attributes: dict[str, Any], moments: dict[str, int], name: str | None
) -> None:
    """For every rule, with any values in the attributes that rules read."""
    drafts_of(_span(like, attributes, moments, name), config)


@pytest.mark.parametrize("config", CONFIGS)
@given(
    like=st.sampled_from([record for rule, record in LOGS if rule != "`rum.event.type`"]),
    attributes=ATTRIBUTES,
    body=VALUES | st.dictionaries(st.sampled_from(["name", "value"]), VALUES),
    name=st.none() | STRANGE_TEXTS,
)
def test_any_log_record_makes_events_that_rum_accepts(
    config: Any, like: ReadableLogRecord, attributes: dict[str, Any], body: Any, name: str | None
) -> None:
    """For every rule, with any body and any values in the attributes that rules read."""
    record = like.log_record
    merged = {**(record.attributes or {}), **attributes}
    drafts_of(make_log(record.event_name if name is None else name, merged, body=body), config)


@given(
    kind=ANY_VALUES | STRANGE_TEXTS | st.just("order.placed") | st.sampled_from([*BUILT_IN]),
    details=VALUES | STRANGE_TEXTS | DETAILS,
    make=st.sampled_from([make_log, make_span]),
)
def test_any_override_is_applied_or_ignored(kind: Any, details: Any, make: Any) -> None:
    """No override can make an event that RUM would drop."""
    attributes = {"rum.event.type": kind, "rum.event.details": details}
    drafts_of(make("x", attributes))


@pytest.mark.parametrize(
    "record",
    [
        make_span(f"{STRANGE} order"),
        make_span("order", {STRANGE: 1}),
        make_span("order", {"order": STRANGE, "list": [STRANGE], "map": {STRANGE: STRANGE}}),
        make_span("order", events=[Event(STRANGE, {STRANGE: STRANGE})], status=Status(StatusCode.ERROR, STRANGE)),
        make_span("order", scope=STRANGE),
        make_log("order", {STRANGE: STRANGE}, body=STRANGE),
        make_log(f"{STRANGE} order"),
    ],
)
def test_a_lone_surrogate_costs_no_record(record: ReadableSpan | ReadableLogRecord) -> None:
    """It cannot be encoded, and becomes a question mark."""
    (draft,) = drafts_of(record)
    assert draft[0].endswith("order")


@pytest.mark.parametrize("start_ns", [4_102_444_800_000_000_001, 2**64 - 1, 2**80])
def test_a_time_after_2100_is_the_last_moment_of_the_century(start_ns: int) -> None:
    """A broken clock costs no record, and dates have a range."""
    (draft,) = drafts_of(make_span("order", start_ns=start_ns))
    assert draft[2]["startTime"] == "2100-01-01T00:00:00.000Z"


def test_every_rule_is_fuzzed() -> None:
    """The tests above use an example of each rule."""
    assert {name for name, _ in SPANS} == {rule.name for rule in SPAN_RULES}
    assert {name for name, _ in LOGS} | {OF_AN_EXPORT} == {rule.name for rule in LOG_RULES}
    assert SpanKind.SERVER in {span.kind for _, span in SPANS}
