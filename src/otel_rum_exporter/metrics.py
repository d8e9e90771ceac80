"""What the exporter tells OpenTelemetry about itself: metrics read from its ledger, at no cost for a span.

Names and attributes are those of the semantic conventions, and like the SDK's own they are off unless
`OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED` is true. Those of the outbox have no convention.
https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/
"""

from __future__ import annotations

import itertools
import os
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from opentelemetry.metrics import CallbackOptions, Meter, Observation, get_meter_provider
from opentelemetry.sdk.environment_variables import OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED

from .delivery import Delivery
from .telemetry import DropReason, Ledger
from .version import VERSION

SPAN_EXPORTER = "otel_rum_exporter.exporter.RumSpanExporter"
LOG_EXPORTER = "otel_rum_exporter.exporter.RumLogExporter"

_numbers = itertools.count()

Read = Callable[[Ledger, Delivery], Iterable[Observation]]


def is_enabled(environment: Mapping[str, str]) -> bool:
    """Say whether the SDK's own metrics, and so ours, are wanted."""
    return environment.get(OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED, "").strip().lower() == "true"


def observe(ledger: Ledger, delivery: Delivery) -> None:
    """Tell the global meter provider of a pipeline, for as long as it lives in this process."""
    meter = get_meter_provider().get_meter("otel_rum_exporter", VERSION)
    number = next(_numbers)
    of_spans, of_logs = _component(SPAN_EXPORTER, number), _component(LOG_EXPORTER, number)
    owner = (weakref.ref(ledger), weakref.ref(delivery), os.getpid())

    def reading(read: Read) -> list[Callable[[CallbackOptions], Iterable[Observation]]]:
        def callback(_: CallbackOptions) -> Iterable[Observation]:
            ledger, delivery, process_id = owner[0](), owner[1](), owner[2]
            is_ours = ledger is not None and delivery is not None and process_id == os.getpid()
            return read(ledger, delivery) if is_ours else ()  # type: ignore[arg-type]

        return [callback]

    _observe_records(meter, reading, of_spans, of_logs)
    _observe_outbox(meter, reading, of_spans)
    duration = meter.create_histogram(
        "otel.sdk.exporter.operation.duration", "s", "The duration of exporting a batch of telemetry records."
    )
    ledger.observe_request = lambda seconds, reason: duration.record(
        seconds, {**of_spans, "error.type": reason} if reason else of_spans
    )


def _observe_records(
    meter: Meter,
    reading: Callable[[Read], list[Callable[[CallbackOptions], Iterable[Observation]]]],
    of_spans: dict[str, str],
    of_logs: dict[str, str],
) -> None:
    kinds: tuple[tuple[str, str, dict[str, str], Callable[[Ledger], Counter[DropReason | None]]], ...] = (
        ("span", "{span}", of_spans, lambda ledger: ledger.spans),
        ("log", "{log_record}", of_logs, lambda ledger: ledger.log_records),
    )
    for kind, unit, component, settled in kinds:
        meter.create_observable_counter(
            f"otel.sdk.exporter.{kind}.exported",
            reading(lambda ledger, _, settled=settled, component=component: _exported(settled(ledger), component)),  # type: ignore[misc]
            unit,
            "The number of records for which the export has finished, either successful or failed.",
        )
    meter.create_observable_up_down_counter(
        "otel.sdk.exporter.span.inflight",
        reading(lambda ledger, _: [Observation(ledger.inflight.spans, of_spans)]),
        "{span}",
        "The number of spans which were passed to the exporter, but that have not been exported yet.",
    )
    meter.create_observable_up_down_counter(
        "otel.sdk.exporter.log.inflight",
        reading(lambda ledger, _: [Observation(ledger.inflight.log_records, of_logs)]),
        "{log_record}",
        "The number of log records which were passed to the exporter, but that have not been exported yet.",
    )


def _observe_outbox(
    meter: Meter,
    reading: Callable[[Read], list[Callable[[CallbackOptions], Iterable[Observation]]]],
    component: dict[str, str],
) -> None:
    gauges: tuple[tuple[str, str, str, Callable[[Ledger, Delivery], float]], ...] = (
        ("events", "{event}", "Events accepted and not yet delivered.", lambda ledger, _: ledger.stored),
        ("size", "By", "About what they weigh.", lambda _, delivery: delivery.stored_bytes),
        ("age", "s", "How long the oldest of them waits.", lambda _, delivery: _age_seconds(delivery)),
        (
            "rate",
            "{request}/s",
            "Requests a second in force; 0 means no limit.",
            lambda _, one: one.requests_per_second,
        ),
    )
    for name, unit, text, value in gauges:
        meter.create_observable_gauge(
            f"otel_rum_exporter.outbox.{name}",
            reading(lambda ledger, delivery, value=value: [Observation(value(ledger, delivery), component)]),  # type: ignore[misc]
            unit,
            text,
        )


def _exported(settled: Counter[DropReason | None], component: dict[str, str]) -> Iterable[Observation]:
    for reason, count in list(settled.items()):
        attributes = {**component, "error.type": reason.name.lower()} if reason else component
        yield Observation(count, attributes)


def _age_seconds(delivery: Delivery) -> float:
    oldest_ns = delivery.oldest_ns
    return 0.0 if oldest_ns is None else max(0.0, (time.time_ns() - oldest_ns) / 1_000_000_000)


def _component(kind: str, number: int) -> dict[str, str]:
    return {"otel.component.type": kind, "otel.component.name": f"{kind}/{number}"}
