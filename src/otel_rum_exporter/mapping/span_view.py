"""Finished spans: the protocol that SDK spans satisfy, and the view that the mapping reads.

The protocols contain exactly the members of `ReadableSpan` that become RUM data, so SDK spans are not copied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import NamedTuple, Protocol

from opentelemetry.trace import SpanContext, SpanKind, Status

from .._attributes import plain
from .._receipt import Receipt
from .._served import are_of_request, is_instrumentation
from .attribute_keys import key_sets
from .attribute_values import json_text
from .micrometer import OUTCOME, as_http
from .record_view import (
    EARLIEST_EPOCH_NS,
    INTERNAL,
    MAX_EPOCH_NS,
    SERVER,
    Attributes,
    Resource,
    Scope,
    View,
    clock_unit_ns,
    epoch_ns,
    name_of,
)
from .redaction import STANDARD, Redactor


class SpanEvent(Protocol):
    """A point in time within a span, such as an exception; `timestamp` is ns since the epoch."""

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
    """A finished span: the part of `opentelemetry.sdk.trace.ReadableSpan` that RUM can use.

    Its trace id has at most 128 bits, its span id 64.
    """

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


class Dropped(NamedTuple):
    """The numbers of attributes, events and links of a span that the SDK dropped."""

    attributes: int
    events: int
    links: int


@dataclass(slots=True, init=False, eq=False, repr=False)
class SpanView(View):
    """A span whose attributes and events were read once, by `span_reader`.

    `dropped` is None if the SDK dropped nothing. `has_other_clock` is true if its times were in another unit than ns.
    `part` is a child span whose data belongs to this span's events.
    """

    span: Span
    events: Sequence[SpanEvent]
    dropped: Dropped | None
    has_other_clock: bool
    part: SpanView | None

    @property
    def content(self) -> tuple[object, ...]:
        """Name and attributes, its own and those of its events, and its links."""
        events = [(event.name, plain(event.attributes)) for event in self.events]
        return self.name, self.attributes, events, self.span.links

    @property
    def source(self) -> Span:
        """The span that it was read from."""
        return self.span

    @property
    def id_parts(self) -> tuple[str, ...]:
        """Trace and span id."""
        return self.trace_id, self.span_id

    @classmethod
    def of(cls, span: Span, redactor: Redactor = STANDARD, receipt: Receipt | None = None) -> SpanView:
        """Read a span once."""
        return span_reader(redactor, receipt)(span)


def span_reader(redactor: Redactor, receipt: Receipt | None = None) -> Callable[[Span], SpanView]:
    """Return a function that reads a span once. The scope of spans in a row is mostly the same, and read once."""
    last_scope: Scope | None = None
    scope_name, is_of_library = "", False

    def read(span: Span) -> SpanView:
        nonlocal last_scope, scope_name, is_of_library
        # fmt: off
        (
            context, parent, name, kind, resource, scope, start_ns, end_ns, given, events,
            dropped_attributes, dropped_events, dropped_links,
        ) = _READ(span)
        # fmt: on
        # A SpanContext is a tuple, whose properties are functions in Python. Formats of numbers take longer.
        trace = context[0]
        trace_bytes, span_bytes = trace.to_bytes(16, "big"), context[1].to_bytes(8, "big")
        attributes = given.copy() if type(given) is MappingProxyType else plain(given)
        if OUTCOME in attributes:
            attributes = as_http(attributes)
        has_other_clock = False
        if not (start_ns and end_ns and EARLIEST_EPOCH_NS <= start_ns <= end_ns <= MAX_EPOCH_NS):
            has_other_clock = clock_unit_ns(end_ns) > 1
            start_ns = epoch_ns(start_ns or end_ns)
            end_ns = max(start_ns, epoch_ns(end_ns))
        if scope is not last_scope:
            last_scope, scope_name = scope, name_of(scope)
            is_of_library = is_instrumentation(scope_name)
        # A call with these as twenty named arguments takes four times as long.
        view = SpanView.__new__(SpanView)
        view.span = span
        view.name = name if type(name) is str and name.isascii() else json_text(name)
        view.attributes = attributes
        view.keys = keys = key_sets[tuple(attributes)]
        view.resource = resource
        view.scope = scope
        view.scope_name = scope_name
        view.trace_id = trace_bytes.hex()
        view.trace = trace
        view.span_id = span_bytes.hex()
        view.events = events
        if dropped_attributes or dropped_events or dropped_links:
            view.dropped = Dropped(dropped_attributes, dropped_events, dropped_links)
        else:
            view.dropped = None
        view.key = trace_bytes + span_bytes
        if parent is None:
            view.parent_key, view.is_parent_remote = None, False
        else:
            view.parent_key = trace_bytes + parent.span_id.to_bytes(8, "big")
            view.is_parent_remote = parent.is_remote
        view.request = None
        view.may_be_inner = is_of_library and kind is INTERNAL and keys.cached(are_of_request)
        view.kind = SERVER if view.may_be_inner else kind
        view.start_ns = start_ns
        view.end_ns = end_ns
        view.has_other_clock = has_other_clock
        view.part = None
        view.redactor = redactor
        view.receipt = receipt
        return view

    return read


_READ = attrgetter(
    *("context", "parent", "name", "kind", "resource", "instrumentation_scope", "start_time", "end_time"),
    *("attributes", "events", "dropped_attributes", "dropped_events", "dropped_links"),
)
"""Everything that is read of a span: one call costs a third of single attribute reads."""
