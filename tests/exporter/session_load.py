"""A simulated load of sessions, with a clock of its own: decided by the real hash and the real budget."""

from __future__ import annotations

import hashlib
import os
import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable

from otel_rum_exporter.delivery.backlog import Backlog
from otel_rum_exporter.exporter.event_budget import EventBudget, Load
from otel_rum_exporter.mapping.sampling import is_sampled

EVENTS = 10
"""Events of a session, on average; each record is one."""

SESSION_SECONDS = 120
STEPS = 8
"""Moments at which the sessions that are left out have their records."""

POOL_MINUTES = 1 if os.environ.get("LONG_FAULTS") else 0.25


class SessionLoad:
    """Sessions that start at a rate, and what a budget makes of them.

    The ids of a second are sorted by their hash, so that few are asked for, and the real decision is still made.
    `capacity` is how many events a second RUM takes.
    """

    def __init__(self, budget: EventBudget, capacity: Callable[[int], float] = lambda _: 1e9, seed: int = 1) -> None:
        self.budget = budget
        self.sent: list[int] = []
        self.chances: list[tuple[int, int]] = []
        self.rates: list[float] = []
        self.queue = 0.0
        self._random = random.Random(seed)
        self._capacity = capacity
        self._delivered = 0.0
        self._due: Counter[int] = Counter()
        self._due_left_out: Counter[int] = Counter()
        self._ids: list[list[str]] = []
        self._number = 0

    def run(self, seconds: int, sessions_per_second: int) -> None:
        """Let time pass."""
        now, self._ids = len(self.sent), []
        for second in range(now, now + seconds):
            ids = self._new_ids(sessions_per_second, second)
            count = bisect_left(ids, True, key=lambda one: not is_sampled(one, self.budget.rate))
            for _ in range(count):
                for _ in range(self._random.randint(0, 2 * (EVENTS - 1))):
                    self._due[second + self._random.randint(0, SESSION_SECONDS)] += 1
            left_out = len(ids) - count
            for step in range(STEPS):
                self._due_left_out[second + step * SESSION_SECONDS // STEPS] += left_out * (EVENTS - 1) // STEPS
            self._count(second, count, left_out)

    def per_second(self, start: int, end: int) -> float:
        """Return the events that were sent a second."""
        return sum(self.sent[start:end]) / (end - start)

    def _count(self, second: int, started: int, left_out: int) -> None:
        made = started + self._due.pop(second, 0)
        load = Load(made, made, left_out + self._due_left_out.pop(second, 0))
        self.chances.append((started, started + left_out))
        self.sent.append(made)
        taken = min(self.queue + made, self._capacity(second))
        self.queue += made - taken
        self._delivered += taken
        if self.budget.capacity.is_due(second):
            self.budget.capacity.update(Backlog(int(self.queue), is_throttled=False), int(self._delivered), second)
        self.rates.append(self.budget.count(load, second))

    def _new_ids(self, count: int, second: int) -> list[str]:
        """Return the ids of a second, sorted by their hash; those of a minute come again, to save time."""
        size = max(1, int(60 * POOL_MINUTES)) if count >= 1000 else 60
        if len(self._ids) < size:
            ids = [f"{self._random.getrandbits(64):x}" for _ in range(count)]
            self._ids.append(sorted(ids, key=_point))
            return self._ids[-1]
        return self._ids[second % size]


def _point(session_id: str) -> bytes:
    return hashlib.blake2b(session_id.encode(), digest_size=8, person=b"rum.session").digest()
