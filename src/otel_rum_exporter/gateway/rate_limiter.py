"""Rate limits per key, such as a client address or an app monitor."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict

from .client import MAX_CLIENTS
from .error_response import Reason, RequestError


class TokenBucket:
    """Tokens that refill at a rate, up to those of one second. Not thread-safe."""

    __slots__ = ("_per_second", "_refilled_seconds", "_tokens")

    def __init__(self, per_second: int, now_seconds: float) -> None:
        self._per_second = per_second
        self._tokens = float(per_second)
        self._refilled_seconds = now_seconds

    def take(self, tokens: int, now_seconds: float) -> float:
        """Take tokens and return 0. If there are too few, take none and return the seconds until there are enough.

        A full bucket gives more tokens than it has, and the next calls wait for the difference. Otherwise a request
        larger than the bucket would never be accepted.
        """
        elapsed = max(0.0, now_seconds - self._refilled_seconds)
        self._tokens = min(self._per_second, self._tokens + elapsed * self._per_second)
        self._refilled_seconds = now_seconds
        missing = min(tokens, self._per_second) - self._tokens
        if missing > 0:
            return missing / self._per_second
        self._tokens -= tokens
        return 0.0


class RateLimiter:
    """One token bucket for each key. A rate of 0 means no limit. Thread-safe."""

    def __init__(self, per_second: int, unit: str) -> None:
        self._per_second = per_second
        self._unit = unit
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, key: str, tokens: int, now_seconds: float) -> None:
        """Take tokens from the bucket of a key.

        Raises:
            RequestError: if it has too few.
        """
        if not self._per_second:
            return
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is None:
                bucket = self._buckets[key] = TokenBucket(self._per_second, now_seconds)
                if len(self._buckets) > MAX_CLIENTS:
                    self._buckets.popitem(last=False)
            self._buckets.move_to_end(key)
            wait_seconds = bucket.take(tokens, now_seconds)
        if wait_seconds:
            message = f"more than {self._per_second} {self._unit} a second"
            raise RequestError(Reason.THROTTLED, message, math.ceil(wait_seconds))
