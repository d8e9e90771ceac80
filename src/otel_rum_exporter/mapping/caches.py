"""Bounded caches: what clients can make grow has a limit, and the oldest entries are removed first."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


class BoundedDict(dict[K, V]):
    """A dict that shares its bound with a group: after each `trim` they have at most `max_size` entries together.

    `trim` removes the oldest entries of the largest dict, and a sixteenth of the bound more, so that it is seldom
    needed. An OrderedDict takes longer to add an entry. Not thread-safe.
    """

    def __init__(self, max_size: int, group: Mapping[int, BoundedDict[Any, Any]] | None = None) -> None:
        super().__init__()
        self.max_size = max_size
        self._group = {0: self} if group is None else group

    def move_to_end(self, key: K) -> None:
        """Make an entry the newest."""
        self[key] = self.pop(key)

    def trim(self) -> None:
        """Remove the oldest entries if there are more than `max_size`."""
        size = len(self) if len(self._group) == 1 else sum(map(len, self._group.values()))
        if size <= self.max_size:
            return
        kept = self.max_size - self.max_size // 16
        while size > kept:
            largest = max(self._group.values(), key=len)
            count = min(size - kept, len(largest) - kept // len(self._group))
            # All at once: to find the oldest entry of a dict takes longer the more were removed before it.
            for key in list(itertools.islice(largest, count)):
                del largest[key]
            size -= count


class Caches:
    """The caches of one application. Those with the same name share one bound with the caches of `others`."""

    def __init__(self, others: Caches | None = None) -> None:
        self.groups: dict[str, dict[int, Any]] = others.groups if others else {}

    def add(self, name: str, make: Callable[[Mapping[int, T]], T]) -> T:
        """Return a new cache, made with its group."""
        group: dict[int, T] = self.groups.setdefault(name, {})
        cache = group[id(self)] = make(group)
        return cache

    def bounded(self, name: str, max_size: int) -> BoundedDict[Any, Any]:
        """Return a new dict of at most `max_size` entries, together with its group."""
        return self.add(name, lambda group: BoundedDict(max_size, group))

    def close(self) -> None:
        """Leave the groups."""
        for group in self.groups.values():
            group.pop(id(self), None)


class ObjectCache(Generic[K, T]):
    """Results of a function by the identity of its argument, for objects that are costly to hash.

    It keeps the objects alive, so that an id is never reused. Cleared when it is full. Thread-safe: each step is one
    operation of a dict.
    """

    def __init__(self, compute: Callable[[K], T], max_size: int) -> None:
        self._compute = compute
        self._max_size = max_size
        self._results: dict[int, tuple[K, T]] = {}

    def of(self, item: K) -> T:
        """Return the function's result for an object, computed at its first use."""
        known = self._results.get(id(item))
        if known is None:
            if len(self._results) >= self._max_size:
                self._results.clear()
            known = self._results[id(item)] = (item, self._compute(item))
        return known[1]

    def clear(self) -> None:
        """Forget all results."""
        self._results.clear()


class _Texts(dict[str, T]):
    """The results of a function of texts. Cleared when it is full. Thread-safe."""

    def __init__(self, function: Callable[[str], T], max_size: int, max_chars: int) -> None:
        super().__init__()
        self._function = function
        self._max_size = max_size
        self._max_chars = max_chars

    def __missing__(self, text: str) -> T:
        result = self._function(text)
        if len(text) <= self._max_chars:
            if len(self) >= self._max_size:
                self.clear()
            self[text] = result
        return result


def cache_short_texts(max_size: int, max_chars: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Cache a function of a text, but not for texts longer than `max_chars`, because clients choose them."""

    def decorate(function: Callable[[str], T]) -> Callable[[str], T]:
        # With a known text, no function in Python is called.
        return _Texts(function, max_size, max_chars).__getitem__

    return decorate
