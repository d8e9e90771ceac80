"""The messages of a partition that are not settled yet, and the offset that may be committed. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

M = TypeVar("M")

RESUME_SHARE = 0.5
"""A full partition resumes below this share of its limits, so that it is not paused and resumed for each message."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a partition has in flight: messages since the committed offset, bytes that are not settled."""

    messages: int
    size_bytes: int


@dataclass(slots=True, eq=False)
class Partition(Generic[M]):
    """The in-flight messages of a partition, by offset. Not thread-safe.

    `waiting` has those that the pipeline had no room for, in order; they are in flight too. `committed` is the offset
    that the broker has; None if this process has committed none. A partition that was revoked and assigned again is
    another object, so what settles late changes nothing.
    """

    topic: str
    number: int
    limits: Limits
    committed: int | None = None
    is_paused: bool = False
    size_bytes: int = 0
    waiting: deque[M] = field(default_factory=deque)
    _first: int = 0
    _next: int | None = None
    _in_flight: OrderedDict[int, tuple[M, int]] = field(default_factory=OrderedDict)

    def add(self, offset: int, message: M, size_bytes: int) -> bool:
        """Add a message; false if it was added before. Brokers may skip offsets, but not go back."""
        if self._next is None:
            self._first = offset
        elif offset < self._next:
            return False
        self._in_flight[offset] = (message, size_bytes)
        self.size_bytes += size_bytes
        self._next = offset + 1
        return True

    def settle(self, offset: int) -> None:
        """Remove a message that needs no redelivery. Later calls do nothing."""
        _, size_bytes = self._in_flight.pop(offset, (None, 0))
        self.size_bytes -= size_bytes

    def message(self, offset: int) -> M | None:
        """Return a message that is not settled; None if it is."""
        found = self._in_flight.get(offset)
        return found[0] if found else None

    @property
    def next_offset(self) -> int:
        """The first offset that can be added."""
        return self._next or 0

    @property
    def unsettled(self) -> int:
        """The number of messages in flight."""
        return len(self._in_flight)

    @property
    def position(self) -> int | None:
        """The offset to commit: of the first message that is not settled; None if there was no message."""
        return next(iter(self._in_flight), self._next)

    @property
    def is_behind(self) -> bool:
        """Whether the broker has an older offset than the one to commit."""
        return self.position is not None and self.position != self.committed

    def may_hand_over(self, offset: int) -> bool:
        """Return whether a message is near the committed offset: later ones are delivered again after a kill."""
        return offset - self._committed < self.limits.messages

    @property
    def is_full(self) -> bool:
        """Whether the partition must pause; a paused one only resumes well below its limits."""
        share = RESUME_SHARE if self.is_paused else 1.0
        uncommitted = (self._next or 0) - self._committed
        return uncommitted >= self.limits.messages * share or self.size_bytes >= self.limits.size_bytes * share

    @property
    def _committed(self) -> int:
        return self._first if self.committed is None else self.committed
