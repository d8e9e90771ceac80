"""Finished spans of the SDK's own class, and the configuration to map them with."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from otel_rum_exporter.config import Config

APP_MONITOR_ID = "00000000-aaaa-4bbb-8ccc-000000000001"
START_NS = 1_795_000_000_000_000_000
"""A moment of November 2026."""

MILLI_NS = 1_000_000
_numbers = itertools.count(1 << 40)  # far from the ids that tests write


def make_span(  # noqa: PLR0913 - each argument is what some test varies
    name: str = "work",
    attributes: Mapping[str, Any] | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: ReadableSpan | SpanContext | None = None,
    events: Sequence[Event] = (),
    resource: Mapping[str, Any] | None = None,
    status: Status | None = None,
    start_ns: int = START_NS,
    duration_millis: float = 120.0,
    scope: str | None = None,
) -> ReadableSpan:
    """Make an ordinary INTERNAL span of a trace of its own, by default; ids never repeat."""
    parent_context = parent.context if isinstance(parent, ReadableSpan) else parent
    number = next(_numbers)
    trace_id = parent_context.trace_id if parent_context else (number << 64) + number
    return ReadableSpan(
        name,
        context=SpanContext(trace_id, number, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)),
        parent=parent_context,
        resource=Resource({"service.name": "shop", "service.version": "1.2.3", **(resource or {})}),
        attributes=dict(attributes or {}),
        events=events,
        kind=kind,
        status=status or Status(StatusCode.UNSET),
        start_time=start_ns,
        end_time=start_ns + int(duration_millis * MILLI_NS),
        instrumentation_scope=InstrumentationScope(scope) if scope else None,
    )


def exception_event(kind: str = "ValueError", message: str = "no", stack: str = "") -> Event:
    """Make the span event that `Span.record_exception` makes."""
    attributes = {"exception.type": kind, "exception.message": message, "exception.escaped": "False"}
    if stack:
        attributes["exception.stacktrace"] = stack
    return Event("exception", attributes, timestamp=START_NS + MILLI_NS)


def make_config(**settings: object) -> Config:
    """Make a Config from settings alone, whatever the environment holds; sessions that tests name are not started."""
    return Config.read({"app_monitor_id": APP_MONITOR_ID, "session_start": "minted", **settings}, {})
