"""Spans of a tracer provider with a session processor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider

from otel_rum_exporter.sessions.processor import RumSessionProcessor

SetUp: TypeAlias = Callable[..., tuple[TracerProvider, RumSessionProcessor]]


def attributes_of(provider: TracerProvider, context: Context | None = None, **options: Any) -> dict[str, Any]:
    """Start a span, and return its attributes."""
    span: Any = provider.get_tracer("test").start_span("work", context, **options)
    span.end()
    return dict(span.attributes)
