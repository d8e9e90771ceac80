"""Token buckets, and the limiter of the request rate, which adapts to throttling. Pure: times are passed in.

The limiter uses additive increase and multiplicative decrease: the rate halves with each throttled second, and
recovers by a fiftieth of the quota with each successful second.
"""

from __future__ import annotations

import math

MIN_REQUESTS_PER_SECOND = 0.5
MIN_REFILL_SECONDS = 0.2
"""An empty bucket refills for this long before the next request: a thread wakes once for several requests."""

ROUNDING = 1e-9
"""A smaller shortage of tokens is an error of floating-point arithmetic."""


class TokenBucket:
    """A bucket of tokens that refills at a rate, and holds the tokens of one second, at least one.

    It is full at first. Not thread-safe.
    """

    __slots__ = ("_tokens", "_updated_seconds", "per_second")

    def __init__(self, per_second: float, now_seconds: float) -> None:
        self.per_second = per_second
        self._tokens = max(1.0, per_second)
        self._updated_seconds = now_seconds

    def available(self, now_seconds: float) -> float:
        """Return the number of tokens; negative after more tokens were taken than the bucket held."""
        elapsed = max(0.0, now_seconds - self._updated_seconds)
        return min(max(1.0, self.per_second), self._tokens + elapsed * self.per_second)

    def wait_seconds(self, tokens: float, now_seconds: float) -> float:
        """Return the time until a number of tokens is available. A full bucket is enough for any number."""
        missing = min(tokens, max(1.0, self.per_second)) - self.available(now_seconds)
        return missing / self.per_second if missing > ROUNDING else 0.0

    def take(self, tokens: float, now_seconds: float) -> float:
        """Take tokens, also more than are available. Return how many are left."""
        self._tokens = self.available(now_seconds) - tokens
        self._updated_seconds = now_seconds
        return self._tokens

    def set(self, tokens: float, now_seconds: float) -> None:
        """Set the number of tokens."""
        self._tokens = tokens
        self._updated_seconds = now_seconds


class RateLimiter:
    """Limits the rate of requests. `limit` is requests per second, and the burst; 0 means no limit.

    Not thread-safe.
    """

    def __init__(self, limit: int, now_seconds: float) -> None:
        self._limit = float(limit)
        self._bucket = TokenBucket(self._limit, now_seconds)
        self._is_empty = False
        self._min_refill_seconds = MIN_REFILL_SECONDS
        self._halved_seconds = -math.inf
        self._raised_seconds = -math.inf

    @property
    def per_second(self) -> float:
        """The current rate; 0 means no limit."""
        return self._bucket.per_second

    def set_limit(self, limit: float, now_seconds: float) -> None:
        """Change the limit. A rate that throttling has reduced stays at its fraction, not below the minimum."""
        tokens = self._bucket.available(now_seconds) if self._limit else max(1.0, limit)
        rate = limit * (self.per_second / self._limit if self._limit else 1.0)
        self._bucket.per_second = min(limit, max(MIN_REQUESTS_PER_SECOND, rate))
        self._bucket.set(tokens, now_seconds)
        self._limit = limit

    def wait_seconds(self, now_seconds: float) -> float:
        """Return the time until the next request is allowed, 0 if it is allowed now."""
        if not self._limit:
            return 0.0
        minimum = max(1.0, self.per_second * self._min_refill_seconds) if self._is_empty else 1.0
        return self._bucket.wait_seconds(minimum, now_seconds)

    def take(self, now_seconds: float) -> None:
        """Count one request."""
        if self._limit:
            self._is_empty = self._bucket.take(1.0, now_seconds) < 1.0 - ROUNDING

    def throttled(self, now_seconds: float) -> None:
        """Halve the rate, at most once a second: concurrent requests are throttled together."""
        if not self._limit:
            return
        tokens = min(self._bucket.available(now_seconds), 0.0)
        if now_seconds - self._halved_seconds >= 1.0:
            self._bucket.per_second = max(MIN_REQUESTS_PER_SECOND, self.per_second / 2)
            self._halved_seconds = self._raised_seconds = now_seconds
        self._bucket.set(tokens, now_seconds)
        self._is_empty = True

    def succeeded(self, now_seconds: float) -> None:
        """Raise the rate towards the limit, at most once a second."""
        if self.per_second < self._limit and now_seconds - self._raised_seconds >= 1.0:
            self._bucket.set(self._bucket.available(now_seconds), now_seconds)
            self._bucket.per_second = min(self._limit, self.per_second + self._limit / 50)
            self._raised_seconds = now_seconds

    def allow_one(self, now_seconds: float) -> None:
        """Allow one request now, and end the minimum refill: the final flush must not wait for either."""
        self._bucket.set(max(self._bucket.available(now_seconds), 1.0), now_seconds)
        self._min_refill_seconds = 0.0
