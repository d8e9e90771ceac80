"""Rate limits per key, such as a client address or an app monitor."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping

from ..delivery.rate_limiter import TokenBucket
from .client import MAX_CLIENTS
from .error_response import Reason, RequestError


class RateLimits:
    """One token bucket for each key. A rate of 0 means no limit. Thread-safe."""

    def __init__(self, per_second: int, unit: str) -> None:
        self._per_second = per_second
        self._unit = unit
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, key: str, tokens: int, now_seconds: float) -> None:
        """Take tokens from the bucket of a key; see `take_all`."""
        self.take_all({key: tokens}, now_seconds)

    def take_all(self, tokens: Mapping[str, int], now_seconds: float) -> None:
        """Take tokens from the buckets of keys, from all or from none.

        Raises:
            RequestError: if one has too few.
        """
        if not self._per_second:
            return
        with self._lock:
            buckets = [(self._bucket(key, now_seconds), count) for key, count in tokens.items()]
            wait_seconds = max((bucket.wait_seconds(count, now_seconds) for bucket, count in buckets), default=0.0)
            if not wait_seconds:
                for bucket, count in buckets:
                    bucket.take(count, now_seconds)
        if wait_seconds:
            message = f"more than {self._per_second} {self._unit} a second"
            raise RequestError(Reason.THROTTLED, message, math.ceil(wait_seconds))

    def charge(self, key: str, tokens: int, now_seconds: float) -> None:
        """Take tokens for work that is done, also more than the bucket holds. The next request waits for them."""
        if self._per_second:
            with self._lock:
                self._bucket(key, now_seconds).take(tokens, now_seconds)

    def _bucket(self, key: str, now_seconds: float) -> TokenBucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._per_second, now_seconds)
            if len(self._buckets) > MAX_CLIENTS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket
