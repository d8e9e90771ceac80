"""Who waits for whom: children end before their parents, and inherit from them.

Nothing here has a clock: times are passed in, and are monotonic.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from .record_view import SpanKey

T = TypeVar("T")

WAIT_NS = 30 * 1_000_000_000
"""How long a span waits for its parent to end; after that it inherits what its trace has told so far."""

MAX_WAITING = 4096
"""Spans that may wait for their parents, whole, beside the bound of `max_memory_bytes`."""

MAX_WAITING_BYTES = 32 * 1024 * 1024
"""What they may take of memory, as estimated: some 8 KiB each, where a usual span takes two."""


class Waiting(Generic[T]):
    """Children by the parent they wait for, the longest-waiting first. Not thread-safe."""

    def __init__(self) -> None:
        self._by_parent: OrderedDict[SpanKey, tuple[int, list[tuple[T, int]]]] = OrderedDict()
        self.count = 0
        self.size_bytes = 0

    def add(self, parent: SpanKey, child: T, size_bytes: int, now_ns: int) -> None:
        """Let a child of a size wait; its wait is as old as that of its first sibling."""
        if parent not in self._by_parent:
            self._by_parent[parent] = (now_ns, [])
        self._by_parent[parent][1].append((child, size_bytes))
        self.count += 1
        self.size_bytes += size_bytes

    def release(self, parent: SpanKey) -> list[T]:
        """Return the children that wait for a parent; from now on they do not."""
        _, children = self._by_parent.pop(parent, (0, []))
        self.count -= len(children)
        self.size_bytes -= sum(size_bytes for _, size_bytes in children)
        return [child for child, _ in children]

    def overdue(self, now_ns: int) -> SpanKey | None:
        """Return the parent that was waited for long enough, or must be since too many wait; None if none was."""
        parent = self.longest_awaited
        if parent is None:
            return None
        are_too_many = self.count > MAX_WAITING or self.size_bytes > MAX_WAITING_BYTES
        return parent if are_too_many or now_ns - self._by_parent[parent][0] >= WAIT_NS else None

    @property
    def longest_awaited(self) -> SpanKey | None:
        """The parent that is waited for the longest; None where nobody waits."""
        return next(iter(self._by_parent), None)

    def next_overdue_seconds(self, now_ns: int) -> float | None:
        """Return the time until `overdue` will have something to return; None where nobody waits."""
        parent = self.longest_awaited
        return None if parent is None else max(0, self._by_parent[parent][0] + WAIT_NS - now_ns) / 1_000_000_000
