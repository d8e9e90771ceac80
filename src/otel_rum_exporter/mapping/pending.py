"""Pending spans: they wait for their parents, which end later and whose identity they inherit."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Generic, TypeVar

from .record_view import SpanKey

T = TypeVar("T")

MAX_PENDING_NS = 30 * 1_000_000_000
"""The time that a span waits for its parent; after that it inherits what is known of its trace."""

MAX_REQUEST_PENDING_NS = 6 * 1_000_000_000
"""The time that a request waits for one that may enclose it.

They end at about the same time, and the SDK exports the outer one at most 5 seconds after the inner one.
"""

MAX_PENDING = 4096
"""Most pending spans of all applications, in addition to the bound of `max_memory_bytes`."""

MAX_PENDING_BYTES = 32 * 1024 * 1024
"""Most estimated bytes of pending spans: some 8 KiB each, four times a usual span."""

MAX_EXPIRED = 1000
"""Expired parents to remember. Most applications have one: the span of their command or main loop."""


class PendingSpans(Generic[T]):
    """Children by the parent that they wait for, the oldest first. Times are monotonic. Not thread-safe.

    A parent that does not end in time is awaited only once: it has expired, and its later children need not wait.
    A group shares its bounds: if too many are pending, those of an application with more than its share expire.
    """

    def __init__(self, group: Mapping[int, PendingSpans[T]] | None = None) -> None:
        self._group = {0: self} if group is None else group
        self._by_parent: OrderedDict[SpanKey, list[tuple[T, SpanKey | None, int]]] = OrderedDict()
        self._parents: dict[SpanKey, SpanKey] = {}
        # By how long children wait: the parents and when their wait ends, the earliest first.
        self._waits: dict[int, OrderedDict[SpanKey, int]] = {}
        self._expired: OrderedDict[SpanKey, None] = OrderedDict()
        self.count = 0
        self.size_bytes = 0

    def add(
        self, parent: SpanKey, child: T, size_bytes: int, now_ns: int, *, key: SpanKey | None, is_request: bool
    ) -> None:
        """Add a child with its key. All children of a parent wait until the first of them has waited for its time."""
        wait_ns = MAX_REQUEST_PENDING_NS if is_request else MAX_PENDING_NS
        self._waits.setdefault(wait_ns, OrderedDict()).setdefault(parent, now_ns + wait_ns)
        self._by_parent.setdefault(parent, []).append((child, key, size_bytes))
        if key is not None:
            self._parents[key] = parent
        self.count += 1
        self.size_bytes += size_bytes

    def resolve(self, parent: SpanKey) -> list[T]:
        """Remove and return the children of a parent."""
        children = self._by_parent.pop(parent, ())
        if not children:
            return []
        for ends in self._waits.values():
            ends.pop(parent, None)
        self.count -= len(children)
        for _, key, size_bytes in children:
            self.size_bytes -= size_bytes
            if key is not None:
                self._parents.pop(key, None)
        return [child for child, _, _ in children]

    def has_expired(self, parent: SpanKey | None) -> bool:
        """Return whether a parent did not end in time."""
        if parent is None or parent not in self._expired:
            return False
        self._expired.move_to_end(parent)
        return True

    def expired(self, now_ns: int) -> SpanKey | None:
        """Return a parent that expires now, or the oldest if too many spans are pending; else None."""
        for parent, end_ns in self._next_ends():
            if end_ns <= now_ns:
                missing = self._missing(parent)
                self._expired[missing] = None
                if len(self._expired) > MAX_EXPIRED:
                    self._expired.popitem(last=False)
                return missing
        return self.oldest if self._are_too_many else None

    @property
    def _are_too_many(self) -> bool:
        applications = len(self._group)
        return (
            self.count > MAX_PENDING // applications
            and sum(pending.count for pending in self._group.values()) > MAX_PENDING
        ) or (
            self.size_bytes > MAX_PENDING_BYTES // applications
            and sum(pending.size_bytes for pending in self._group.values()) > MAX_PENDING_BYTES
        )

    @property
    def oldest(self) -> SpanKey | None:
        """The parent that is awaited the longest; None if nothing is pending."""
        parent = next(iter(self._by_parent), None)
        return None if parent is None else self._missing(parent)

    def next_expiry_seconds(self, now_ns: int) -> float | None:
        """Return the time until the next parent expires; None if nothing is pending."""
        ends = [end_ns for _, end_ns in self._next_ends()]
        return max(0, min(ends) - now_ns) / 1_000_000_000 if ends else None

    def _missing(self, parent: SpanKey) -> SpanKey:
        """Return the nearest ancestor that is not pending itself: with it, everything below it is resolved."""
        seen = set()
        while parent in self._parents and parent not in seen:
            seen.add(parent)
            parent = self._parents[parent]
        return parent

    def _next_ends(self) -> list[tuple[SpanKey, int]]:
        """Return, for each time that children wait, the first parent whose wait ends, and when."""
        return [next(iter(ends.items())) for ends in self._waits.values() if ends]
