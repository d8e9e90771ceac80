"""From telemetry to events with identity, metadata and remarks."""

from __future__ import annotations

import itertools
import logging
import uuid
from typing import Any
from unittest.mock import Mock

import orjson
import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from otel_rum_exporter._attributes import USER_ATTRIBUTES
from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.ledger import Ledger
from otel_rum_exporter.mapping.converter import Conversion
from otel_rum_exporter.mapping.event_types import PREFIX
from otel_rum_exporter.mapping.identity import Moment
from otel_rum_exporter.rum.batch import BatchKey
from otel_rum_exporter.rum.event import RumEvent
from otel_rum_exporter.rum.ids import NIL_UUID
from tests.logs import make_log
from tests.spans import START_NS, exception_event, make_config, make_span

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"


class Converted:
    """What became of some telemetry, and what was said about it."""

    def __init__(self, records: list[ReadableSpan] | list[ReadableLogRecord], **settings: Any) -> None:
        self.ledger, log, now = Ledger(), RateLimitedLog(), Moment(START_NS, 0)
        ids = (str(uuid.UUID(int=number)) for number in itertools.count(1))
        conversion = Conversion(make_config(**settings), new_id=lambda: next(ids), ledger=self.ledger, log=log)
        convert: Any = conversion.log_records if isinstance(records[0], ReadableLogRecord) else conversion.spans
        by_key = [*convert(records, now).events.items(), *conversion.close(now).events.items()]
        self.keys: list[BatchKey] = [key for key, _ in by_key]
        self.events: list[RumEvent] = [event for _, events in by_key for event in events]
        log.write()

    @property
    def types(self) -> list[str]:
        return [event.type.removeprefix(PREFIX) for event in self.events]

    def metadata(self) -> dict[str, Any]:
        """Return the metadata of the last event."""
        found: dict[str, Any] = orjson.loads(self.events[-1].metadata)
        return found


def test_a_session_started_names_the_one_before_by_its_id_in_rum() -> None:
    """The schema of the event has no room for it; the id itself stays at home."""
    told = {"session.id": A, "session.previous_id": "secret-session"}
    found = Converted([make_log("session.start", told)])
    previous = found.metadata()["session_previous_id"]
    (other,) = Converted([make_span("work", {"session.id": "secret-session"})]).keys
    assert previous == other.session_id
    assert Converted([make_log("order", told)]).metadata() == {}


def test_what_the_sdk_left_out_is_counted_in_the_metadata() -> None:
    """Built-in events have no other place for it, and the SDK's limits are where attributes get lost."""
    provider, kept = TracerProvider(span_limits=SpanLimits(max_span_attributes=3, max_events=1)), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with provider.get_tracer("t").start_as_current_span("GET", kind=SpanKind.CLIENT) as span:
        span.set_attributes({"session.id": A, "a": 1, "b": 2, "http.method": "GET", "http.status_code": 200})
        span.add_event("one")
        span.add_event("two")
    provider.shutdown()
    found = Converted(list(kept.get_finished_spans()))
    assert found.types[-1] == "performance_resource_event"
    assert found.metadata() == {"otel_dropped_attributes_count": 2, "otel_dropped_events_count": 1}


def test_remarks_take_only_the_room_that_is_left() -> None:
    """RUM keeps ten custom attributes; the settings' go first, and one is for the mark of trimmed events."""
    names = [f"a{number}" for number in range(9)]
    attributes = {"session.id": A, "session.previous_id": B, **dict.fromkeys(names, 1)}
    found = Converted([make_log("session.start", attributes)], metadata_attributes=names)
    assert found.metadata() == dict.fromkeys(names, 1)


def test_a_server_whose_span_lost_its_session_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    """The SDK drops the oldest attributes, and the session is among the first that are set."""
    span = make_span("GET /", {"http.method": "GET"}, kind=SpanKind.SERVER)
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        Converted([span])
    assert "carries no session" in caplog.text
    provider, kept = TracerProvider(span_limits=SpanLimits(max_span_attributes=1)), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    provider.get_tracer("t").start_span("GET /", kind=SpanKind.SERVER, attributes={"session.id": A, "b": 1}).end()
    provider.shutdown()
    caplog.clear()
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        Converted(list(kept.get_finished_spans()))
    assert "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT" in caplog.text


def test_an_override_that_rum_would_drop_is_said_and_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The span is mapped as if nothing had been told."""
    told = {"rum.event.type": "page_view_event", "rum.event.details": '{"pageId": "/", "sku": "4711"}'}
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        found = Converted([make_span("order", {"session.id": A, **told})])
    assert found.types == ["order"]
    assert "RUM knows no field 'sku' there" in caplog.text


def test_a_function_for_pages_that_fails_costs_no_page(caplog: pytest.LogCaptureFixture) -> None:
    """The page is guessed, and the fault is told."""
    page = {"http.method": "GET", "http.route": "/", "http.status_code": 200, "session.id": A}
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        found = Converted([make_span("GET /", page, kind=SpanKind.SERVER)], page_views=lambda _: 1 / 0)
    assert found.types == ["page_view_event", "performance_navigation_event"]
    assert "division by zero" in caplog.text


def test_names_and_scopes_are_excluded() -> None:
    """With their exceptions, of spans and of log records; `*` is any text."""
    spans = [make_span(name, {"session.id": A}) for name in ("healthz", "health", "order")]
    assert Converted(spans, excluded_names="health*").types == ["order"]
    assert Converted(spans, excluded_names=["health"]).types == ["healthz", "order"]
    record = make_log("order", {"session.id": A, "exception.type": "E"})
    assert Converted([record], excluded_names="kitchen").events == []
    assert Converted([record], excluded_names="kit").types == ["js_error_event"]


def test_enduser_id_tells_the_user_only_where_that_is_wanted() -> None:
    """It may be a name that people know; RUM gets a hash of it, and nothing else tells better."""
    span = make_span("work", {"session.id": A, "enduser.id": "ann@example.com"})
    assert Converted([span]).keys[0].user_id == NIL_UUID
    (key,) = Converted([span], enduser_id=True).keys
    assert key.user_id not in {NIL_UUID, "ann@example.com"}
    named = make_span("work", {"session.id": A, "enduser.id": "ann@example.com", "user.id": B})
    assert Converted([named], enduser_id=True).keys[0].user_id == B
    of_resource = make_span("work", {"session.id": A}, resource={"enduser.id": "ann@example.com"})
    assert Converted([of_resource], enduser_id=True).keys[0].user_id == key.user_id
    assert "ann@example.com" not in str(Converted([span], enduser_id=True).events)


def test_a_vital_told_again_within_one_export_is_counted_as_left_out() -> None:
    """Nothing is lost silently."""
    told = {"session.id": A, "browser.web_vital.name": "cls", "browser.web_vital.id": "v5-1"}
    records = [make_log("browser.web_vital", {**told, "browser.web_vital.value": value}) for value in (0.1, 0.2)]
    found = Converted(records)
    assert [orjson.loads(event.details)["value"] for event in found.events] == [0.2]
    assert (found.ledger.accepted, found.ledger.filtered) == (1, 1)


@pytest.mark.parametrize("number", range(len(USER_ATTRIBUTES)))
def test_the_first_attribute_that_tells_the_user_counts(number: int) -> None:
    """Random ids go before names, on the span as in the resource."""
    known = {name: str(uuid.UUID(int=index + 7)) for index, name in enumerate(USER_ATTRIBUTES)}
    later = dict(list(known.items())[number:])
    first = next(iter(later.values()))
    shuffled = dict(reversed(later.items()))
    assert Converted([make_span("work", {"session.id": A, **shuffled})]).keys[0].user_id == first
    assert Converted([make_span("work", {"session.id": A}, resource=shuffled)]).keys[0].user_id == first


def test_the_application_of_a_request_is_that_of_the_resource() -> None:
    """RUM filters by it; a build number tells where nobody tells a version."""
    (told,) = Converted([make_span("work", {"session.id": A})]).keys
    assert told.app_monitor.version == "1.2.3"
    build = make_span("work", {"session.id": A}, resource={"service.version": "", "app.build_id": "7"})
    assert Converted([build]).keys[0].app_monitor.version == "7"


def holding() -> tuple[Conversion, Ledger]:
    """Make a conversion for a store that survives the process."""
    ledger, ids = Ledger(), map("00000000-0000-4000-8000-{:012}".format, itertools.count(1))
    return Conversion(make_config(), new_id=lambda: next(ids), ledger=ledger, log=RateLimitedLog(), holds=True), ledger


def test_a_span_that_waits_has_events_already_in_case_its_parent_never_comes() -> None:
    """What was accepted survives the process, with the best identity known; the parent's own is better."""
    conversion, ledger = holding()
    parent = make_span("GET /", {"session.id": A}, kind=SpanKind.SERVER)
    child = make_span("work", parent=parent, events=[exception_event()])
    first = conversion.spans([child], Moment(START_NS, 0))
    ((handle, held),) = first.held.items()
    (key,) = held
    assert key.session_id != A
    assert not first.events
    assert (ledger.accepted, ledger.pending) == (0, 1)
    second = conversion.spans([parent], Moment(START_NS, 0))
    assert second.settled == [handle]
    assert not second.held
    ((settled_key, events),) = second.events.items()
    assert settled_key.session_id == A
    assert {event.id for event in held[key]} <= {event.id for event in events}
    assert [event.type for event in events].count("com.amazon.rum.js_error_event") == 1
    assert ledger.accepted == len(events)


def test_a_span_that_cannot_be_foreseen_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it would be if its parent never came is a precaution."""
    conversion, ledger = holding()
    monkeypatch.setattr(conversion._identities, "foresee", Mock(side_effect=ZeroDivisionError))
    waiting = make_span("child", parent=make_span("parent"))
    converted = conversion.spans([make_span("page", {"session.id": "a"}), waiting], Moment(START_NS, 0))
    assert (ledger.accepted, sum(map(len, converted.events.values())), converted.held) == (1, 1, {})


def test_what_waits_is_released_at_the_end_though_nothing_of_it_is_sent() -> None:
    """A span that is left out leaves nothing behind."""
    conversion, _ = holding()
    parent = make_span("GET /", {"session.id": A}, kind=SpanKind.SERVER)
    first = conversion.spans([make_span("work", {"rum.event.type": "none"}, parent=parent)], Moment(START_NS, 0))
    assert conversion.close(Moment(START_NS, 0)).settled == list(first.held)


@pytest.mark.parametrize(
    ("platform", "region", "setting", "expected"),
    [
        ("aws_rum", "eu-central-1", None, "eu-central-1"),
        ("aws_rum", "us-gov-west-1", None, "us-gov-west-1"),
        ("aws_rum", "eu-central-1", "us-east-1", None),
        ("aws_rum", "evil.example/", None, None),
        ("aws_ec2", "eu-central-1", None, None),
    ],
)
def test_the_region_is_that_of_the_app_monitor_never_that_of_a_server(
    platform: str, region: str, setting: str | None, expected: str | None
) -> None:
    """AWS's mobile SDKs tell it with a platform of its own; the settings go first."""
    span = make_span(resource={"cloud.platform": platform, "cloud.region": region})
    assert {key.app_monitor.region for key in Converted([span], region=setting).keys} == {expected}
