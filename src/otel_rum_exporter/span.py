"""Finished spans, as the SDK gives them and as the mapping reads them.

The protocols name exactly the members of the SDK's `ReadableSpan` that become RUM data, so an SDK span is used
as it is, without a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from opentelemetry.trace import SpanContext, SpanKind, Status

from .anyvalue import json_text
from .view import Attributes, Resource, Scope, View, epoch_ns, names_of, plain


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


@dataclass(slots=True, kw_only=True)
class SpanView(View):
    """A span whose attributes and events were read once. `part` is a child that its own events tell."""

    span: Span
    span_id: str
    events: Sequence[SpanEvent]
    part: SpanView | None = None

    @property
    def content(self) -> tuple[object, ...]:
        """Name and attributes, its own and those of its events, and its links."""
        events = [(event.name, plain(event.attributes)) for event in self.events]
        return self.name, self.attributes, events, self.span.links

    @property
    def id_parts(self) -> tuple[str, ...]:
        """Trace and span id."""
        return self.trace_id, self.span_id

    @classmethod
    def of(cls, span: Span) -> SpanView:
        """Read a span once."""
        context, parent = span.context, span.parent
        trace_id, span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        start_ns = epoch_ns(span.start_time or span.end_time)
        attributes = plain(span.attributes)
        return cls(
            span=span,
            name=json_text(span.name),
            attributes=attributes,
            names=names_of(attributes),
            resource=span.resource,
            scope=span.instrumentation_scope,
            trace_id=trace_id,
            span_id=span_id,
            events=span.events,
            key=(trace_id, span_id),
            parent_key=None if parent is None else (trace_id, f"{parent.span_id:016x}"),
            is_parent_remote=parent is not None and parent.is_remote,
            kind=span.kind,
            start_ns=start_ns,
            end_ns=max(start_ns, epoch_ns(span.end_time)),
        )
