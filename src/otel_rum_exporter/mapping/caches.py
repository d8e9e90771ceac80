"""Bounded caches: what clients can make grow has a limit, and the oldest entries are removed first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


class BoundedDict(OrderedDict[K, V]):
    """A dict of at most `max_size` entries after each `trim`, which removes the oldest.

    Trimming once after several insertions is cheaper than after each. Not thread-safe.
    """

    def __init__(self, max_size: int) -> None:
        super().__init__()
        self.max_size = max_size

    def trim(self) -> None:
        """Remove the oldest entries beyond `max_size`."""
        while len(self) > self.max_size:
            self.popitem(last=False)


class ObjectCache(Generic[K, T]):
    """Results of a function by the identity of its argument, for objects that are costly to hash.

    It keeps the objects alive, so that an id is never reused. Cleared when it is full. Not thread-safe.
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


def cache_short_texts(max_size: int, max_chars: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Cache a function of a text, but not for texts longer than `max_chars`, because clients choose them."""

    def decorate(function: Callable[[str], T]) -> Callable[[str], T]:
        cached = lru_cache(maxsize=max_size)(function)

        @wraps(function)
        def call(text: str) -> T:
            return cached(text) if len(text) <= max_chars else function(text)

        return call

    return decorate
