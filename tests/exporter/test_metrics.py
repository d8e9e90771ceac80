"""Metrics of the exporter itself, read by a real MeterProvider."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.util._once import Once

from otel_rum_exporter import RumLogExporter, RumSpanExporter
from otel_rum_exporter.delivery import worker
from otel_rum_exporter.exporter.metrics import _observed, is_enabled, observe
from otel_rum_exporter.exporter.registry import SharedPipeline
from otel_rum_exporter.local import Fault, LocalRum
from tests.logs import make_log
from tests.spans import APP_MONITOR_ID, make_config, make_span
from tests.waiting import wait_until

SWITCH = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"
SPAN_EXPORTER = "otel_rum_exporter.exporter.RumSpanExporter"
LOG_EXPORTER = "otel_rum_exporter.exporter.RumLogExporter"

LONG_SECONDS = 20.0

Points = dict[str, list[Any]]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Points]]:
    """Return a function that reads the metrics of this test's own global meter provider, by name."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr("opentelemetry.metrics._internal._METER_PROVIDER", None)
    monkeypatch.setattr("opentelemetry.metrics._internal._METER_PROVIDER_SET_ONCE", Once())
    metrics.set_meter_provider(provider)
    _observed.clear()

    def points() -> Points:
        data = reader.get_metrics_data()
        found: Points = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics if scope.scope.name == "otel_rum_exporter" else ():
                    found.setdefault(metric.name, []).extend(metric.data.data_points)
        return found

    yield points
    provider.shutdown()


def by_error(points: list[Any], component: str) -> dict[Any, int]:
    """Return the values of a component by their `error.type`."""
    return {
        point.attributes.get("error.type"): point.value
        for point in points
        if point.attributes["otel.component.type"] == component and point.value
    }


@pytest.mark.parametrize(("value", "expected"), [("true", True), (" TRUE", True), ("1", False), ("false", False)])
def test_the_sdks_own_variable_switches_them_on(value: str, expected: bool) -> None:  # noqa: FBT001 - a case of a table
    """Off unless the variable is true."""
    assert is_enabled({SWITCH: value}) is expected
    assert not is_enabled({})


def test_without_the_switch_there_are_none(
    read: Callable[[], Points], exporter: Callable[..., RumSpanExporter]
) -> None:
    """They are off by default, as the SDK's own are."""
    exporter().export([make_span()])
    assert read() == {}


def test_exported_spans_are_counted_with_the_reason_of_their_loss(
    read: Callable[[], Points], rum: LocalRum, exporter: Callable[..., RumSpanExporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delivered spans have no `error.type`; spans that are not delivered yet are in flight, and in the queue."""
    monkeypatch.setattr(worker, "MAX_EXPORT_WAIT_SECONDS", 0.2)
    one = exporter()
    monkeypatch.setenv(SWITCH, "true")
    one.shutdown()
    one = exporter(max_events_per_request=50)
    one.export([make_span() for _ in range(3)])
    assert one.force_flush()
    points = read()
    assert by_error(points["otel.sdk.exporter.span.exported"], SPAN_EXPORTER) == {None: 3}
    assert by_error(points["otel.sdk.exporter.span.inflight"], SPAN_EXPORTER) == {}
    rum.faults = [Fault(status=503)]
    one.export([make_span() for _ in range(2)])

    def is_queued() -> bool:
        """Return whether the events wait. During a request they are not part of the queue's size."""
        points.update(read())
        return bool(points["otel_rum_exporter.queue.size"][0].value > 500)

    wait_until(is_queued)
    assert by_error(points["otel.sdk.exporter.span.inflight"], SPAN_EXPORTER) == {None: 2}
    (events,), (age,), (rate,) = (points[f"otel_rum_exporter.queue.{name}"] for name in ("events", "age", "rate"))
    assert events.value == 2
    assert age.value > 0
    assert rate.value == 50
    one.shutdown(1000)
    points = read()
    assert by_error(points["otel.sdk.exporter.span.exported"], SPAN_EXPORTER) == {None: 3, "shutdown": 2}
    assert by_error(points["otel.sdk.exporter.span.inflight"], SPAN_EXPORTER) == {}


def test_each_request_has_its_duration_and_the_reason_of_its_failure(
    read: Callable[[], Points], rum: LocalRum, exporter: Callable[..., RumSpanExporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By AWS's error code, or the exception."""
    monkeypatch.setenv(SWITCH, "true")
    rum.faults = [Fault(status=429, times=1), Fault(cut="before_answer", times=1)]
    one = exporter(max_requests_per_second=0)
    one.export([make_span()])
    assert one.force_flush()
    points = read()["otel.sdk.exporter.operation.duration"]
    assert {point.attributes.get("error.type"): point.count for point in points} == {
        None: 1,
        "ThrottlingException": 1,
        "ConnectionClosedError": 1,
    }
    assert all(0 < point.sum < 60 for point in points)


def test_log_records_have_metrics_of_their_own(
    read: Callable[[], Points], rum: LocalRum, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are counted apart from spans. Plain log lines, which the exporter ignores, count as exported."""
    monkeypatch.setenv(SWITCH, "true")
    one = RumLogExporter(app_monitor_id=APP_MONITOR_ID, endpoint=rum.url, signing="none")
    one.export([make_log("cart.filled"), make_log(body="a plain line")])
    assert one.force_flush()
    points = read()
    assert by_error(points["otel.sdk.exporter.log.exported"], LOG_EXPORTER) == {None: 2}
    assert by_error(points["otel.sdk.exporter.span.exported"], SPAN_EXPORTER) == {}
    one.shutdown()


def test_each_pipeline_has_a_component_name_while_it_exists(
    read: Callable[[], Points], rum: LocalRum, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for each different settings, also for exporters that are made after others have ended."""
    monkeypatch.setenv(SWITCH, "true")

    def components() -> set[Any]:
        gc.collect()
        exported = read().get("otel.sdk.exporter.span.exported", ())
        return {point.attributes["otel.component.name"] for point in exported}

    def made(**settings: Any) -> RumSpanExporter:
        one = RumSpanExporter(app_monitor_id=APP_MONITOR_ID, endpoint=rum.url, signing="none", **settings)
        one.export([make_span()])
        return one

    first, second = made(), made(max_events_per_request=7)
    both = components()
    assert len(both) == 2
    first.shutdown()
    del first
    third = made(max_events_per_request=9)
    now = components()
    assert len(now) == 2
    assert len(now - both) == 1
    second.shutdown()
    third.shutdown()


@pytest.mark.usefixtures("read")
def test_a_gauge_of_the_application_may_end_a_span_while_another_thread_exports_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The meter provider holds a lock while it calls the gauge, and takes the same lock to add our instruments."""
    monkeypatch.setenv(SWITCH, "true")
    shared = SharedPipeline(make_config(), Mock())
    is_collecting, is_observing = threading.Event(), threading.Event()

    def export() -> None:
        shared.export(lambda pipeline: pipeline.add_spans([make_span()]))

    def observing(*pipeline: Any) -> None:
        is_observing.set()
        observe(*pipeline)

    def rows(_: metrics.CallbackOptions) -> Iterator[metrics.Observation]:
        is_collecting.set()
        assert is_observing.wait(LONG_SECONDS)
        export()
        yield metrics.Observation(1)

    monkeypatch.setattr("otel_rum_exporter.exporter.pipeline.observe", observing)
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr("opentelemetry.metrics._internal._METER_PROVIDER", provider)
    provider.get_meter("application").create_observable_gauge("rows", [rows])
    threads = [threading.Thread(target=target, daemon=True) for target in (reader.collect, export)]
    threads[0].start()
    assert is_collecting.wait(LONG_SECONDS)
    threads[1].start()
    for thread in threads:
        thread.join(LONG_SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    shared.leave(1.0)
    provider.shutdown()


def test_events_and_their_list_price_are_counted_by_type(
    read: Callable[[], Points], exporter: Callable[..., RumSpanExporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user sees the cost where the other metrics are."""
    monkeypatch.setenv(SWITCH, "true")
    exporter().export([make_span("work") for _ in range(3)])
    points = read()
    counts = {point.attributes["rum.event.type"]: point.value for point in points["otel_rum_exporter.events"]}
    costs = {point.attributes["rum.event.type"]: point.value for point in points["otel_rum_exporter.cost"]}
    assert counts["work"] == 3
    assert costs["work"] == pytest.approx(0.00003)
