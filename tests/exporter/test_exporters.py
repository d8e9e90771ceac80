"""The exporter in an SDK, through real botocore over real HTTP, to a local RUM."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExportResult,
)
from opentelemetry.trace import SpanKind

from otel_rum_exporter import ConfigError, RumLogExporter, RumSpanExporter
from otel_rum_exporter.ledger import DropReason
from otel_rum_exporter.local import LocalRum
from tests.mapping.test_attribute_values import ANY_VALUES
from tests.spans import APP_MONITOR_ID, exception_event, make_span

MakeExporter = Callable[..., RumSpanExporter]

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"
OTHER_MONITOR_ID = "00000000-aaaa-4bbb-8ccc-000000000002"


@pytest.fixture(autouse=True)
def _nothing_refused(rum: LocalRum) -> Iterator[None]:
    """Fail a test in which RUM refused or dropped anything."""
    yield
    assert (rum.refused, rum.dropped, rum.removed) == ((), (), ())


def page(session: str, **change: Any) -> Any:
    """Make the span of a served page."""
    attributes = {
        "http.request.method": "GET",
        "http.route": "/products/<sku>",
        "http.response.status_code": 200,
        "server.address": "shop.example",
        "session.id": session,
    }
    return make_span("GET /products/<sku>", {**attributes, **change}, kind=SpanKind.SERVER)


def test_spans_of_an_sdk_arrive_as_events_when_the_provider_shuts_down(rum: LocalRum, exporter: MakeExporter) -> None:
    """A screen and an error: session start, page view, navigation, error, custom event, in one session."""
    provider = TracerProvider(resource=Resource.create({"service.name": "kiosk", "service.version": "7"}))
    provider.add_span_processor(BatchSpanProcessor(exporter()))
    tracer = provider.get_tracer("kiosk")
    with tracer.start_as_current_span("show", attributes={"app.screen.name": "menu"}):
        pass
    with pytest.raises(ValueError, match="no"), tracer.start_as_current_span("outer"):  # noqa: SIM117 - nested spans
        with tracer.start_as_current_span("inner"):
            raise ValueError("no")
    provider.shutdown()
    kinds = [event.type.removeprefix("com.amazon.rum.") for event in rum.events]
    assert sorted(kinds) == [
        "inner",
        "js_error_event",
        "outer",
        "page_view_event",
        "performance_navigation_event",
        "session_start_event",
    ]
    assert {(event.session_id, event.user_id) for event in rum.events} == {
        (rum.events[0].session_id, "00000000-0000-0000-0000-000000000000")
    }
    assert {event.metadata["domain"] for event in rum.events} == {"kiosk"}
    assert {event.metadata["pageId"] for event in rum.events} == {"menu"}
    assert {batch.app_monitor["version"] for batch in rum.batches} == {"7"}


def test_each_session_and_app_monitor_of_an_export_has_its_own_request(rum: LocalRum, exporter: MakeExporter) -> None:
    """PutRumEvents takes one session and one app monitor; the resource's app monitor overrides the setting."""
    elsewhere = make_span(
        "x",
        {"session.id": A},
        resource={"aws.rum.appmonitor.id": OTHER_MONITOR_ID, "aws.rum.appmonitor.alias": "front"},
    )
    one = exporter()
    assert one.export([page(A), page(B), page(A), elsewhere]) is SpanExportResult.SUCCESS
    assert one.force_flush()
    found = {(batch.app_monitor_id, batch.alias, batch.session_id): len(batch.events) for batch in rum.batches}
    assert found == {
        (APP_MONITOR_ID, None, A): 4,
        (APP_MONITOR_ID, None, B): 2,
        (OTHER_MONITOR_ID, "front", A): 1,
    }


def test_a_session_from_outside_gets_no_session_start(rum: LocalRum, exporter: MakeExporter) -> None:
    """Each process of a server would count the session again."""
    one = exporter()
    one.export([page(A)])
    assert one.force_flush()
    assert rum.events("page_view_event")
    assert list(rum.events("session_start_event")) == []


def test_one_log_line_says_how_to_add_sessions_to_a_server(
    exporter: MakeExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """One line, not one for each request."""
    one = exporter()
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        for _ in range(3):
            one.export([make_span("GET /", {"http.method": "GET"}, kind=SpanKind.SERVER)])
    assert ["session.id" in record.message for record in caplog.records] == [True]


def test_a_request_has_at_most_the_configured_number_of_events(rum: LocalRum, exporter: MakeExporter) -> None:
    """RUM's own maximum is not published; AWS's client sends at most 100."""
    one = exporter(max_events_per_request=10)
    one.export([make_span(f"job {n % 3}", {"session.id": A}) for n in range(35)])
    assert one.force_flush()
    assert sorted(len(batch.events) for batch in rum.batches) == [5, 10, 10, 10]


def test_child_spans_that_are_exported_before_their_request_join_its_session(
    rum: LocalRum, exporter: MakeExporter
) -> None:
    """SimpleSpanProcessor exports each child separately."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter()))
    tracer = provider.get_tracer("shop")
    request: dict[str, Any] = {"http.method": "GET", "http.route": "/", "http.status_code": 200}
    request |= {"session.id": A, "user.id": B}
    with tracer.start_as_current_span("GET /", kind=SpanKind.SERVER, attributes=request):  # noqa: SIM117
        with tracer.start_as_current_span("work"):
            with tracer.start_as_current_span("GET", kind=SpanKind.CLIENT, attributes={"http.method": "GET"}):
                pass
    provider.shutdown()
    assert {(event.session_id, event.user_id, event.metadata["pageId"]) for event in rum.events} == {(A, B, "/")}
    assert not rum.events("session_start_event")


def test_a_throttled_request_is_repeated_with_the_same_ids(rum: LocalRum, exporter: MakeExporter) -> None:
    """429 with Retry-After, then 500, then success: one batch, three requests."""
    rum.answer(429, error_type="ThrottlingException", retry_after_seconds=0)
    rum.answer(500, error_type="InternalServerException")
    one = exporter()
    one.export([page(A)])
    assert one.force_flush(20_000)
    assert [request.status for request in rum.requests] == [429, 500, 200]
    assert len({request.batch_id for request in rum.requests}) == 1
    assert (one.ledger.delivered, one.ledger.stored) == (2, 0)


def test_an_event_that_rum_refuses_costs_no_other(rum: LocalRum, exporter: MakeExporter) -> None:
    """A refused request is split until the refused event is alone; its loss is counted."""
    rum.answer(400, error_type="ValidationException", times=3)
    one = exporter()
    one.export([make_span("a", {"session.id": A}), make_span("b", {"session.id": A})])
    assert one.force_flush(20_000)
    assert one.ledger.dropped == {DropReason.REFUSED: 2}
    one.export([make_span("c", {"session.id": A})])
    assert one.force_flush()
    assert [event.type for event in rum.events] == ["c"]


@pytest.fixture
def of_examples(exporter: MakeExporter) -> RumSpanExporter:
    """Make one exporter for all examples of a test, since it takes longer than an example."""
    return exporter(metadata_attributes=["tenant"], http_events="all", page_views="all")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(
            [
                *("http.method", "http.request.method", "http.status_code", "http.url", "url.full", "http.route"),
                *("session.id", "user.id", "app.screen.name", "app.screen.interaction", "error.type", "server.address"),
                *("http.request.header.referer", "http.response.size", "user_agent.original", "tenant", "a\ud800"),
            ]
        ),
        ANY_VALUES,
        max_size=8,
    ),
    st.sampled_from(SpanKind),
    st.text(st.characters(codec=None), max_size=20),
)
def test_no_attributes_make_an_event_that_rum_refuses(
    rum: LocalRum, of_examples: RumSpanExporter, attributes: dict[str, Any], kind: SpanKind, name: str
) -> None:
    """With any attributes on any span of any name."""
    one = of_examples
    accepted_before = one.ledger.accepted
    event = exception_event(name, name, name)
    one.export([make_span(name, attributes, kind=kind, events=[event], resource={"weird": attributes.get("tenant")})])
    assert one.force_flush()
    assert one.ledger.dropped == {}
    assert one.ledger.delivered == one.ledger.accepted > accepted_before
    assert (rum.refused, rum.dropped, rum.removed) == ((), (), ())


def test_hostile_spans_are_trimmed_and_marked(rum: LocalRum, exporter: MakeExporter) -> None:
    """200 attributes, strings of 200 KB and a stack of 100 KB fit, and are marked as trimmed."""
    stack = "Traceback (most recent call last):\n" + '  File "f.py", line 1, in f\n' * 4000 + "RecursionError: deep\n"
    attributes = {f"key{n}": "x" * 200_000 for n in range(200)}
    one = exporter()
    one.export([make_span("big", attributes, events=[exception_event("RecursionError", "deep", stack)])])
    assert one.force_flush()
    (big,) = rum.events("big")
    (error,) = rum.events("js_error_event")
    assert big.metadata["truncated"] is True
    assert error.details["stack"].endswith("RecursionError: deep\n")


def test_a_span_that_cannot_be_read_costs_no_other(
    rum: LocalRum, exporter: MakeExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted, and a log line names it."""
    broken = make_span("broken")
    broken._context = None
    one = exporter()
    one.export([broken, make_span("whole")])
    assert one.force_flush()
    assert [event.type for event in rum.events("whole")] == ["whole"]
    assert one.ledger.dropped == {DropReason.UNMAPPABLE: 1}
    assert "'broken'" in caplog.text


def test_spans_of_a_resource_without_app_monitor_are_counted(
    exporter: MakeExporter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The resource in the environment has an app monitor; a span of another resource has none."""
    one = exporter()
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"aws.rum.appmonitor.id={APP_MONITOR_ID}")
    one = exporter(app_monitor_id=None)
    one.export([make_span()])
    assert one.ledger.dropped == {DropReason.NO_APP_MONITOR: 1}
    assert "OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID" in caplog.text


def test_bad_settings_raise_in_code_and_only_disable_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A constructor that raises would switch off all telemetry under opentelemetry-instrument."""
    monkeypatch.setenv("OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID", "nonsense")
    with pytest.raises(ConfigError, match="nonsense"):
        RumSpanExporter(region="eu-west-1")
    with pytest.raises(ConfigError, match="the most similar is 'region'"):
        RumSpanExporter(regin="eu-west-1")  # type: ignore[call-arg]
    disabled = RumSpanExporter()
    (line,) = caplog.records
    assert (line.levelname, "nonsense" in line.message) == ("ERROR", True)
    assert disabled.export([make_span()]) is SpanExportResult.FAILURE
    assert disabled.force_flush()
    disabled.shutdown()


@pytest.mark.parametrize("app_monitor_id", ["of-two-exporters", APP_MONITOR_ID])
def test_exporters_of_spans_and_of_log_records_log_a_wrong_setting_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, app_monitor_id: str
) -> None:
    """Whether it disables them or is ignored."""
    monkeypatch.setenv("OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID", app_monitor_id)
    monkeypatch.setenv("OTEL_EXPORTER_AWS_RUM_REGIN", "1")
    for make in (RumSpanExporter, RumLogExporter):
        make().shutdown()
    (line,) = caplog.messages
    assert line.endswith("the most similar is 'OTEL_EXPORTER_AWS_RUM_REGION'.")


def test_after_shutdown_exports_fail_and_shutdown_is_idempotent(rum: LocalRum, exporter: MakeExporter) -> None:
    """SimpleSpanProcessor shuts an exporter down twice."""
    one = exporter()
    one.shutdown()
    one.shutdown(timeout_millis=5)
    assert one.export([page(A)]) is SpanExportResult.FAILURE
    assert not rum.requests


def test_eight_threads_export_at_once_and_nothing_is_lost_or_doubled(rum: LocalRum, exporter: MakeExporter) -> None:
    """SimpleSpanProcessor exports from all threads at once."""
    one = exporter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: one.export([make_span(f"job{n % 5}", {"session.id": A})]), range(64)))
    assert one.force_flush(20_000)
    ids = [event.id for event in rum.events]
    assert len(ids) == len(set(ids)) == 64


def test_an_export_does_not_wait_long_for_a_slow_response(rum: LocalRum, exporter: MakeExporter) -> None:
    """It returns before the response. The events stay queued, and are delivered later."""
    rum.delay_seconds = 4.0
    one = exporter()
    one.export([page(A)])
    assert one.ledger.stored == 2
    assert one.force_flush(20_000)
    assert one.ledger.delivered == 2


def test_its_own_requests_are_not_traced(rum: LocalRum, exporter: MakeExporter) -> None:
    """Instrumented botocore and urllib3 would otherwise make a span of each request, which makes a request again."""
    from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
    from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter()))
    instrumentors: tuple[Any, ...] = (BotocoreInstrumentor(), URLLib3Instrumentor())  # type: ignore[no-untyped-call]
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=provider)
    try:
        with provider.get_tracer("app").start_as_current_span("work", attributes={"session.id": A}):
            pass
        provider.shutdown()
    finally:
        for instrumentor in instrumentors:
            instrumentor.uninstrument()
    assert [event.type for event in rum.events] == ["work"]
    assert len(rum.requests) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_sends_its_own_events_and_not_its_parents(rum: LocalRum, exporter: MakeExporter) -> None:
    """Threads and connections stay with the parent; the child makes its own."""
    one = exporter()
    one.export([make_span("parent", {"session.id": A})])
    child = os.fork()
    if child == 0:
        code = 1
        try:
            one.export([make_span("child", {"session.id": A})])
            one.force_flush()
            code = 0 if one.ledger.delivered == 1 else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    one.export([make_span("parent", {"session.id": A})])
    assert one.force_flush()
    assert sorted(event.type for event in rum.events) == ["child", "parent", "parent"]


def test_no_thread_outlives_shutdown(exporter: MakeExporter) -> None:
    """It has threads before, and none soon afterwards."""
    before = set(threading.enumerate())

    def own_threads() -> list[threading.Thread]:
        started = [thread for thread in threading.enumerate() if thread not in before]
        return [thread for thread in started if thread.name.startswith("otel-rum-delivery")]

    for _ in range(5):
        one = exporter()
        one.export([page(A)])
        assert own_threads()
        one.shutdown()
    for thread in own_threads():
        thread.join(10)
        assert not thread.is_alive()
