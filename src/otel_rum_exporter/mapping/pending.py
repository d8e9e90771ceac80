"""Pending spans: they wait for their parents, which end later and whose identity they inherit."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Generic, TypeVar

from .record_view import SpanKey

T = TypeVar("T")

MAX_PENDING_NS = 30 * 1_000_000_000
"""How long a span waits for its parent; after that it inherits what is known of its trace."""

MAX_PENDING = 4096
"""Most pending spans of all applications, in addition to the bound of `max_memory_bytes`."""

MAX_PENDING_BYTES = 32 * 1024 * 1024
"""Most estimated bytes of pending spans: some 8 KiB each, four times a usual span."""


class PendingSpans(Generic[T]):
    """Children by the parent that they wait for, the oldest first. Times are monotonic. Not thread-safe.

    A group shares its bounds: if too many are pending, those of an application with more than its share expire.
    """

    def __init__(self, group: Mapping[int, PendingSpans[T]] | None = None) -> None:
        self._group = {0: self} if group is None else group
        self._by_parent: OrderedDict[SpanKey, tuple[int, list[tuple[T, int]]]] = OrderedDict()
        self.count = 0
        self.size_bytes = 0

    def add(self, parent: SpanKey, child: T, size_bytes: int, now_ns: int) -> None:
        """Add a child; its wait started with its first sibling's."""
        if parent not in self._by_parent:
            self._by_parent[parent] = (now_ns, [])
        self._by_parent[parent][1].append((child, size_bytes))
        self.count += 1
        self.size_bytes += size_bytes

    def resolve(self, parent: SpanKey) -> list[T]:
        """Remove and return the children of a parent."""
        _, children = self._by_parent.pop(parent, (0, []))
        self.count -= len(children)
        self.size_bytes -= sum(size_bytes for _, size_bytes in children)
        return [child for child, _ in children]

    def expired(self, now_ns: int) -> SpanKey | None:
        """Return the oldest parent if it was awaited for too long or too many spans are pending; else None."""
        parent = self.oldest
        if parent is None:
            return None
        return parent if self._are_too_many or now_ns - self._by_parent[parent][0] >= MAX_PENDING_NS else None

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
        return next(iter(self._by_parent), None)

    def next_expiry_seconds(self, now_ns: int) -> float | None:
        """Return the time until the oldest parent expires; None if nothing is pending."""
        parent = self.oldest
        return None if parent is None else max(0, self._by_parent[parent][0] + MAX_PENDING_NS - now_ns) / 1_000_000_000
