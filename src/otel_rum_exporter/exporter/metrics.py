"""Metrics of the exporter itself, read from its ledger when they are collected; a span costs nothing more.

Names and attributes follow the semantic conventions, except for the metrics of the queue, which have no convention.
Like the SDK's own metrics they are off unless `OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED` is true.
https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/
"""

from __future__ import annotations

import itertools
import os
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation, get_meter_provider

from .._version import VERSION
from ..delivery.worker import Delivery
from ..ledger import DropReason, Ledger
from ..rum.price import PRICE_DATE, usd
from .cost import Cost

SPAN_EXPORTER = "otel_rum_exporter.exporter.RumSpanExporter"
LOG_EXPORTER = "otel_rum_exporter.exporter.RumLogExporter"

_ENABLED = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"  # the SDK has a constant for it only since 1.42

_numbers = itertools.count()


class _Observed(NamedTuple):
    """A pipeline with metrics, for as long as it exists in its process."""

    process_id: int
    ledger: weakref.ref[Ledger]
    delivery: weakref.ref[Delivery]
    cost: weakref.ref[Cost]


_observed: dict[int, _Observed] = {}
_providers: weakref.WeakSet[MeterProvider] = weakref.WeakSet()
"""Providers with our instruments. The SDK never calls the callbacks of a second instrument of the same name."""

Read = Callable[[Ledger, Delivery, int], Iterable[Observation]]
Callback = Callable[[CallbackOptions], Iterable[Observation]]


def is_enabled(environment: Mapping[str, str]) -> bool:
    """Return whether the SDK's own metrics, and so ours, are switched on."""
    return environment.get(_ENABLED, "").strip().lower() == "true"


def observe(ledger: Ledger, delivery: Delivery, cost: Cost) -> None:
    """Report a pipeline to the global meter provider, for as long as it exists in this process."""
    provider = get_meter_provider()
    meter = provider.get_meter("otel_rum_exporter", VERSION)
    number = next(_numbers)
    _observed[number] = _Observed(os.getpid(), weakref.ref(ledger), weakref.ref(delivery), weakref.ref(cost))
    if provider not in _providers:
        _providers.add(provider)
        _observe_records(meter)
        _observe_queue(meter)
        _observe_cost(meter)
    duration = meter.create_histogram(
        "otel.sdk.exporter.operation.duration", "s", "The duration of exporting a batch of telemetry records."
    )
    component = _component(SPAN_EXPORTER, number)
    ledger.observe_request = lambda seconds, reason: duration.record(
        seconds, {**component, "error.type": reason} if reason else component
    )


def _reading(read: Read) -> list[Callback]:
    """Return the only callback of an instrument; it reads all pipelines."""

    def callback(_: CallbackOptions) -> Iterable[Observation]:
        for number, one in list(_observed.items()):
            ledger, delivery = one.ledger(), one.delivery()
            if ledger is None or delivery is None or one.process_id != os.getpid():
                _observed.pop(number, None)
            else:
                yield from read(ledger, delivery, number)

    return [callback]


def _observe_records(meter: Meter) -> None:
    kinds: tuple[tuple[str, str, str, Callable[[Ledger], Counter[DropReason | None]]], ...] = (
        ("span", "{span}", SPAN_EXPORTER, lambda ledger: ledger.spans),
        ("log", "{log_record}", LOG_EXPORTER, lambda ledger: ledger.log_records),
    )
    for kind, unit, exporter, finished in kinds:
        meter.create_observable_counter(
            f"otel.sdk.exporter.{kind}.exported",
            _reading(
                lambda ledger, _, number, finished=finished, exporter=exporter: _exported(  # type: ignore[misc]
                    finished(ledger), _component(exporter, number)
                )
            ),
            unit,
            "The number of records for which the export has finished, either successful or failed.",
        )
    meter.create_observable_up_down_counter(
        "otel.sdk.exporter.span.inflight",
        _reading(lambda ledger, _, number: [Observation(ledger.in_flight.spans, _component(SPAN_EXPORTER, number))]),
        "{span}",
        "The number of spans which were passed to the exporter, but that have not been exported yet.",
    )
    meter.create_observable_up_down_counter(
        "otel.sdk.exporter.log.inflight",
        _reading(
            lambda ledger, _, number: [Observation(ledger.in_flight.log_records, _component(LOG_EXPORTER, number))]
        ),
        "{log_record}",
        "The number of log records which were passed to the exporter, but that have not been exported yet.",
    )


def _observe_queue(meter: Meter) -> None:
    gauges: tuple[tuple[str, str, str, Callable[[Ledger, Delivery], float]], ...] = (
        (
            "events",
            "{event}",
            "Events that are neither delivered nor dropped yet.",
            lambda ledger, _: ledger.stored,
        ),
        ("size", "By", "Approximate size of the queued events.", lambda _, delivery: delivery.stored_bytes),
        ("age", "s", "Time since the oldest queued event was accepted.", lambda _, one: _age_seconds(one)),
        (
            "rate",
            "{request}/s",
            "Current limit of the request rate; 0 means no limit.",
            lambda _, delivery: delivery.requests_per_second,
        ),
    )
    for name, unit, text, value in gauges:
        meter.create_observable_gauge(
            f"otel_rum_exporter.queue.{name}",
            _reading(
                lambda ledger, delivery, number, value=value: [  # type: ignore[misc]
                    Observation(value(ledger, delivery), _component(SPAN_EXPORTER, number))
                ]
            ),
            unit,
            text,
        )


def _observe_cost(meter: Meter) -> None:
    """Report the events by type, and their list price."""

    def read(value: Callable[[int], float]) -> list[Callback]:
        def callback(_: CallbackOptions) -> Iterable[Observation]:
            for number, one in list(_observed.items()):
                cost = one.cost() if one.process_id == os.getpid() else None
                for kind, count in dict(cost.by_type if cost else {}).items():
                    yield Observation(value(count), {**_component(SPAN_EXPORTER, number), "rum.event.type": kind})

        return [callback]

    meter.create_observable_counter(
        "otel_rum_exporter.events", read(float), "{event}", "Events made from spans and log records."
    )
    meter.create_observable_counter(
        "otel_rum_exporter.cost", read(usd), "USD", f"What the events cost at list price ({PRICE_DATE})."
    )


def _exported(finished: Counter[DropReason | None], component: dict[str, str]) -> Iterable[Observation]:
    for reason, count in list(finished.items()):
        attributes = {**component, "error.type": reason.name.lower()} if reason else component
        yield Observation(count, attributes)


def _age_seconds(delivery: Delivery) -> float:
    oldest_ns = delivery.oldest_ns
    return 0.0 if oldest_ns is None else max(0.0, (time.time_ns() - oldest_ns) / 1_000_000_000)


def _component(kind: str, number: int) -> dict[str, str]:
    return {"otel.component.type": kind, "otel.component.name": f"{kind}/{number}"}
