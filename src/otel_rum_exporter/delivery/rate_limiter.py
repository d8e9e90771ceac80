"""How many requests a second: the quota at most, less while RUM throttles. A clock is passed in.

Additive increase, multiplicative decrease: halves with each throttled second, and recovers a fiftieth of
the quota with each delivered second.
"""

from __future__ import annotations

import math

MIN_REQUESTS_PER_SECOND = 0.5
PORTION_SECONDS = 0.2
"""How long permits gather, where they ran out, before they are used."""

ROUNDING = 1e-9
"""Less than this is missing to a permit only by floating-point arithmetic."""


class RequestRate:
    """A bucket of permits for requests. `limit` is per second, and also the burst; 0 means no limit.

    Where permits ran out, the next request waits for a portion of them: requests that follow each other at once cost
    less than as many that wake a thread each.

    Not thread-safe: its owner calls it under a lock.
    """

    def __init__(self, limit: int, now_seconds: float) -> None:
        self._limit = float(limit)
        self._rate = self._limit
        self._permits = self._limit
        self._wanted = 1.0
        self._portion_seconds = PORTION_SECONDS
        self._refilled_seconds = now_seconds
        self._halved_seconds = -math.inf
        self._raised_seconds = -math.inf

    @property
    def per_second(self) -> float:
        """The rate in force; 0 means no limit."""
        return self._rate

    def wait_seconds(self, now_seconds: float) -> float:
        """Return how long until the next request may go; 0 when it may go at once."""
        if not self._limit:
            return 0.0
        self._refill(now_seconds)
        if self._permits < 1.0 - ROUNDING:
            self._wanted = max(1.0, self._rate * self._portion_seconds)
        missing = self._wanted - self._permits
        if missing > ROUNDING:
            return missing / self._rate
        self._wanted = 1.0
        return 0.0

    def take(self, now_seconds: float) -> None:
        """Use one permit."""
        if self._limit:
            self._refill(now_seconds)
            self._permits -= 1.0

    def throttled(self, now_seconds: float) -> None:
        """Halve the rate, at most once a second: answers that were on their way say the same thing again."""
        if self._limit and now_seconds - self._halved_seconds >= 1.0:
            self._rate = max(MIN_REQUESTS_PER_SECOND, self._rate / 2)
            self._halved_seconds = self._raised_seconds = now_seconds
        self._refill(now_seconds)
        self._permits = min(self._permits, 0.0)

    def succeeded(self, now_seconds: float) -> None:
        """Recover a little, at most once a second."""
        if self._rate < self._limit and now_seconds - self._raised_seconds >= 1.0:
            self._rate = min(self._limit, self._rate + self._limit / 50)
            self._raised_seconds = now_seconds

    def grant(self, now_seconds: float) -> None:
        """Allow one request at once, and from now on none waits for a portion: the last attempt is not put off."""
        self._refill(now_seconds)
        self._permits = max(self._permits, 1.0)
        self._wanted = 1.0
        self._portion_seconds = 0.0

    def _refill(self, now_seconds: float) -> None:
        elapsed = max(0.0, now_seconds - self._refilled_seconds)
        self._permits = min(max(1.0, self._rate), self._permits + elapsed * self._rate)
        self._refilled_seconds = now_seconds
