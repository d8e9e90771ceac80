"""The quota of PutRumEvents: a number of requests per second, and the wait above it."""

from __future__ import annotations

import math


class Quota:
    """A token bucket of one second; a rate of None has no limit. One thread counts, any thread may set the rate."""

    def __init__(self, requests_per_second: float | None) -> None:
        self.requests_per_second = requests_per_second
        self._used = 0.0
        self._seen_seconds = 0.0

    def wait_seconds(self, now_seconds: float) -> int | None:
        """Count one request; return the whole seconds to wait when it exceeds the quota, else None."""
        rate = self.requests_per_second
        if rate is None:
            return None
        self._used = max(0.0, self._used - (now_seconds - self._seen_seconds) * rate)
        self._seen_seconds = now_seconds
        if rate <= 0:
            return 1
        if self._used + 1 > max(rate, 1):
            return math.ceil(1 / rate)
        self._used += 1
        return None
