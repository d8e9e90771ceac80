"""Telemetry to events with identity and metadata."""

from __future__ import annotations

import itertools
import logging
import uuid
from collections.abc import Mapping
from typing import Any
from unittest.mock import Mock

import orjson
import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from otel_rum_exporter._attributes import USER_ATTRIBUTES
from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter._receipt import Receipt
from otel_rum_exporter.ledger import DropReason, Ledger
from otel_rum_exporter.mapping.converter import Converter
from otel_rum_exporter.mapping.event_builder import EventBuilder
from otel_rum_exporter.mapping.event_types import PREFIX
from otel_rum_exporter.mapping.identity import Identities, Moment
from otel_rum_exporter.mapping.record_view import View
from otel_rum_exporter.rum.batch import BatchKey
from otel_rum_exporter.rum.event import RumEvent
from otel_rum_exporter.rum.ids import NIL_UUID
from tests.logs import make_log
from tests.spans import MILLI_NS, START_NS, exception_event, make_config, make_span

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"


class Conversion:
    """The events, ledger and log lines of some telemetry."""

    def __init__(self, records: list[ReadableSpan] | list[ReadableLogRecord], **settings: Any) -> None:
        self.ledger, log, now = Ledger(), RateLimitedLog(), Moment(START_NS, 0)
        ids = (str(uuid.UUID(int=number)) for number in itertools.count(1))
        converter = Converter(make_config(**settings), new_id=lambda: next(ids), ledger=self.ledger, log=log)
        convert: Any = converter.log_records if isinstance(records[0], ReadableLogRecord) else converter.spans
        by_key = [*convert(records, now).events.items(), *converter.close(now).events.items()]
        self.keys: list[BatchKey] = [key for key, _ in by_key]
        self.events: list[RumEvent] = [event for _, events in by_key for event in events]
        log.write()

    @property
    def types(self) -> list[str]:
        return [event.type.removeprefix(PREFIX) for event in self.events]

    def metadata(self) -> dict[str, Any]:
        """Return the metadata of the last event."""
        found: dict[str, Any] = orjson.loads(self.events[-1].members["metadata"])
        return found


def test_the_event_of_a_log_record_has_the_end_of_its_trace_id_in_its_own() -> None:
    """RUM's schema of an error has no place for it. The console links the error to its trace by it."""
    span, attributes = make_span("GET /"), {"exception.type": "KeyError", "exception.message": "sku"}
    *_, event = Conversion([make_log("exception", attributes, span=span)]).events
    *_, outside = Conversion([make_log("exception", attributes)]).events
    assert span.context
    assert event.members["id"][19:].startswith("9")
    assert event.members["id"][24:] == f"{span.context.trace_id:032x}"[20:]
    assert event.members["id"][:18] != outside.members["id"][:18]


def test_a_session_start_has_the_rum_id_of_the_previous_session() -> None:
    """It is metadata, because the event's schema is closed; the id itself is not sent."""
    attributes = {"session.id": A, "session.previous_id": "secret-session"}
    found = Conversion([make_log("session.start", attributes)])
    previous = found.metadata()["session_previous_id"]
    (other,) = Conversion([make_span("work", {"session.id": "secret-session"})]).keys
    assert previous == other.session_id
    assert Conversion([make_log("order", attributes)]).metadata() == {}


@pytest.mark.parametrize(
    ("attributes", "count"), [({}, 1), ({"http.route": "/", "http.request.method": "GET", "http.status_code": 200}, 2)]
)
def test_an_event_that_stays_too_large_is_counted(attributes: dict[str, Any], count: int) -> None:
    """Metadata that the settings choose is not cut."""
    labels = {f"label{number}": "\U0001f600" * 256 for number in range(9)}
    span = make_span("GET /", {"session.id": A, **attributes}, kind=SpanKind.SERVER, resource=labels)
    found = Conversion([span], metadata_attributes=list(labels))
    counts = found.ledger.snapshot()
    assert (found.events, counts.accepted, counts.dropped) == ([], count, {DropReason.TOO_LARGE: count})


def test_what_the_sdk_dropped_is_counted_in_the_metadata() -> None:
    """Built-in events have no other place for it."""
    provider, kept = TracerProvider(span_limits=SpanLimits(max_span_attributes=3, max_events=1)), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with provider.get_tracer("t").start_as_current_span("GET", kind=SpanKind.CLIENT) as span:
        span.set_attributes({"session.id": A, "a": 1, "b": 2, "http.method": "GET", "http.status_code": 200})
        span.add_event("one")
        span.add_event("two")
    provider.shutdown()
    found = Conversion(list(kept.get_finished_spans()))
    assert found.types[-1] == "performance_resource_event"
    assert found.metadata() == {"otel_dropped_attributes_count": 2, "otel_dropped_events_count": 1}


@pytest.mark.parametrize(("ahead_ns", "is_kept"), [(-3600 * 10**9, True), (3600 * 10**9, True), (3601 * 10**9, False)])
def test_only_a_time_more_than_an_hour_ahead_is_replaced(*, ahead_ns: int, is_kept: bool) -> None:
    """It comes from a wrong clock; now is `START_NS` here."""
    (event,) = Conversion([make_log("order", {"session.id": A}, time_ns=START_NS + ahead_ns)]).events
    assert event.members["timestamp"] == (START_NS + (ahead_ns if is_kept else 0)) // 1000 / 1e6


def test_additional_metadata_takes_only_the_remaining_room() -> None:
    """RUM keeps ten custom attributes: those of the settings first, and one for trimmed events."""
    names = [f"a{number}" for number in range(9)]
    attributes = {"session.id": A, "session.previous_id": B, **dict.fromkeys(names, 1)}
    found = Conversion([make_log("session.start", attributes)], metadata_attributes=names)
    assert found.metadata() == dict.fromkeys(names, 1)


def test_a_server_span_that_lost_its_session_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The SDK drops the oldest attributes, and the session is set early."""
    span = make_span("GET /", {"http.method": "GET"}, kind=SpanKind.SERVER)
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        Conversion([span])
    assert "has no session" in caplog.text
    provider, kept = TracerProvider(span_limits=SpanLimits(max_span_attributes=1)), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    provider.get_tracer("t").start_span("GET /", kind=SpanKind.SERVER, attributes={"session.id": A, "b": 1}).end()
    provider.shutdown()
    caplog.clear()
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        Conversion(list(kept.get_finished_spans()))
    assert "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT" in caplog.text


def test_an_invalid_override_is_logged_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    """The span gets its default mapping."""
    override = {"rum.event.type": "page_view_event", "rum.event.details": '{"pageId": "/", "sku": "4711"}'}
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        found = Conversion([make_span("order", {"session.id": A, **override})])
    assert found.types == ["order"]
    assert "RUM has no field 'sku'" in caplog.text


def test_a_function_for_pages_that_fails_costs_no_page(caplog: pytest.LogCaptureFixture) -> None:
    """Default page detection is used, and the failure is logged."""
    page = {"http.method": "GET", "http.route": "/", "http.status_code": 200, "session.id": A}
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        found = Conversion([make_span("GET /", page, kind=SpanKind.SERVER)], page_views=lambda _: 1 / 0)
    assert found.types == ["page_view_event", "performance_navigation_event"]
    assert "division by zero" in caplog.text


def test_a_record_that_fails_does_not_cost_the_session_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next record of the session starts it."""
    events = EventBuilder.events

    def broken(self: EventBuilder, view: View, *arguments: Any) -> Any:
        if view.name == "bad":
            raise ValueError("defect")
        return events(self, view, *arguments)

    monkeypatch.setattr(EventBuilder, "events", broken)
    found = Conversion([make_span("bad"), make_span("good")])
    assert sorted(found.types) == ["good", "session_start_event"]
    assert found.ledger.dropped == {DropReason.UNMAPPABLE: 1}


def test_names_and_scopes_are_excluded() -> None:
    """Including their exceptions, for spans and log records; `*` matches any text."""
    spans = [make_span(name, {"session.id": A}) for name in ("healthz", "health", "order")]
    assert Conversion(spans, excluded_names="health*").types == ["order"]
    assert Conversion(spans, excluded_names=["health"]).types == ["healthz", "order"]
    record = make_log("order", {"session.id": A, "exception.type": "E"})
    assert Conversion([record], excluded_names="kitchen").events == []
    assert Conversion([record], excluded_names="kit").types == ["js_error_event"]


def test_enduser_id_is_the_user_only_if_enabled() -> None:
    """It may be a name; RUM gets a hash, and other user attributes take precedence."""
    span = make_span("work", {"session.id": A, "enduser.id": "ann@example.com"})
    assert Conversion([span]).keys[0].user_id == NIL_UUID
    (key,) = Conversion([span], enduser_id=True).keys
    assert key.user_id not in {NIL_UUID, "ann@example.com"}
    named = make_span("work", {"session.id": A, "enduser.id": "ann@example.com", "user.id": B})
    assert Conversion([named], enduser_id=True).keys[0].user_id == B
    of_resource = make_span("work", {"session.id": A}, resource={"enduser.id": "ann@example.com"})
    assert Conversion([of_resource], enduser_id=True).keys[0].user_id == key.user_id
    assert "ann@example.com" not in str(Conversion([span], enduser_id=True).events)


def test_a_replaced_vital_is_counted_as_filtered() -> None:
    """Nothing is lost silently."""
    vital = {"session.id": A, "browser.web_vital.name": "cls", "browser.web_vital.id": "v5-1"}
    records = [make_log("browser.web_vital", {**vital, "browser.web_vital.value": value}) for value in (0.1, 0.2)]
    found = Conversion(records)
    assert [orjson.loads(event.members["details"])["value"] for event in found.events] == [0.2]
    assert (found.ledger.accepted, found.ledger.filtered) == (1, 1)


@pytest.mark.parametrize("number", range(len(USER_ATTRIBUTES)))
def test_user_attributes_have_an_order_of_precedence(number: int) -> None:
    """Random ids take precedence over names, on spans and resources."""
    known = {name: str(uuid.UUID(int=index + 7)) for index, name in enumerate(USER_ATTRIBUTES)}
    later = dict(list(known.items())[number:])
    first = next(iter(later.values()))
    shuffled = dict(reversed(later.items()))
    assert Conversion([make_span("work", {"session.id": A, **shuffled})]).keys[0].user_id == first
    assert Conversion([make_span("work", {"session.id": A}, resource=shuffled)]).keys[0].user_id == first


def test_the_version_of_a_request_is_the_resources() -> None:
    """A build number is used if there is no version."""
    (key,) = Conversion([make_span("work", {"session.id": A})]).keys
    assert key.app_monitor.version == "1.2.3"
    build = make_span("work", {"session.id": A}, resource={"service.version": "", "app.build_id": "7"})
    assert Conversion([build]).keys[0].app_monitor.version == "7"


def durable() -> tuple[Converter, Ledger]:
    """Make a converter for a store that survives the process."""
    ledger, ids = Ledger(), map("00000000-0000-4000-8000-{:012}".format, itertools.count(1))
    return Converter(
        make_config(), new_id=lambda: next(ids), ledger=ledger, log=RateLimitedLog(), is_durable=True
    ), ledger


def test_a_pending_span_has_provisional_events() -> None:
    """They survive the process with the best identity known; the final events have the parent's."""
    converter, ledger = durable()
    parent = make_span("GET /", {"session.id": A}, kind=SpanKind.SERVER)
    child = make_span("work", parent=parent, events=[exception_event()])
    first = converter.spans([child], Moment(START_NS, 0))
    ((handle, provisional),) = first.provisional.items()
    (key,) = provisional
    assert key.session_id != A
    assert not first.events
    assert (ledger.accepted, ledger.pending) == (0, 1)
    second = converter.spans([parent], Moment(START_NS, 0))
    assert second.resolved == [handle]
    assert not second.provisional
    ((final_key, events),) = second.events.items()
    assert final_key.session_id == A
    assert {RumEvent(*event).id for event in provisional[key]} <= {RumEvent(*event).id for event in events}
    assert [kind for kind, *_ in events].count("com.amazon.rum.js_error_event") == 1
    assert ledger.accepted == len(events)


def test_a_failing_provisional_event_costs_no_other_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """The span itself is converted when it is resolved."""
    converter, ledger = durable()
    monkeypatch.setattr(Identities, "provisional", Mock(side_effect=ZeroDivisionError))
    child = make_span("child", parent=make_span("parent"))
    converted = converter.spans([make_span("page", {"session.id": "a"}), child], Moment(START_NS, 0))
    assert (ledger.accepted, sum(map(len, converted.events.values())), converted.provisional) == (1, 1, {})


def test_a_pending_span_of_a_session_that_is_not_recorded_has_no_provisional_events() -> None:
    """The next process would send them."""
    converter = durable()[0]
    hidden = {"session.id": A, "rum.session.sampled": False}
    first = converter.spans([make_span("work", hidden, parent=make_span("parent"))], Moment(START_NS, 0))
    assert first.provisional == {}


def test_a_pending_span_without_events_is_resolved_at_the_end() -> None:
    """A filtered span leaves nothing in the store."""
    converter, _ = durable()
    parent = make_span("GET /", {"session.id": A}, kind=SpanKind.SERVER)
    first = converter.spans([make_span("work", {"rum.event.type": "none"}, parent=parent)], Moment(START_NS, 0))
    assert converter.close(Moment(START_NS, 0)).resolved == list(first.provisional)


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
def test_the_region_is_the_app_monitors_and_never_a_servers(
    platform: str, region: str, setting: str | None, expected: str | None
) -> None:
    """AWS's mobile SDKs set it with a platform of their own; the settings take precedence."""
    span = make_span(resource={"cloud.platform": platform, "cloud.region": region})
    assert {key.app_monitor.region for key in Conversion([span], region=setting).keys} == {expected}


@pytest.mark.parametrize("unit", [1000, MILLI_NS])
def test_times_in_another_unit_are_recognized_and_named(unit: int) -> None:
    """Some clients write milliseconds where OpenTelemetry has nanoseconds."""
    notes: list[str] = []

    class Notes(RateLimitedLog):
        def add(self, kind: str, message: str, *values: object, is_once: bool = False) -> None:
            del kind, is_once
            notes.append(message % values)

    now = Moment(START_NS, 0)
    converter = Converter(make_config(), new_id=lambda: A, ledger=Ledger(), log=Notes())
    right = make_span("right", events=[exception_event()])
    raised = Event("exception", {"exception.type": "E"}, timestamp=(START_NS + MILLI_NS) // unit)
    wrong = make_span("wrong", start_ns=START_NS // unit, duration_millis=120 / unit, events=[raised])
    log = make_log("e", time_ns=START_NS // unit)
    log.log_record.observed_timestamp = 0
    usual = make_log("right")
    usual.log_record.observed_timestamp = 0
    found = [*converter.spans([right, wrong], now).outcomes, *converter.log_records([log, usual], now).outcomes]
    times = [
        {event.type: round(event.members["timestamp"] * 1e6) * 1000 for event in outcome.events} for outcome in found
    ]
    times[0] = {kind: time for kind, time in times[0].items() if "session_start" not in kind}
    assert set(times[0].values()) == set(times[1].values()) == {START_NS + MILLI_NS, START_NS + 120 * MILLI_NS}
    assert times[2]["e"] == START_NS
    assert [note for note in notes if "milliseconds" in note and "'wrong'" in note]
    assert not [note for note in notes if "'right'" in note]


def test_a_record_whose_resource_cannot_be_read_is_lost_alone() -> None:
    """Not the records after it, which belong to the application of their own resource; it holds no receipt."""

    class Broken:
        @property
        def attributes(self) -> Mapping[str, Any]:
            raise ValueError("broken")

    settled: list[bool] = []
    receipt = Receipt(lambda: settled.append(True))
    ledger = Ledger()
    converter = Converter(make_config(), new_id=lambda: A, ledger=ledger, log=RateLimitedLog())
    other = "00000000-aaaa-4bbb-8ccc-00000000000b"
    spans = [make_span("a"), make_span("b"), make_span("c"), make_span("d", resource={"aws.rum.appmonitor.id": other})]
    broken: Any = Broken()
    spans[1]._resource = spans[2]._resource = broken
    converted = converter.spans(spans, Moment(START_NS, 0), receipt)
    found = {key.app_monitor.id: {kind for kind, *_ in events} for key, events in converted.events.items()}
    assert found.pop(other) == {"d", f"{PREFIX}session_start_event"}
    assert [*found.values()] == [{"a", f"{PREFIX}session_start_event"}]
    assert ledger.snapshot().dropped[DropReason.UNMAPPABLE] == converted.records - 2 == 2
    converted.release_receipts()
    receipt.release()
    assert settled == [True]
