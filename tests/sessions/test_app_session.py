"""The session of an application with one user: session, user and screens of its spans, and its events in RUM."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from otel_rum_exporter import RumSessionProcessor, RumSpanExporter
from otel_rum_exporter._uuid import UUID
from otel_rum_exporter.config import SESSION_SILENCE_NS
from otel_rum_exporter.local import LocalRum
from otel_rum_exporter.sessions import processor as processor_module
from tests.sessions.spans import SetUp, attributes_of

A = "11111111-1111-4111-8111-111111111111"
USER = "33333333-3333-4333-8333-333333333333"
PREFIX = "com.amazon.rum."


class Clock:
    """A clock that only tests advance."""

    def __init__(self) -> None:
        self.now_ns = 1_795_000_000_000_000_000

    def time_ns(self) -> int:
        return self.now_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock of the processor."""
    clock = Clock()
    monkeypatch.setattr(processor_module, "time", clock)
    return clock


def test_application_session_starts_with_the_first_screen(set_up: SetUp) -> None:
    """Every span is on the last screen. A root span has an attribute that it did not show the screen."""
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


def test_application_session_ends_after_30_minutes_of_silence(set_up: SetUp, clock: Clock) -> None:
    """Activity extends it without a limit. A child of an old span is in the new session."""
    provider, processor = set_up()
    processor.new_session()
    parent: Any = provider.get_tracer("test").start_span("main")
    first = parent.attributes["session.id"]
    for _ in range(3):
        clock.now_ns += SESSION_SILENCE_NS
        assert attributes_of(provider, trace.set_span_in_context(parent))["session.id"] == first
    clock.now_ns += SESSION_SILENCE_NS + 1
    assert attributes_of(provider, trace.set_span_in_context(parent))["session.id"] != first


def test_new_session_has_the_same_user_and_no_screen(set_up: SetUp) -> None:
    """For example, the next visitor of a kiosk."""
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


def test_screens_are_numbered_within_their_session(set_up: SetUp, finished: InMemorySpanExporter, clock: Clock) -> None:
    """From 0, with the previous screen. A root span with a screen name also shows a screen."""
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
    views = [dict(span.attributes or {}) for span in finished.get_finished_spans() if span.name == "page_view"]
    names = ("app.screen.name", "app.screen.interaction", "app.screen.parent_screen.name", "rum.screen.parent_millis")
    assert [tuple(view.get(name) for name in names) for view in views] == [
        ("menu", 0, None, None),
        ("cart", 2, "soup", 1500.0),
        ("menu", 0, None, None),
    ]


def test_page_view_without_a_provider_logs_the_fix(
    set_up: SetUp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """OpenTelemetry makes no span then, and says nothing."""
    _, with_provider = set_up()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    with_provider.page_view("menu")
    assert not caplog.messages
    RumSessionProcessor().page_view("menu")
    (line,) = caplog.messages
    assert "page_view('menu') makes no span" in line
    assert "To fix: call trace.set_tracer_provider" in line


def test_user_is_the_same_after_a_restart(set_up: SetUp, tmp_path: Path) -> None:
    """A random id. `set_user` replaces it until the user is removed."""
    provider, _ = set_up(state_directory=tmp_path)
    user = attributes_of(provider)["user.id"]
    assert UUID.fullmatch(user)
    provider, restarted = set_up(state_directory=tmp_path)
    assert attributes_of(provider)["user.id"] == user
    restarted.set_user("alice")
    assert attributes_of(provider)["user.id"] == "alice"
    restarted.set_user(None)
    assert attributes_of(provider)["user.id"] == user


def test_child_of_a_span_with_another_session_is_in_that_session(set_up: SetUp) -> None:
    """A parent's session takes precedence over the application session."""
    provider, processor = set_up()
    processor.new_session()
    parent = provider.get_tracer("test").start_span("parent", attributes={"session.id": A})
    assert attributes_of(provider, trace.set_span_in_context(parent)) == {"session.id": A}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_child_continues_the_session_without_a_new_session_start(set_up: SetUp) -> None:
    """Only its parent process sends the session start."""
    provider, processor = set_up()
    processor.new_session()
    session = attributes_of(provider)["session.id"]
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    child = fork.Process(target=lambda: sender.send(attributes_of(provider)))
    child.start()
    assert receiver.poll(30)
    assert receiver.recv() == {"session.id": session}
    child.join(30)
    assert child.exitcode == 0
    receiver.close()
    sender.close()


def test_rum_gets_one_session_with_a_page_view_for_each_screen(
    rum: LocalRum, set_up: SetUp, exporter: Callable[..., RumSpanExporter]
) -> None:
    """One session start. The page of every event is its screen."""
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


def test_rum_gets_one_session_start_for_each_session(
    rum: LocalRum, set_up: SetUp, exporter: Callable[..., RumSpanExporter]
) -> None:
    """Even if the first span of a session ends last."""
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
    """Only the processor and the exporter use them."""
    provider, processor = set_up(exporter())
    processor.page_view("menu")
    with provider.get_tracer("kiosk").start_as_current_span("order"):
        pass
    provider.shutdown()
    assert "order" in {event.type for event in rum.events}
    assert "rum." not in str([event.details for event in rum.events])
