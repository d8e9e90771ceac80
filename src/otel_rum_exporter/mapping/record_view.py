"""Telemetry as the mapping reads it: attributes read once, with typed access, and a position in a trace.

`View` is what spans and log records have in common; `span_view.py` and `log_view.py` have the rest.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from opentelemetry.trace import SpanKind

from .attribute_values import MAX_SAFE_INTEGER, json_text, size_bytes

T = TypeVar("T")

Attributes = Mapping[str, Any] | None
"""Attribute values can have any type: read them with a view."""

SpanKey = tuple[str, str]
"""Trace id and span id, in hex."""

NS_PER_MILLI = 1_000_000
_OBJECTS_BYTES = 1024
"""Estimated size of an SDK span and its view without attributes."""

MAX_KEY_SETS = 1024
"""Attribute-key sets to keep, each of at most `MAX_NAMES` and `MAX_NAMES_CHARS`, because clients choose them."""

MAX_NAMES = 128
MAX_NAMES_CHARS = 4096
MAX_NAME_CHARS = 64
"""No name that the mapping uses is longer."""

_MAX_ID_BITS = 128
_NUMBER = re.compile(r"-?[0-9]{1,16}(?:\.[0-9]{0,20})?")

EARLIEST_EPOCH_NS = 946_684_800 * 1_000_000_000
"""The year 2000: an earlier time comes from an unset clock or is not since the epoch."""

MAX_EPOCH_NS = 4_102_444_800 * 1_000_000_000
"""The year 2100: later times come from broken clocks and exceed the range of dates."""


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


class AttributeKeys:
    """The set of a record's attribute names, shared by all records with the same names. Thread-safe.

    What depends on names alone is computed once per set.
    """

    __slots__ = ("_cached", "_has", "names")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._has: dict[frozenset[str], bool] = {}
        self._cached: dict[Callable[[tuple[str, ...]], Any], Any] = {}

    def has(self, wanted: frozenset[str]) -> bool:
        """Return whether it contains one of the wanted names; for sets that live as long as the process."""
        answer = self._has.get(wanted)
        if answer is None:
            answer = self._has[wanted] = not wanted.isdisjoint(self.names)
        return answer

    def cached(self, function: Callable[[tuple[str, ...]], T]) -> T:
        """Return the cached result of a function of the names; for functions that live as long as the process."""
        try:
            answer: T = self._cached[function]
        except KeyError:
            answer = self._cached[function] = function(self.names)
        return answer


_key_sets: dict[tuple[Any, ...], AttributeKeys] = {}


def keys_of(attributes: Mapping[Any, Any]) -> AttributeKeys:
    """Return the key set of attributes; of very many or long names, only the first short ones."""
    names = tuple(attributes)
    return _key_sets.get(names) or _new_keys(names)


def _new_keys(names: tuple[Any, ...]) -> AttributeKeys:
    texts = tuple(name for name in names if isinstance(name, str))
    if len(texts) == len(names) <= MAX_NAMES and sum(map(len, texts)) <= MAX_NAMES_CHARS:
        if len(_key_sets) >= MAX_KEY_SETS:
            _key_sets.clear()
        return _key_sets.setdefault(names, AttributeKeys(texts))
    return AttributeKeys(tuple(itertools.islice((name for name in texts if len(name) <= MAX_NAME_CHARS), MAX_NAMES)))


@dataclass(slots=True, kw_only=True)
class View:
    """A span or a log record, with its attributes read once.

    `keys` is the key set of the attributes. `kind` and `key` are None for a log record, which has no children.
    `parent_key` is the enclosing span; None if there is none. `is_parent_remote` is true if that span is in another
    process. Times are ns since the epoch.
    """

    name: str
    attributes: Mapping[str, Any]
    keys: AttributeKeys
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
        """Whether it has no enclosing span in this process."""
        return self.parent_key is None or self.is_parent_remote

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
        for name in names:
            value = as_number(self.attributes.get(name))
            if value is not None and value == int(value):
                return int(value)
        return None

    def number(self, *names: str) -> float | None:
        """Return the first of the named attributes that is a finite number, in any encoding."""
        return number(self.attributes, *names)

    def identifier(self, *names: str) -> str | None:
        """Return the first of the named attributes that is an id: a non-empty string, or a number such as 42."""
        return identifier(self.attributes, *names)

    def header(self, name: str) -> str | None:
        """Return the first value of a captured request header; `name` as in attributes, for example `referer`."""
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


def identifier(attributes: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of the named attributes that is an id: a non-empty string, or a whole number.

    A number has one spelling, whether it is sent as an integer or as a double.
    """
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str):
            if value:
                return json_text(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            return str(int(value)) if value.bit_length() <= _MAX_ID_BITS else None
        elif isinstance(value, float) and value.is_integer():
            return str(int(value)) if abs(value) <= MAX_SAFE_INTEGER else None
    return None


def number(attributes: Mapping[str, Any], *names: str) -> float | None:
    """Return the first of the named attributes that is a finite number, in any encoding."""
    for name in names:
        value = as_number(attributes.get(name))
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


def epoch_ns(time_ns: int | None) -> int:
    """Return a time since the epoch within the range of dates; 0 for None."""
    if time_ns is None:
        return 0
    return time_ns if 0 <= time_ns <= MAX_EPOCH_NS else min(max(time_ns, 0), MAX_EPOCH_NS)
