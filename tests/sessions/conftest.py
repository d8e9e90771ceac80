"""Tracer providers with a session processor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_rum_exporter.sessions.processor import RumSessionProcessor
from tests.sessions.spans import SetUp


@pytest.fixture
def finished() -> InMemorySpanExporter:
    """Return an exporter that keeps finished spans."""
    return InMemorySpanExporter()


@pytest.fixture
def set_up(finished: InMemorySpanExporter) -> Iterator[SetUp]:
    """Make tracer providers with a session processor and an exporter, `finished` by default."""
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
