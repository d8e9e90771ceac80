"""A rule, and an ordered table of rules: the first rule that fits a record applies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Generic, TypeVar

from opentelemetry.trace import SpanKind

from ..config import Config
from ..rum.event import EventDraft
from .record_view import View

V = TypeVar("V", bound=View)

NOT_FOR_RUM = "it is not for RUM"
NOT_MEASURED = "it has no measurement"
BY_SETTINGS = "the settings exclude it"
BY_APPLICATION = "the application excludes it"
LIBRARY_SPAN = "it is a step or a call of a library; custom_events=all sends it"
HEALTH_CHECK = "it is a health check that succeeded"
OF_PARENT = "its parent's event contains its data"
OF_BROWSER = "the browser sends its page view"
OF_SPAN = "its span reports it"
REPLACED = "a later record replaces it"


def _always(_view: View, _config: Config) -> bool:
    return True


def _nothing(_view: View, _config: Config) -> Iterable[EventDraft]:
    return ()


def is_excluded(view: View, config: Config) -> bool:
    """Return whether the settings exclude the name or the scope of a record."""
    if not config.excluded_names:
        return False
    names = (view.name, view.scope.name if view.scope else "")
    return any(fnmatchcase(name, pattern) for pattern in config.excluded_names for name in names)


@dataclass(frozen=True, slots=True)
class Rule(Generic[V]):
    """A row of a table. `becomes` names its events; exceptions add `js_error_event` if `keeps_exceptions`.

    It applies to spans of one `kind`, to records with one of the names `named`, to records with one of the attributes
    `having`, and to those of them for which `fits` returns true. `left_out` is why a record becomes no event. With
    `is_of_parent`, the parent's event contains the span's data.
    """

    name: str
    becomes: str
    events: Callable[[V, Config], Iterable[EventDraft]] = _nothing
    fits: Callable[[V, Config], bool] = _always
    kind: SpanKind | None = None
    named: frozenset[str] = frozenset()
    having: frozenset[str] = frozenset()
    keeps_exceptions: bool = True
    is_of_parent: bool = False
    left_out: str = BY_SETTINGS


class Rules(Generic[V]):
    """A table of rules, in order. Thread-safe."""

    def __init__(self, *rows: Rule[V]) -> None:
        self._rows = rows
        self._names = frozenset(name for row in rows for name in row.named)
        self._candidates = partial(_Candidates, rows)

    def __iter__(self) -> Iterator[Rule[V]]:
        return iter(self._rows)

    def decide(self, view: V, config: Config) -> Rule[V]:
        """Return the first rule that fits a span or log record; the last row of each table fits every one."""
        candidates: _Candidates[V] = view.keys.cached(self._candidates)
        for row in candidates[view.kind, view.name if view.name in self._names else ""]:
            if row.fits is _always or row.fits(view, config):
                return row
        raise LookupError(view.name)


class _Candidates(dict[tuple["SpanKind | None", str], tuple[Rule[V], ...]]):
    """The rows that can fit by attribute names, for a kind and a name."""

    def __init__(self, rows: Iterable[Rule[V]], attributes: tuple[str, ...]) -> None:
        super().__init__()
        self._rows = [row for row in rows if not row.having or not row.having.isdisjoint(attributes)]

    def __missing__(self, key: tuple[SpanKind | None, str]) -> tuple[Rule[V], ...]:
        kind, name = key
        rows = (row for row in self._rows if row.kind in {None, kind} and (not row.named or name in row.named))
        return self.setdefault(key, tuple(rows))
