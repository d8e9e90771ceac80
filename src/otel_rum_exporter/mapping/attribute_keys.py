"""The sets of attribute names that records have: few, so that decisions about names are kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

MAX_KEY_SETS = 1024
"""Attribute-key sets to keep, each of at most `MAX_NAMES` and `MAX_NAMES_CHARS`, because clients choose them."""

MAX_NAMES = 128
MAX_NAMES_CHARS = 4096
MAX_NAME_CHARS = 64
"""No name that the mapping uses is longer."""


class _Answers(dict[frozenset[str], bool]):
    """Whether one of some names is among others."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, wanted: frozenset[str]) -> bool:
        return self.setdefault(wanted, not wanted.isdisjoint(self._names))


class Cached(Protocol):
    """A function that returns the cached result of a function of names."""

    def __call__(self, function: Callable[[tuple[str, ...]], T], /) -> T: ...


class _Results(dict[Callable[[tuple[str, ...]], Any], Any]):
    """The results of functions of some names."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, function: Callable[[tuple[str, ...]], Any]) -> Any:
        return self.setdefault(function, function(self._names))


def _always(_wanted: frozenset[str]) -> bool:
    return True


class AttributeKeys:
    """The set of a record's attribute names, shared by all records with the same names. Thread-safe.

    Results that depend on names alone are computed once per set: `cached` returns the result of a function of the
    names, which lives as long as the process. `is_kept` is false for a set that is too large to be kept for other
    records. `has` returns whether it contains one of the wanted names, in a set that lives as long as the process.
    `may_have` does not exclude the names that a large set lacks.
    """

    __slots__ = ("cached", "has", "is_kept", "may_have", "names")

    def __init__(self, names: tuple[str, ...], *, is_kept: bool) -> None:
        self.names = names
        self.is_kept = is_kept
        self.has = _Answers(names).__getitem__
        self.may_have = self.has if is_kept else _always
        self.cached: Cached = _Results(names).__getitem__

    def among(self, wanted: Sequence[str]) -> Sequence[str]:
        """Return the wanted names that a record can have, in their order."""
        return [name for name in wanted if name in self.names] if self.is_kept else wanted

    def only(self, wanted: Sequence[str]) -> str | None:
        """Return the one of the wanted names that a record can have; None if it can have none or several."""
        found = self.among(wanted)
        return found[0] if len(found) == 1 else None


class _KeySets(dict[tuple[Any, ...], AttributeKeys]):
    """The sets by the names of attributes in order. Of very many names, or long ones, a set has the first short ones.

    With names that are known, no function in Python is called. Thread-safe.
    """

    def __missing__(self, names: tuple[Any, ...]) -> AttributeKeys:
        texts = tuple(name for name in names if isinstance(name, str))
        if len(texts) == len(names) <= MAX_NAMES and sum(map(len, texts)) <= MAX_NAMES_CHARS:
            if len(self) >= MAX_KEY_SETS:
                self.clear()
            return self.setdefault(names, AttributeKeys(texts, is_kept=True))
        short = (name for name in texts if len(name) <= MAX_NAME_CHARS)
        return AttributeKeys(tuple(itertools.islice(short, MAX_NAMES)), is_kept=False)


key_sets = _KeySets()


def keys_of(attributes: Mapping[Any, Any]) -> AttributeKeys:
    """Return the set of attribute names."""
    return key_sets[tuple(attributes)]
