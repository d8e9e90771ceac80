"""Session, user and screen on spans and log records, and what comes of them in RUM."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, trace
from opentelemetry._logs import LogRecord
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from otel_rum_exporter import RumSpanExporter
from otel_rum_exporter._uuid import UUID
from otel_rum_exporter.config import SESSION_SILENCE_NS
from otel_rum_exporter.local import LocalRum
from otel_rum_exporter.sessions import processor as processor_module
from otel_rum_exporter.sessions.context import MAX_ID_CHARS, Session, bind
from otel_rum_exporter.sessions.processor import RumSessionProcessor

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"
USER = "33333333-3333-4333-8333-333333333333"
NIL = "00000000-0000-0000-0000-000000000000"
PREFIX = "com.amazon.rum."

SetUp = Callable[..., tuple[TracerProvider, RumSessionProcessor]]


class Clock:
    """A time that only tests move."""

    def __init__(self) -> None:
        self.now_ns = 1_795_000_000_000_000_000

    def time_ns(self) -> int:
        return self.now_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock of the processor."""
    made = Clock()
    monkeypatch.setattr(processor_module, "time", made)
    return made


@pytest.fixture
def finished() -> InMemorySpanExporter:
    """Keep finished spans."""
    return InMemorySpanExporter()


@pytest.fixture
def set_up(finished: InMemorySpanExporter) -> Iterator[SetUp]:
    """Make tracer providers with a session processor, whose spans go to `finished` unless told otherwise."""
    made: list[TracerProvider] = []

    def make(exporter: SpanExporter = finished, **options: Any) -> tuple[TracerProvider, RumSessionProcessor]:
        made.append(TracerProvider(shutdown_on_exit=False))
        processor = RumSessionProcessor(tracer_provider=made[-1], **options)
        made[-1].add_span_processor(processor)
        made[-1].add_span_processor(SimpleSpanProcessor(exporter))
        return made[-1], processor

    yield make
    for provider in made:
        provider.shutdown()


def attributes_of(provider: TracerProvider, context: Context | None = None, **options: Any) -> dict[str, Any]:
    """Return the attributes with which a span begins."""
    span: Any = provider.get_tracer("test").start_span("work", context, **options)
    span.end()
    return dict(span.attributes)


def carrying(**entries: Any) -> Context:
    """Return a context with the baggage `session.id` and `user.id`."""
    context = Context()
    for name, value in entries.items():
        context = baggage.set_baggage(f"{name}.id", value, context)
    return context


def test_sources_in_their_order(set_up: SetUp) -> None:
    """The parent goes before what is bound, that before baggage, and baggage before the function."""
    provider = set_up(session=lambda: ("told", "teller"))[0]
    in_baggage = carrying(session="baggage", user="bearer")
    assert attributes_of(provider, Context()) == {"session.id": "told", "user.id": "teller"}
    assert attributes_of(provider, in_baggage) == {"session.id": "baggage", "user.id": "bearer"}
    parent = provider.get_tracer("test").start_span("parent", attributes={"session.id": "parent", "user.id": "mother"})
    with bind(Session("bound", None)):
        assert attributes_of(provider, in_baggage) == {"session.id": "bound"}
        below = trace.set_span_in_context(parent, in_baggage)
        assert attributes_of(provider, below) == {"session.id": "parent", "user.id": "mother"}


def test_a_span_that_nobody_claims_stays_as_it_is(set_up: SetUp) -> None:
    """The exporter has a session for it."""
    assert attributes_of(set_up()[0], attributes={"a": 1}) == {"a": 1}


@pytest.mark.parametrize("own", [{"session.id": "own"}, {"splunk.rumSessionId": "own"}])
def test_a_span_that_names_its_session_stays_as_it_is(set_up: SetUp, own: dict[str, str]) -> None:
    """Another session's user would be wrong there."""
    assert attributes_of(set_up()[0], carrying(session=A, user=USER), attributes=own) == own


def test_a_span_that_names_its_user_keeps_it(set_up: SetUp) -> None:
    """Only the session is added."""
    found = attributes_of(set_up()[0], carrying(session=A, user=USER), attributes={"user.hash": "h"})
    assert found == {"user.hash": "h", "session.id": A}


@pytest.mark.parametrize("value", ["", "x" * (MAX_ID_CHARS + 1), "a\nb", "\x00", "\ud800", NIL, 7, None, b"a"])
def test_baggage_that_can_be_no_id_is_left_alone(set_up: SetUp, value: object) -> None:
    """Clients control it."""
    assert attributes_of(set_up()[0], carrying(session=value, user=value)) == {}


@given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None)))
def test_any_baggage_gives_printable_ids_or_none(session: str, user: str) -> None:
    """Bounded, whatever a client sends."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(RumSessionProcessor())
    found = attributes_of(provider, carrying(session=session, user=user))
    assert all(value.isprintable() and len(value) <= MAX_ID_CHARS for value in found.values())
    assert set(found) <= {"session.id", "user.id"}


def test_the_browsers_decision_goes_down_the_trace(set_up: SetUp) -> None:
    """A child that starts where nothing is bound, as in another thread, has it from its parent."""
    provider = set_up()[0]
    with bind(Session(A, USER, is_sampled=False)):
        parent = provider.get_tracer("test").start_span("parent")
    expected = {"session.id": A, "user.id": USER, "rum.session.sampled": False}
    assert attributes_of(provider, trace.set_span_in_context(parent)) == expected


@pytest.mark.parametrize("told", [lambda: 1 / 0, lambda: 7, lambda: ("a", "b", "c")])
def test_a_function_that_fails_costs_a_log_line_and_no_span(
    set_up: SetUp, told: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """One line, not one a span."""
    provider = set_up(session=told)[0]
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        assert attributes_of(provider) == attributes_of(provider) == {}
    assert len(caplog.records) == 1


def test_log_records_join_the_session_of_their_context() -> None:
    """What is bound, baggage, and the span that they are written in."""
    kept = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(RumSessionProcessor())
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    logger = provider.get_logger("test")
    within = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("work", attributes={"session.id": A})
    logger.emit(LogRecord(body="plain", attributes={"a": 1}))
    logger.emit(LogRecord(body="span", context=trace.set_span_in_context(within)))
    logger.emit(LogRecord(body="baggage", context=carrying(session=A, user=USER)))
    logger.emit(LogRecord(body="own", attributes={"session.id": B}, context=carrying(session=A, user=USER)))
    with bind(Session(B, USER)):
        logger.emit(LogRecord(body="bound"))
    provider.shutdown()
    found = {data.log_record.body: dict(data.log_record.attributes or {}) for data in kept.get_finished_logs()}
    assert found == {
        "plain": {"a": 1},
        "span": {"session.id": A},
        "baggage": {"session.id": A, "user.id": USER},
        "own": {"session.id": B},
        "bound": {"session.id": B, "user.id": USER},
    }


def test_a_program_has_one_session_from_its_first_screen_on(set_up: SetUp) -> None:
    """Every span is on the screen shown last; only roots need to say that they did not show it."""
    provider, processor = set_up()
    assert attributes_of(provider) == {}
    processor.page_view("menu")
    root = provider.get_tracer("test").start_span("parent")
    found = attributes_of(provider)
    assert UUID.fullmatch(found["session.id"])
    common = {"session.id": found["session.id"], "rum.session.minted": True, "app.screen.name": "menu"}
    assert found == {**common, "rum.screen.shown": False}
    assert attributes_of(provider, trace.set_span_in_context(root)) == common
    assert "app.screen.name" not in attributes_of(provider, kind=SpanKind.SERVER)


def test_a_program_ends_its_session_after_30_minutes_of_silence(set_up: SetUp, clock: Clock) -> None:
    """Not before, however long it lasts; a parent of the old session does not hold the new one back."""
    provider, processor = set_up()
    processor.new_session()
    parent: Any = provider.get_tracer("test").start_span("main")
    first = parent.attributes["session.id"]
    for _ in range(3):
        clock.now_ns += SESSION_SILENCE_NS
        assert attributes_of(provider, trace.set_span_in_context(parent))["session.id"] == first
    clock.now_ns += SESSION_SILENCE_NS + 1
    assert attributes_of(provider, trace.set_span_in_context(parent))["session.id"] != first


def test_new_session_is_another_one_on_no_screen_with_the_same_user(set_up: SetUp) -> None:
    """As for the next visitor of a kiosk."""
    provider, processor = set_up()
    processor.set_user("alice")
    processor.page_view("menu")
    before = attributes_of(provider)
    processor.new_session()
    after = attributes_of(provider)
    assert before["session.id"] != after["session.id"]
    assert (before["user.id"], after["user.id"]) == ("alice", "alice")
    assert "app.screen.name" not in after
    processor.set_user(None)
    assert "user.id" not in attributes_of(provider)


def test_screens_are_counted_within_their_session(set_up: SetUp, finished: InMemorySpanExporter, clock: Clock) -> None:
    """From 0, with the one before; a screen that the application shows in a span of its own counts too."""
    provider, processor = set_up()
    processor.page_view("menu")
    clock.now_ns += 250_000_000
    soup = attributes_of(provider, attributes={"app.screen.name": "soup"})
    assert (soup["app.screen.interaction"], soup["rum.screen.parent_millis"]) == (1, 250.0)
    assert "rum.screen.shown" not in soup
    clock.now_ns += 1_500_000_000
    processor.page_view("cart")
    clock.now_ns += SESSION_SILENCE_NS + 1
    processor.page_view("menu")
    shown = [dict(span.attributes or {}) for span in finished.get_finished_spans() if span.name == "page_view"]
    names = ("app.screen.name", "app.screen.interaction", "app.screen.parent_screen.name", "rum.screen.parent_millis")
    assert [tuple(one.get(name) for name in names) for one in shown] == [
        ("menu", 0, None, None),
        ("cart", 2, "soup", 1500.0),
        ("menu", 0, None, None),
    ]


def test_the_user_of_a_program_is_remembered(set_up: SetUp, tmp_path: Path) -> None:
    """A random id, which a name replaces for as long as there is one."""
    provider, _ = set_up(state_directory=tmp_path)
    user = attributes_of(provider)["user.id"]
    assert UUID.fullmatch(user)
    provider, again = set_up(state_directory=tmp_path)
    assert attributes_of(provider)["user.id"] == user
    again.set_user("alice")
    assert attributes_of(provider)["user.id"] == "alice"
    again.set_user(None)
    assert attributes_of(provider)["user.id"] == user


def test_a_span_of_another_session_keeps_its_children_in_a_program(set_up: SetUp) -> None:
    """What came from outside is nearer than the program's own session."""
    provider, processor = set_up()
    processor.new_session()
    parent = provider.get_tracer("test").start_span("parent", attributes={"session.id": A})
    assert attributes_of(provider, trace.set_span_in_context(parent)) == {"session.id": A}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_goes_on_in_the_session_and_does_not_open_it_again(set_up: SetUp) -> None:
    """Only its parent does."""
    provider, processor = set_up()
    processor.new_session()
    session = attributes_of(provider)["session.id"]
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    child = fork.Process(target=lambda: theirs.send(attributes_of(provider)))
    child.start()
    assert ours.poll(30)
    assert ours.recv() == {"session.id": session}
    child.join()


def test_rum_sees_a_program_as_one_session_with_screens(
    rum: LocalRum, set_up: SetUp, exporter: Callable[..., RumSpanExporter]
) -> None:
    """One session start and one page view a screen; every event carries the screen it happened on."""
    provider, processor = set_up(exporter())
    tracer = provider.get_tracer("kiosk")
    processor.set_user(USER)
    processor.page_view("menu")
    with tracer.start_as_current_span("order"), tracer.start_as_current_span("pay"):
        processor.page_view("thanks")
    request: dict[str, Any] = {"http.method": "GET", "http.status_code": 200}
    tracer.start_span("GET", kind=SpanKind.CLIENT, attributes=request).end()
    provider.shutdown()
    assert (rum.refused, rum.dropped, rum.removed) == ((), (), ())
    assert len({event.session_id for event in rum.events}) == 1
    assert {event.user_id for event in rum.events} == {USER}
    pages = sorted((event.type.removeprefix(PREFIX), event.metadata["pageId"]) for event in rum.events)
    assert pages == [
        ("order", "menu"),
        ("page_view_event", "menu"),
        ("page_view_event", "thanks"),
        ("pay", "menu"),
        ("performance_navigation_event", "menu"),
        ("performance_navigation_event", "thanks"),
        ("performance_resource_event", "thanks"),
        ("session_start_event", "menu"),
    ]
    second = rum.events("page_view_event")[1]
    assert (second.details["interaction"], second.details["parentPageInteractionId"]) == (1, "menu-0")
    assert second.details["timeOnParentPage"] > 0
    assert (second.metadata["interaction"], second.metadata["parentPageId"]) == (1, "menu")


def test_rum_sees_each_session_of_a_program_begin_once(
    rum: LocalRum, set_up: SetUp, exporter: Callable[..., RumSpanExporter]
) -> None:
    """Also one whose first span ends last."""
    provider, processor = set_up(exporter())
    tracer = provider.get_tracer("kiosk")
    with tracer.start_as_current_span("main"):
        for _ in range(3):
            processor.new_session()
            with tracer.start_as_current_span("visit"), tracer.start_as_current_span("step"):
                pass
    provider.shutdown()
    starts = [event.session_id for event in rum.events("session_start_event")]
    assert len(starts) == len(set(starts)) == 4
    assert set(starts) == {event.session_id for event in rum.events}


def test_private_attributes_never_reach_rum(
    rum: LocalRum, set_up: SetUp, exporter: Callable[..., RumSpanExporter]
) -> None:
    """They are between the processor and the exporter."""
    provider, processor = set_up(exporter())
    processor.page_view("menu")
    with provider.get_tracer("kiosk").start_as_current_span("order"):
        pass
    provider.shutdown()
    assert "order" in {event.type for event in rum.events}
    assert "rum." not in str([event.details for event in rum.events])
