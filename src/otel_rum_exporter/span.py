"""What the mapping reads of a finished span, and nothing more.

The protocols name exactly the members of the SDK's `ReadableSpan` that become RUM data, so an SDK span is
used as it is, without a copy. `SpanView` is a span with its attributes read once. Nothing here knows RUM.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from opentelemetry.trace import SpanContext, SpanKind, Status

from .anyvalue import MAX_SAFE_INTEGER, json_text

Attributes = Mapping[str, Any] | None
"""Attribute values are whatever an application put there: read them with `SpanView`, never trust a type."""

NS_PER_MILLI = 1_000_000
MAX_EPOCH_NS = 4_102_444_800 * 1_000_000_000
"""The year 2100: later times are broken clocks, and would break the arithmetic of dates."""


class Resource(Protocol):
    """What made the spans: `opentelemetry.sdk.resources.Resource`."""

    @property
    def attributes(self) -> Mapping[str, Any]: ...


class Scope(Protocol):
    """Which instrumentation made the span."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str | None: ...


class SpanEvent(Protocol):
    """A moment within a span, such as an exception; `timestamp` is ns since the epoch."""

    @property
    def name(self) -> str: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def attributes(self) -> Attributes: ...


class SpanLink(Protocol):
    """A reference to another span."""

    @property
    def context(self) -> SpanContext: ...


class Span(Protocol):
    """A finished span: the part of `opentelemetry.sdk.trace.ReadableSpan` that RUM has a place for."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> SpanKind: ...
    @property
    def context(self) -> SpanContext: ...
    @property
    def parent(self) -> SpanContext | None: ...
    @property
    def start_time(self) -> int | None: ...
    @property
    def end_time(self) -> int | None: ...
    @property
    def status(self) -> Status: ...
    @property
    def attributes(self) -> Attributes: ...
    @property
    def events(self) -> Sequence[SpanEvent]: ...
    @property
    def links(self) -> Sequence[SpanLink]: ...
    @property
    def resource(self) -> Resource: ...
    @property
    def instrumentation_scope(self) -> Scope | None: ...
    @property
    def dropped_attributes(self) -> int: ...
    @property
    def dropped_events(self) -> int: ...
    @property
    def dropped_links(self) -> int: ...


@dataclass(slots=True)
class SpanView:
    """A span whose attributes were read once, with typed access to them."""

    span: Span
    name: str
    attributes: Mapping[str, Any]
    trace_id: str
    span_id: str
    start_ns: int
    end_ns: int

    @classmethod
    def of(cls, span: Span) -> SpanView:
        context = span.context
        start_ns = epoch_ns(span.start_time or span.end_time)
        return cls(
            span=span,
            name=json_text(span.name),
            attributes=plain(span.attributes),
            trace_id=f"{context.trace_id:032x}",
            span_id=f"{context.span_id:016x}",
            start_ns=start_ns,
            end_ns=max(start_ns, epoch_ns(span.end_time)),
        )

    @property
    def duration_millis(self) -> float:
        return (self.end_ns - self.start_ns) / NS_PER_MILLI

    @property
    def is_local_root(self) -> bool:
        """Say whether this is the first span of its trace in its process."""
        parent = self.span.parent
        return parent is None or parent.is_remote

    def text(self, *names: str) -> str | None:
        """Return the first of the named attributes that is a non-empty string."""
        return text(self.attributes, *names)

    def integer(self, *names: str) -> int | None:
        """Return the first of the named attributes that is a whole number, also one written as text."""
        for name in names:
            value = self.attributes.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_SAFE_INTEGER:
                return value
            if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
                return int(value)
        return None

    def header(self, name: str) -> str | None:
        """Return the first value of a captured request header; `name` as OTel writes it, e.g. `referer`."""
        value = self.attributes.get(f"http.request.header.{name}")
        first = value[0] if isinstance(value, (list, tuple)) and value else value
        return json_text(first) if isinstance(first, str) and first else None


def plain(attributes: Attributes) -> Mapping[str, Any]:
    """Copy attributes into a plain dict.

    The SDK's mapping locks for every key it is asked for; its own `copy` locks once.
    """
    if not attributes:
        return {}
    copy = getattr(attributes, "copy", None)
    return copy() if callable(copy) else dict(attributes)


def text(attributes: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of the named attributes that is a non-empty string."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return json_text(value)
    return None


def epoch_ns(time_ns: int | None) -> int:
    """Return a time since the epoch that dates can hold; 0 for None."""
    return min(max(time_ns or 0, 0), MAX_EPOCH_NS)
