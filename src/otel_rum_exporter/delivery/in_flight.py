"""The batches whose requests are in flight, and how many may be."""

from __future__ import annotations

import math

from .app_monitor_queue import QueuedBatch

MAX_IN_FLIGHT = 8
"""The maximum number of concurrent requests."""

UNLIMITED_REQUESTS_PER_SECOND = 250.0
"""The rate assumed without a rate limit: one process cannot make more requests."""


class InFlight:
    """The batches in flight with the times of their requests, and the latency of requests. Not thread-safe."""

    def __init__(self) -> None:
        self.batches: dict[QueuedBatch, float] = {}
        self._latency_seconds = 0.0
        self._last_seconds = 0.0
        self._has_requested = False

    def end(self, batch: QueuedBatch, seconds: float | None) -> float:
        """Remove a batch after its request, and return the seconds that RUM took. `seconds` is None without a request.

        The first request imports boto3, so its duration says nothing about RUM: it counts as 0.
        """
        self.batches.pop(batch, None)
        self._last_seconds = seconds if seconds is not None and self._has_requested else 0.0
        self._has_requested = self._has_requested or seconds is not None
        return self._last_seconds

    def is_slower_than(self, seconds: float, now: float) -> bool:
        """Return whether the last request, or one that has no response yet, took longer than a number of seconds."""
        return self._last_seconds > seconds or any(now - start > seconds for start in self.batches.values())

    @property
    def events(self) -> int:
        """The number of events in flight."""
        return sum(batch.count for batch in self.batches)

    def limit(self, requests_per_second: float) -> int:
        """Return how many concurrent requests make use of a request rate; 0 means an unlimited rate.

        Little's law: https://en.wikipedia.org/wiki/Little%27s_law
        """
        rate = requests_per_second or UNLIMITED_REQUESTS_PER_SECOND
        return max(1, min(MAX_IN_FLIGHT, math.ceil(rate * self._latency_seconds)))

    def measured(self, seconds: float) -> None:
        """Update the latency after a successful request: at once if it was shorter, slowly if it was longer.

        In a busy process requests take longer because they wait for the interpreter. More threads make that worse.
        """
        if 0 < self._latency_seconds < seconds:
            seconds = self._latency_seconds + (seconds - self._latency_seconds) / 20
        self._latency_seconds = seconds
