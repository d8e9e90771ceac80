"""Session and user on spans and log records."""

from __future__ import annotations

import logging
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
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from otel_rum_exporter.sessions.context import MAX_ID_CHARS, Session, bind
from otel_rum_exporter.sessions.processor import RumSessionProcessor
from tests.sessions.spans import SetUp, attributes_of

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"
USER = "33333333-3333-4333-8333-333333333333"
NIL = "00000000-0000-0000-0000-000000000000"


def with_baggage(**entries: Any) -> Context:
    """Return a context with baggage entries such as `session.id`."""
    context = Context()
    for name, value in entries.items():
        context = baggage.set_baggage(f"{name}.id", value, context)
    return context


def test_sources_have_an_order_of_precedence(set_up: SetUp) -> None:
    """The parent span, the bound session, the baggage, the function."""
    provider = set_up(session=lambda: ("function", "caller"))[0]
    context = with_baggage(session="baggage", user="bearer")
    assert attributes_of(provider, Context()) == {"session.id": "function", "user.id": "caller"}
    assert attributes_of(provider, context) == {"session.id": "baggage", "user.id": "bearer"}
    parent = provider.get_tracer("test").start_span("parent", attributes={"session.id": "parent", "user.id": "mother"})
    with bind(Session("bound", None)):
        assert attributes_of(provider, context) == {"session.id": "bound"}
        below = trace.set_span_in_context(parent, context)
        assert attributes_of(provider, below) == {"session.id": "parent", "user.id": "mother"}


def test_session_in_the_baggage_of_another_service_is_joined(set_up: SetUp) -> None:
    """The other service starts it. Baggage that this service sets names a session of its own."""
    provider = set_up()[0]
    context = with_baggage(session=A, user=USER)
    remote = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    joined = {"session.id": A, "user.id": USER, "rum.session.joined": "server"}
    below = trace.set_span_in_context(NonRecordingSpan(remote), context)
    assert attributes_of(provider, below) == joined
    parent = provider.get_tracer("test").start_span("parent", context=below)
    assert attributes_of(provider, trace.set_span_in_context(parent, context)) == joined
    assert attributes_of(provider, context) == {"session.id": A, "user.id": USER}


def test_span_without_a_source_is_unchanged(set_up: SetUp) -> None:
    """The exporter uses the process session for it."""
    assert attributes_of(set_up()[0], attributes={"a": 1}) == {"a": 1}


@pytest.mark.parametrize("own", [{"session.id": "own"}, {"splunk.rumSessionId": "own"}])
def test_span_with_a_session_is_unchanged(set_up: SetUp, own: dict[str, str]) -> None:
    """The user of another session would be wrong."""
    assert attributes_of(set_up()[0], with_baggage(session=A, user=USER), attributes=own) == own


def test_span_with_a_user_keeps_it(set_up: SetUp) -> None:
    """Only the session is set."""
    found = attributes_of(set_up()[0], with_baggage(session=A, user=USER), attributes={"user.hash": "h"})
    assert found == {"user.hash": "h", "session.id": A}


@pytest.mark.parametrize("value", ["", "x" * (MAX_ID_CHARS + 1), "a\nb", "\x00", "\ud800", NIL, 7, None, b"a"])
def test_baggage_without_a_valid_id_is_ignored(set_up: SetUp, value: object) -> None:
    """A client can send any baggage."""
    assert attributes_of(set_up()[0], with_baggage(session=value, user=value)) == {}


@given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None)))
def test_any_baggage_results_in_short_printable_ids_or_none(session: str, user: str) -> None:
    """A client can send any baggage."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(RumSessionProcessor())
    found = attributes_of(provider, with_baggage(session=session, user=user))
    assert all(value.isprintable() and len(value) <= MAX_ID_CHARS for value in found.values())
    assert set(found) <= {"session.id", "user.id"}


def test_child_inherits_the_sampling_decision_of_its_parent(set_up: SetUp) -> None:
    """Even if no session is bound, as in another thread."""
    provider = set_up()[0]
    with bind(Session(A, USER, is_sampled=False)):
        parent = provider.get_tracer("test").start_span("parent")
    expected = {"session.id": A, "user.id": USER, "rum.session.sampled": False}
    assert attributes_of(provider, trace.set_span_in_context(parent)) == expected


@pytest.mark.parametrize("session", [Session(A, USER), Session(A, USER, is_sampled=True, is_minted=True)])
def test_child_in_a_thread_has_the_session_of_its_request(set_up: SetUp, session: Session) -> None:
    """OpenTelemetry passes its own context to threads, and not the binding; a long request ends after its children."""
    provider = set_up()[0]
    with bind(session):
        request = provider.get_tracer("test").start_span("request", kind=SpanKind.SERVER)
    in_thread = trace.set_span_in_context(request)
    child = provider.get_tracer("test").start_span("child", in_thread)
    assert dict(child.attributes) == session.attributes()  # type: ignore[attr-defined]
    assert attributes_of(provider, trace.set_span_in_context(child)) == session.attributes()
    with bind(Session(B, None)):
        assert attributes_of(provider, in_thread) == session.attributes()


@pytest.mark.parametrize("session", [lambda: 1 / 0, lambda: 7, lambda: ("a", "b", "c")])
def test_session_function_that_fails_is_logged_once(
    set_up: SetUp, session: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The spans are recorded without a session."""
    provider = set_up(session=session)[0]
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        assert attributes_of(provider) == attributes_of(provider) == {}
    assert len(caplog.records) == 1


def test_log_records_get_the_session_of_their_context() -> None:
    """The bound session, the baggage, or the current span."""
    finished = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(RumSessionProcessor())
    provider.add_log_record_processor(SimpleLogRecordProcessor(finished))
    logger = provider.get_logger("test")
    span = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("work", attributes={"session.id": A})
    logger.emit(LogRecord(body="plain", attributes={"a": 1}))
    logger.emit(LogRecord(body="span", context=trace.set_span_in_context(span)))
    logger.emit(LogRecord(body="baggage", context=with_baggage(session=A, user=USER)))
    logger.emit(LogRecord(body="own", attributes={"session.id": B}, context=with_baggage(session=A, user=USER)))
    with bind(Session(B, USER)):
        logger.emit(LogRecord(body="bound"))
    provider.shutdown()
    found = {data.log_record.body: dict(data.log_record.attributes or {}) for data in finished.get_finished_logs()}
    assert found == {
        "plain": {"a": 1},
        "span": {"session.id": A},
        "baggage": {"session.id": A, "user.id": USER},
        "own": {"session.id": B},
        "bound": {"session.id": B, "user.id": USER},
    }
