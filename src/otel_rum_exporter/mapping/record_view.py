"""Telemetry as the mapping reads it: attributes read once, with typed access, and a place in a trace.

A `View` is what spans and log records have in common; `span.py` and `log_record.py` say what each has of its
own. Nothing here knows RUM.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from opentelemetry.trace import SpanKind

from .attribute_values import MAX_SAFE_INTEGER, json_text, size_bytes

T = TypeVar("T")

Attributes = Mapping[str, Any] | None
"""Attribute values are whatever an application put there: read them with a view, never trust a type."""

SpanKey = tuple[str, str]
"""Trace id and span id, in hex."""

NS_PER_MILLI = 1_000_000
_OBJECTS_BYTES = 1024
"""A span of the SDK and its view, without any attribute."""

MAX_SHAPES = 1024
"""Shapes remembered, of at most so many names and characters; a sender chooses them."""

MAX_NAMES = 128
MAX_NAMES_CHARS = 4096
MAX_NAME_CHARS = 64
"""No name that means something to the mapping is longer."""

EARLIEST_EPOCH_NS = 946_684_800 * 1_000_000_000
"""The year 2000: an earlier time is a clock that was not set, or none of the epoch."""

MAX_EPOCH_NS = 4_102_444_800 * 1_000_000_000
"""The year 2100: later times are broken clocks, and would break the arithmetic of dates."""


class Resource(Protocol):
    """What made the telemetry: `opentelemetry.sdk.resources.Resource`."""

    @property
    def attributes(self) -> Mapping[str, Any]: ...


class Scope(Protocol):
    """Which instrumentation made the telemetry."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str | None: ...


class Shape:
    """The names of attributes: what they tell by themselves is found out once for all telemetry that has the same.

    Thread-safe.
    """

    __slots__ = ("_found", "_has", "names")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._has: dict[frozenset[str], bool] = {}
        self._found: dict[Callable[[tuple[str, ...]], Any], Any] = {}

    def has(self, wanted: frozenset[str]) -> bool:
        """Say whether one of the wanted attributes is among them; for sets that live as long as the process."""
        answer = self._has.get(wanted)
        if answer is None:
            answer = self._has[wanted] = not wanted.isdisjoint(self.names)
        return answer

    def found(self, by: Callable[[tuple[str, ...]], T]) -> T:
        """Return what a function, which lives as long as the process, finds out by the names."""
        try:
            answer: T = self._found[by]
        except KeyError:
            answer = self._found[by] = by(self.names)
        return answer


_shapes: dict[tuple[Any, ...], Shape] = {}


def shape_of(attributes: Mapping[Any, Any]) -> Shape:
    """Return the shape of attributes; of very many or long names, the first that are short enough to mean anything."""
    names = tuple(attributes)
    return _shapes.get(names) or _new_shape(names)


def _new_shape(names: tuple[Any, ...]) -> Shape:
    texts = tuple(name for name in names if isinstance(name, str))
    if len(texts) == len(names) <= MAX_NAMES and sum(map(len, texts)) <= MAX_NAMES_CHARS:
        if len(_shapes) >= MAX_SHAPES:
            _shapes.clear()
        return _shapes.setdefault(names, Shape(texts))
    return Shape(tuple(itertools.islice((name for name in texts if len(name) <= MAX_NAME_CHARS), MAX_NAMES)))


@dataclass(slots=True, kw_only=True)
class View:
    """A span or a log record, with its attributes read once.

    `shape` is that of the attributes. `kind` and `key` are None for a log record, which has no children; `parent_key`
    is the span that contains this, None where there is none; `is_parent_remote` says that it is in another process.
    Times are ns since the epoch.
    """

    name: str
    attributes: Mapping[str, Any]
    shape: Shape
    resource: Resource
    scope: Scope | None
    trace_id: str
    key: SpanKey | None
    parent_key: SpanKey | None
    is_parent_remote: bool
    kind: SpanKind | None
    start_ns: int
    end_ns: int

    @property
    def duration_millis(self) -> float:
        return (self.end_ns - self.start_ns) / NS_PER_MILLI

    @property
    def is_local_root(self) -> bool:
        """Whether nothing in this process contains it."""
        return self.parent_key is None or self.is_parent_remote

    @property
    def size_bytes(self) -> int:
        """Estimate the memory that it takes, with the telemetry it was read from."""
        return _OBJECTS_BYTES + size_bytes(self.content)

    @property
    def content(self) -> tuple[object, ...]:
        """What it holds: all that may be of any size."""
        return self.name, self.attributes

    @property
    def id_parts(self) -> tuple[str, ...]:
        """What tells this from any other, the same in every process that sees it."""
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
        """Return the first of the named attributes that is a whole number, also one written as text."""
        for name in names:
            value = self.attributes.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_SAFE_INTEGER:
                return value
            if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
                return int(value)
        return None

    def number(self, *names: str) -> float | None:
        """Return the first of the named attributes that is a finite number."""
        return number(self.attributes, *names)

    def header(self, name: str) -> str | None:
        """Return the first value of a captured request header; `name` as OTel writes it, e.g. `referer`."""
        value = self.attributes.get(f"http.request.header.{name}")
        first = value[0] if isinstance(value, (list, tuple)) and value else value
        return json_text(first) if isinstance(first, str) and first else None


def text(attributes: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of the named attributes that is a non-empty string."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return json_text(value)
    return None


def number(attributes: Mapping[str, Any], *names: str) -> float | None:
    """Return the first of the named attributes that is a finite number."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MAX_SAFE_INTEGER:
            return value
    return None


def epoch_ns(time_ns: int | None) -> int:
    """Return a time since the epoch that dates can hold; 0 for None."""
    if time_ns is None:
        return 0
    return time_ns if 0 <= time_ns <= MAX_EPOCH_NS else min(max(time_ns, 0), MAX_EPOCH_NS)
