"""Telemetry as the mapping reads it: attributes read once, with typed access, and a place in a trace.

A `View` is what spans and log records have in common; `span.py` and `log_record.py` say what each has of its
own. Nothing here knows RUM.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from opentelemetry.trace import SpanKind

from .anyvalue import MAX_SAFE_INTEGER, json_text, size_bytes

Attributes = Mapping[str, Any] | None
"""Attribute values are whatever an application put there: read them with a view, never trust a type."""

SpanKey = tuple[str, str]
"""Trace id and span id, in hex."""

NS_PER_MILLI = 1_000_000
_OBJECTS_BYTES = 1024
"""A span of the SDK and its view, without any attribute."""

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


@dataclass(slots=True, kw_only=True)
class View:
    """A span or a log record, with its attributes read once.

    `names` are those of the attributes: what they tell by themselves is found out once for all that have the same.
    `kind` and `key` are None for a log record, which has no children; `parent_key` is the span that contains this, None
    where there is none; `is_parent_remote` says that it is in another process. Times are ns since the epoch.
    """

    name: str
    attributes: Mapping[str, Any]
    names: tuple[str, ...]
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
            if value and isinstance(value, str):
                return value if type(value) is str and value.isascii() else json_text(value)
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


def plain(attributes: Attributes) -> Mapping[str, Any]:
    """Copy attributes into a plain dict.

    The SDK's mapping locks for every key it is asked for; its own `copy` locks once.
    """
    if attributes is None:
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


def are_usual(names: tuple[Any, ...]) -> bool:
    """Say whether names are so few and so short that something may be remembered of them; a sender chooses them."""
    try:
        return len(names) <= MAX_NAMES and len("".join(names)) <= MAX_NAMES_CHARS
    except TypeError:  # a map among values may have keys of any kind
        return False


def names_of(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of attributes; of very many or long ones, the first that are short enough to mean anything."""
    names = tuple(attributes)
    if are_usual(names):
        return names
    return tuple(
        itertools.islice((name for name in names if isinstance(name, str) and len(name) <= MAX_NAME_CHARS), MAX_NAMES)
    )


@lru_cache(maxsize=4096)
def present(wanted: tuple[str, ...] | frozenset[str], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return which of the wanted attributes are among those named, in the order in which they are wanted."""
    return tuple(name for name in wanted if name in names)
