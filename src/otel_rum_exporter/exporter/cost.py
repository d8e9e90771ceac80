"""The events of a pipeline by type, and the warning about what they will cost.

The projection needs a clock, which the mapping may not have. Not thread-safe: the pipeline calls it under its lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .._log import RateLimitedLog
from ..config import variable
from ..rum.event import EventMembers
from ..rum.price import price_in_words, usd

WINDOW_SECONDS = 3600.0
"""Each window is projected on its own, and a warning is logged once in a window."""

MIN_SECONDS = 300.0
"""A shorter time says nothing about a day: most programs begin with a burst."""

DAY_SECONDS = 86_400.0
MAX_NAMED_TYPES = 3


class Cost:
    """The events by type since the start and in the present window."""

    def __init__(self, log: RateLimitedLog, warning_usd_per_day: float, now_seconds: float) -> None:
        self.by_type: Counter[str] = Counter()
        self._log = log
        self._warning_usd_per_day = warning_usd_per_day
        self._window: Counter[str] = Counter()
        self._began_seconds = now_seconds
        self._is_logged = False

    def add(self, events: Iterable[EventMembers], now_seconds: float) -> None:
        """Count events, and log a warning if a day like this window costs too much."""
        counts = Counter([kind for kind, _, _, _ in events])
        self.by_type.update(counts)
        if not self._warning_usd_per_day:
            return
        if now_seconds - self._began_seconds > WINDOW_SECONDS:
            self._window, self._began_seconds, self._is_logged = Counter(), now_seconds, False
        self._window.update(counts)
        elapsed_seconds = now_seconds - self._began_seconds
        if self._is_logged or elapsed_seconds < MIN_SECONDS:
            return
        events_per_day = self._window.total() * DAY_SECONDS / elapsed_seconds
        if usd(events_per_day) > self._warning_usd_per_day:
            self._is_logged = True
            frequent = ", ".join(f"{kind} ({count})" for kind, count in self._window.most_common(MAX_NAMED_TYPES))
            self._log.add(
                "cost",
                "%d events in %d minutes; a day like this costs %s at list price. Most frequent: %s. To fix: set %s to "
                "send fewer sessions, or %s to leave spans out; otel-rum explain shows what each span becomes.",
                self._window.total(),
                elapsed_seconds // 60,
                price_in_words(events_per_day),
                frequent,
                variable("session_sample_rate"),
                variable("excluded_names"),
            )
