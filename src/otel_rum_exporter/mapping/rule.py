"""A rule, and an ordered table of rules: the first rule that fits a record applies.

Records have few sets of attribute names, so that what depends on names and settings alone is decided once for each set:
which rules can apply, and in a `Plan`, which attributes a rule reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from opentelemetry.trace import SpanKind

from ..config import Config, variable
from ..rum.event import EventDraft
from .attribute_keys import MAX_KEY_SETS, AttributeKeys
from .record_view import View

V = TypeVar("V", bound=View)
T = TypeVar("T")

MAX_CANDIDATES = 2 * MAX_KEY_SETS

NOT_FOR_RUM = "it is not for RUM"
NOT_MEASURED = "it has no measurement"
BY_SETTINGS = "the settings exclude it"
BY_APPLICATION = "the application excludes it"
LIBRARY_SPAN = f"it is a step or a call of a library; {variable('custom_events')}=all sends it"
HEALTH_CHECK = "it is a health check that succeeded"
OF_PARENT = "its parent's event contains its data"
OF_BROWSER = "the browser sends its page view"
OF_SPAN = "its span reports it"
REPLACED = "a later record replaces it"


def _always(_view: View, _config: Config) -> bool:
    return True


def _nothing(_view: View, _config: Config) -> Iterable[EventDraft]:
    return ()


def never(_view: View) -> bool:
    """Return false: a rule whose plan returns this test does not apply to any record with these names."""
    return False


@dataclass(slots=True, eq=False, repr=False)
class Plan(Generic[V, T]):
    """A function of records, made by `of` for each attribute-key set under settings.

    It reads usual values directly, and calls the general function for all other values.
    """

    of: Callable[[AttributeKeys, Config], Callable[[V], T]]


def _called(function: Callable[[V, Config], T], config: Config, view: V) -> T:
    return function(view, config)


def _drafts(function: Callable[[V, Config], Iterable[EventDraft]], config: Config, view: V) -> Sequence[EventDraft]:
    return [*function(view, config)]


def is_excluded(view: View, config: Config) -> bool:
    """Return whether the settings exclude the name or the scope of a record."""
    names = (view.name, view.scope_name)
    return any(fnmatchcase(name, pattern) for pattern in config.excluded_names for name in names)


@dataclass(slots=True, eq=False, repr=False)
class Rule(Generic[V]):
    """A row of a table. `becomes` names its events; exceptions add `js_error_event` if `keeps_exceptions`.

    It applies if the setting `needs` is set, and a record has the `kind`, one of the `scopes`, one of the names `named`
    and one of the attributes `having`. Of these records, it applies to those for which the result of `fits` is true.
    `left_out` is why a record becomes no event. With `is_of_parent`, the parent's event contains the span's data.
    """

    name: str
    becomes: str
    events: Callable[[V, Config], Iterable[EventDraft]] | Plan[V, Sequence[EventDraft]] = _nothing
    fits: Callable[[V, Config], object] | Plan[V, object] = _always
    needs: str = ""
    kind: SpanKind | None = None
    scopes: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    having: frozenset[str] = frozenset()
    keeps_exceptions: bool = True
    is_of_parent: bool = False
    left_out: str = BY_SETTINGS


class Rules(Generic[V]):
    """A table of rules, in order. The last row fits every record."""

    def __init__(self, *rows: Rule[V]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Rule[V]]:
        return iter(self._rows)

    def with_settings(self, config: Config) -> Decisions[V]:
        """Return what decides about records by this table."""
        return Decisions([row for row in self._rows if not row.needs or getattr(config, row.needs)], config)


Candidate: TypeAlias = "tuple[Rule[V], Callable[[V], object] | None, Callable[[V], Sequence[EventDraft]]]"
"""A rule for records with some attribute names, its test, and what makes the events. None: it fits all of them."""


Key: TypeAlias = "tuple[AttributeKeys, int] | tuple[AttributeKeys, int, str, str]"
"""The attribute names and kind of a record, and its name and scope if a rule depends on one of them."""


class Decisions(Generic[V]):
    """A table of rules under settings. Decisions by attribute names, kind, scope and name are made once.

    Not thread-safe.
    """

    def __init__(self, rows: Sequence[Rule[V]], config: Config) -> None:
        self._rows = rows
        self._config = config
        self._names = frozenset(name for row in rows for name in row.named)
        self._scopes = frozenset(name for row in rows for name in row.scopes)
        self._candidates: dict[Key, list[Candidate[V]]] = {}

    def of(self, view: V) -> Candidate[V]:
        """Return the first rule that fits a span or log record, and what makes its events."""
        name, scope, kind = view.name, view.scope_name, view.kind
        # The hash of an Enum is written in Python; members live for ever, so their ids are unique.
        kind_id = id(kind) if kind.__class__ is SpanKind else 0
        key: Key = (view.keys, kind_id)
        if name in self._names or scope in self._scopes:
            key = (*key, name if name in self._names else "", scope if scope in self._scopes else "")
        for candidate in self._candidates.get(key) or self._decide(key, view):
            fits = candidate[1]
            if fits is None or fits(view):
                return candidate
        raise LookupError(view.name)

    def rule_of(self, view: V) -> Rule[V]:
        """Return the first rule that fits a span or log record."""
        return self.of(view)[0]

    def _decide(self, key: Key, view: V) -> list[Candidate[V]]:
        """Return the rules that can fit by attribute names, kind, name and scope, and remember them by a key."""
        keys = view.keys
        found: list[Candidate[V]] = []
        for row in self._rows:
            if not (
                (not row.having or not row.having.isdisjoint(keys.names))
                and (row.kind is None or row.kind is view.kind)
                and (not row.named or view.name in row.named)
                and (not row.scopes or view.scope_name in row.scopes)
            ):
                continue
            fits, events, config = row.fits, row.events, self._config
            test = fits.of(keys, config) if isinstance(fits, Plan) else partial(_called, fits, config)
            drafts = events.of(keys, config) if isinstance(events, Plan) else partial(_drafts, events, config)
            if test is not never:
                found.append((row, None if fits is _always else test, drafts))
        if keys.is_kept:
            if len(self._candidates) >= MAX_CANDIDATES:
                self._candidates.clear()
            self._candidates[key] = found
        return found
