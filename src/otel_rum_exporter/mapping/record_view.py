"""Telemetry as the mapping reads it: attributes read once, with typed access, and a position in a trace.

`View` is what spans and log records have in common; `span_view.py` and `log_view.py` have the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from opentelemetry.trace import SpanKind

from .._attributes import STATUSES
from .._pattern import lazy_pattern
from .._receipt import Receipt
from .attribute_keys import AttributeKeys
from .attribute_values import MAX_SAFE_INTEGER, json_text, size_bytes
from .redaction import STANDARD, Redactor

INTERNAL, SERVER, CLIENT = SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT
PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER
"""The kinds of spans. To read a member of an enum costs as much as two calls of functions."""

Attributes = Mapping[str, Any] | None
"""Attribute values can have any type: read them with a view."""

SpanKey = bytes
"""Trace id and span id, 16 and 8 bytes: it takes a quarter of the memory of two texts, and many are kept."""

SPAN_ID = slice(16, None)
"""The part of a key that is the span id."""

NS_PER_MILLI = 1_000_000
_OBJECTS_BYTES = 1024
"""Estimated size of an SDK span and its view without attributes."""

_MAX_ID_BITS = 128
_NUMBER = lazy_pattern(r"-?[0-9]{1,16}(?:\.[0-9]{0,20})?")
_STATUS_LINE = lazy_pattern(r"\s*(?:HTTP/[\d.]{1,3}\s+)?([1-9][0-9][0-9])(?:\s[^\n]*)?")

EARLIEST_EPOCH_NS = 946_684_800 * 1_000_000_000
"""The year 2000: an earlier time comes from an unset clock or is not since the epoch."""

MAX_EPOCH_NS = 4_102_444_800 * 1_000_000_000
"""The year 2100: later times come from broken clocks and exceed the range of dates."""


_CLOCK_UNITS = (1000, NS_PER_MILLI, 1_000_000_000)
"""Microseconds, milliseconds and seconds. As nanoseconds, dates in them would be in January 1970."""


class Resource(Protocol):
    """The source of telemetry: `opentelemetry.sdk.resources.Resource`."""

    @property
    def attributes(self) -> Mapping[str, Any]: ...


class Scope(Protocol):
    """The instrumentation that made the telemetry."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str | None: ...


def name_of(scope: Scope | None) -> str:
    """Return the name of a scope; empty if it has none."""
    name = None if scope is None else scope.name
    return name if type(name) is str else str(name or "")


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class View:
    """A span or a log record, with its attributes read once.

    `keys` is the key set of the attributes. `scope_name` is empty if there is none. `trace_id` and `span_id`
    are in hex, those of a log record empty if it has none. `trace` is the trace id as a number, which takes half the
    memory of the text; None if there is none. `kind` and `key` are None for a log record, which has no children.
    `parent_key` is the enclosing span; None if there is none. `is_parent_remote` is true if that span is in another
    process. Times are ns since the epoch. `redactor` decides what of it is sent.

    `may_be_inner` is true for a request served that was recorded as INTERNAL (`_served`). It is of kind SERVER until it
    is found within another request, which represents it. `request` is the request that it belongs to, if its trace
    may have many. `receipt` is that of its source, which it holds until its events are queued.
    """

    name: str
    attributes: Mapping[str, Any]
    keys: AttributeKeys
    resource: Resource
    scope: Scope | None
    scope_name: str
    trace_id: str
    span_id: str
    trace: int | None
    key: SpanKey | None
    parent_key: SpanKey | None
    is_parent_remote: bool
    kind: SpanKind | None
    start_ns: int
    end_ns: int
    redactor: Redactor = STANDARD
    may_be_inner: bool = False
    request: SpanKey | None = None
    receipt: Receipt | None = None

    @property
    def duration_millis(self) -> float:
        return (self.end_ns - self.start_ns) / NS_PER_MILLI

    @property
    def is_local_root(self) -> bool:
        """Whether it has no enclosing span in this process."""
        return self.parent_key is None or self.is_parent_remote

    @property
    def has_other_clock(self) -> bool:
        """Whether its times are in another unit than nanoseconds."""
        return False

    @property
    def size_bytes(self) -> int:
        """Estimated memory in bytes, with the telemetry it was read from."""
        return _OBJECTS_BYTES + size_bytes(self.content)

    @property
    def content(self) -> tuple[object, ...]:
        """Everything in it that can have any size."""
        return self.name, self.attributes

    @property
    def source(self) -> object:
        """The span or log record that it was read from."""
        raise NotImplementedError

    @property
    def id_parts(self) -> tuple[str, ...]:
        """Parts that identify it, the same in every process."""
        raise NotImplementedError

    def text(self, *names: str) -> str | None:
        """Return the first of the named attributes that is a non-empty string."""
        attributes = self.attributes
        for name in names:
            value = attributes.get(name)
            if value:
                if type(value) is str and value.isascii():
                    return value
                if isinstance(value, str):
                    return json_text(value)
        return None

    def integer(self, *names: str) -> int | None:
        """Return the first of the named attributes that is a whole number, in any encoding."""
        attributes = self.attributes
        for name in names:
            given = attributes.get(name)
            if type(given) is int and -MAX_SAFE_INTEGER <= given <= MAX_SAFE_INTEGER:
                return given
            value = None if given is None else as_number(given)
            if value is not None and value == int(value):
                return int(value)
        return None

    def status(self) -> int | None:
        """Return the HTTP status in any encoding, also in a text such as `404 Not Found`; None if there is none."""
        code = self.integer(*STATUSES)
        if code is None and (written := _STATUS_LINE.fullmatch(self.text(*STATUSES) or "")):
            return int(written[1])
        return code

    def number(self, *names: str) -> float | None:
        """Return the first of the named attributes that is a finite number, in any encoding."""
        return number(self.attributes, *names)

    def identifier(self, *names: str) -> str | None:
        """Return the first of the named attributes that is an id: a non-empty string, or a number such as 42."""
        return identifier(self.attributes, *names)

    def header(self, name: str) -> str | None:
        """Return the first value of a captured request header; `name` as in attributes, for example `referer`."""
        attributes = self.attributes  # Python's instrumentations write `_`, those of other languages `-`
        value = attributes.get(f"http.request.header.{name}")
        if value is None and "_" in name:
            value = attributes.get(f"http.request.header.{name.replace('_', '-')}")
        first = value[0] if isinstance(value, (list, tuple)) and value else value
        return json_text(first) if isinstance(first, str) and first else None


def texts(keys: AttributeKeys, names: Sequence[str]) -> Callable[[View], str | None]:
    """Return a function that returns `View.text` of the named attributes, for records with these attribute names."""
    present = keys.among(names)
    if not present:
        return _no_text
    if len(present) > 1:
        return lambda view: view.text(*present)
    (name,) = present

    def text_of(view: View) -> str | None:
        value = view.attributes.get(name)
        if type(value) is str and value.isascii():
            return value or None
        return json_text(value) or None if isinstance(value, str) else None

    return text_of


def _no_text(_: View) -> None:
    return None


def numbers(keys: AttributeKeys, names: Sequence[str]) -> Callable[[View], float | None]:
    """Return a function that returns `View.number` of the named attributes, for records with these attribute names."""
    present = keys.among(names)
    if len(present) != 1:
        return lambda view: number(view.attributes, *present)
    (name,) = present

    def number_of(view: View) -> float | None:
        given = view.attributes.get(name)
        usual = type(given) is int and -MAX_SAFE_INTEGER <= given <= MAX_SAFE_INTEGER
        return given if usual or given is None else as_number(given)

    return number_of


def text(attributes: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of the named attributes that is a non-empty string."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return value if type(value) is str and value.isascii() else json_text(value)
    return None


def identifier(attributes: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of the named attributes that is an id: a non-empty string, or a whole number.

    A number has one spelling, whether it is sent as an integer or as a double.
    """
    for name in names:
        value = attributes.get(name)
        if value is None:
            continue
        if isinstance(value, str):
            if value:
                return value if type(value) is str and value.isascii() else json_text(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            return str(int(value)) if value.bit_length() <= _MAX_ID_BITS else None
        elif isinstance(value, float) and value.is_integer():
            return str(int(value)) if abs(value) <= MAX_SAFE_INTEGER else None
    return None


def number(attributes: Mapping[str, Any], *names: str) -> float | None:
    """Return the first of the named attributes that is a finite number, in any encoding."""
    for name in names:
        given = attributes.get(name)
        if type(given) is int and -MAX_SAFE_INTEGER <= given <= MAX_SAFE_INTEGER:
            return given
        value = None if given is None else as_number(given)
        if value is not None:
            return value
    return None


def as_number(value: object) -> float | None:
    """Return a value as a number: exporters also send numbers as doubles or as text. None if it is none."""
    if type(value) is int:
        return value if abs(value) <= MAX_SAFE_INTEGER else None
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return None
        value = float(value) if "." in value else int(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MAX_SAFE_INTEGER:
        return value
    return None


def clock_unit_ns(time_ns: int | None) -> int:
    """Return the unit of a time, in ns: 1, unless its digits are a date in micro- or milliseconds or seconds."""
    if time_ns is not None and time_ns < EARLIEST_EPOCH_NS:
        for unit in _CLOCK_UNITS:
            if EARLIEST_EPOCH_NS <= time_ns * unit <= MAX_EPOCH_NS:
                return unit
    return 1


def epoch_ns(time_ns: int | None) -> int:
    """Return a time since the epoch within the range of dates; 0 for None.

    Some clients write seconds, milliseconds or microseconds where OpenTelemetry has nanoseconds.
    """
    if time_ns is None:
        return 0
    time_ns *= clock_unit_ns(time_ns)
    return time_ns if 0 <= time_ns <= MAX_EPOCH_NS else min(max(time_ns, 0), MAX_EPOCH_NS)
