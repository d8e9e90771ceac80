"""The budget of events: which share of the new sessions is sent, from counts and times that are passed in.

Above the budget of the settings, or above what RUM takes, whole sessions are left out, instead of events at random.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ..delivery.backlog import Backlog

MEMORY_SECONDS = 30.0
"""The load is an average in which an event counts for about this long: shorter bursts pass."""

RISE_PER_SECOND = 0.0223
"""The rate rises by at most a quarter in ten seconds, so that the end of a burst starts no new one."""

MIN_CATCH_UP = 0.2
MAX_CATCH_UP = 1.1
"""The accepted difference from the rate that the load allows, while more or fewer events are sent than the budget."""

CORRECTION_SECONDS = 300.0
MIN_CORRECTION, MAX_CORRECTION = 0.8, 1.25
"""The speed and the limit at which a lasting difference between the events sent and the budget is corrected."""

MAX_ELAPSED_SECONDS = 600.0
"""A longer silence counts as this one."""

MIN_LOAD = 1e-6
"""Fewer events or records say nothing about the load."""

MIN_RATE = 1e-6
"""The rate never reaches 0, or no session would be left to measure."""

SAMPLE_SECONDS = 10.0
FILLING_SECONDS = 60.0
"""If the queue fills for this long, RUM takes fewer events than arrive."""

BACKLOG_SECONDS = 10.0
"""A queue that is delivered in less time is no backlog."""

TAKEN_SHARE = 0.9
"""The part of what RUM takes that new events may use, so that the backlog is delivered, too."""

REGROWTH_PER_SECOND = 0.0056
"""The growth of the limit while nothing waits, to find what RUM takes: 5 % in ten seconds."""

MIN_PER_SECOND = 1.0
"""The limit if RUM throttles every request."""

LINE_SECONDS = 70.0
"""Log lines are written at least so far apart; the log itself passes one of a kind in a minute."""

FIRST_RATE = 0.9
NOTABLE_FACTOR = 2.0
"""A log line is written once the rate is below the first, and when it has changed by such a factor since."""


class Load(NamedTuple):
    """The counts since the last call.

    `records` and `events` are of sessions that are sent. `left_out` are records of sessions that the budget left out,
    and `errors` the events that are sent for those.
    """

    records: int
    events: int
    left_out: int = 0
    errors: int = 0


class SampleRate:
    """The share of new sessions that is sent, so that their events stay within a budget.

    It follows the load of all sessions, estimated from the records of those that are left out. Sessions under way go
    on, so it corrects itself by the events that are really sent. Not thread-safe.
    """

    def __init__(self, now_seconds: float) -> None:
        self.rate = 1.0
        self.events_per_second = 0.0
        self._counted_seconds = now_seconds
        self._correction = 1.0
        self._events = self._errors = self._sent_records = self._records = 0.0

    def count(self, load: Load, budget: float, now_seconds: float) -> None:
        """Count a load, and move the rate. A budget of infinity sends every session."""
        elapsed = min(max(0.0, now_seconds - self._counted_seconds), MAX_ELAPSED_SECONDS)
        self._counted_seconds = max(now_seconds, self._counted_seconds)
        kept = math.exp(-elapsed / MEMORY_SECONDS)
        self._events = self._events * kept + load.events
        self._errors = self._errors * kept + load.errors
        self._sent_records = self._sent_records * kept + load.records
        self._records = self._records * kept + load.records + load.left_out
        # The middle between before and after the load, or few large loads would count for too much.
        sent = (self._events - load.events / 2) / MEMORY_SECONDS
        errors = (self._errors - load.errors / 2) / MEMORY_SECONDS
        is_known = min(sent, self._sent_records) > MIN_LOAD
        self.events_per_second = sent * self._records / self._sent_records + errors if is_known else errors
        target = self._target(max(budget - errors, budget / 100, MIN_LOAD), sent, elapsed) if is_known else 1.0
        self.rate = max(MIN_RATE, min(1.0, target, self.rate * math.exp(elapsed * RISE_PER_SECOND)))

    def _target(self, budget: float, sent: float, elapsed: float) -> float:
        """Return the rate for a budget, while some events a second are sent."""
        if math.isinf(budget):
            return 1.0
        gain = math.exp(max(-1.0, 1 - sent / budget) * elapsed / CORRECTION_SECONDS)
        self._correction = max(MIN_CORRECTION, min(MAX_CORRECTION, self._correction * gain)) if self.rate < 1 else 1.0
        catch_up = max(MIN_CATCH_UP, min(MAX_CATCH_UP, budget / sent))
        return budget / sent * self._sent_records / self._records * catch_up * self._correction


class Capacity:
    """The events per second that RUM takes, as long as more arrive; infinity otherwise. Not thread-safe.

    An outage is no lack of capacity: the queue keeps its events for later.
    """

    def __init__(self, now_seconds: float) -> None:
        self.per_second = math.inf
        self._sampled_seconds = self._filling_since = now_seconds
        self._last_events = self._last_delivered = self._delivered_before = 0

    def is_due(self, now_seconds: float) -> bool:
        """Return whether it is time for `update`."""
        return now_seconds - self._sampled_seconds >= SAMPLE_SECONDS

    def update(self, backlog: Backlog, delivered: int, now_seconds: float) -> None:
        """Compare what waits and what was delivered with the last call, `SAMPLE_SECONDS` ago or more."""
        elapsed = max(SAMPLE_SECONDS, now_seconds - self._sampled_seconds)
        taken = (delivered - self._last_delivered) / elapsed
        is_outage = not (taken or backlog.is_throttled)
        is_filling = backlog.events > max(self._last_events, BACKLOG_SECONDS * taken)
        self._sampled_seconds, self._last_events, self._last_delivered = now_seconds, backlog.events, delivered
        if is_outage or not is_filling:
            self._filling_since, self._delivered_before = now_seconds, delivered
            if backlog.events <= taken:
                self.per_second *= math.exp(min(elapsed, MAX_ELAPSED_SECONDS) * REGROWTH_PER_SECOND)
        elif now_seconds - self._filling_since >= FILLING_SECONDS:
            taken = (delivered - self._delivered_before) / (now_seconds - self._filling_since)
            self.per_second = max(MIN_PER_SECOND, TAKEN_SHARE * taken)
            self._filling_since, self._delivered_before = now_seconds, delivered

    def end(self) -> None:
        """Forget the limit: what arrives is below it."""
        self.per_second = math.inf


class EventBudget:
    """The rate of new sessions for the budget of the settings and the capacity of RUM. Not thread-safe.

    `max_per_second` is the setting: None stands for RUM's capacity alone, 0 for no sampling.
    """

    def __init__(self, max_per_second: float | None, now_seconds: float) -> None:
        self.is_enabled = max_per_second != 0
        self.max_per_second = max_per_second or math.inf
        self.capacity = Capacity(now_seconds)
        self._sample_rate = SampleRate(now_seconds)
        self._line_rate = 1.0
        self._line_seconds = -math.inf

    @property
    def rate(self) -> float:
        """The share of new sessions that is sent."""
        return self._sample_rate.rate

    @property
    def events_per_second(self) -> float:
        """The number of events that all sessions together would have."""
        return self._sample_rate.events_per_second

    @property
    def per_second(self) -> float:
        """The limit that applies: the budget, or what RUM takes; infinity if there is none."""
        return min(self.max_per_second, self.capacity.per_second)

    @property
    def is_of_rum(self) -> bool:
        """Whether RUM takes fewer events than the settings allow."""
        return self.capacity.per_second < self.max_per_second

    def count(self, load: Load, now_seconds: float) -> float:
        """Count a load, and return the rate for sessions that start from now on."""
        if not self.is_enabled:
            return 1.0
        self._sample_rate.count(load, self.per_second, now_seconds)
        if self.is_of_rum and self.events_per_second < TAKEN_SHARE * self.capacity.per_second:
            self.capacity.end()
        return self.rate

    def is_notable(self, now_seconds: float) -> bool:
        """Return whether the rate has changed so much since this was last true that a log line says so."""
        before, rate = self._line_rate, self.rate
        is_first, is_last = before == 1 and rate < FIRST_RATE, rate == 1 and before < 1
        is_far = before < 1 and not 1 / NOTABLE_FACTOR < rate / before < NOTABLE_FACTOR
        if not (is_first or is_last or is_far) or now_seconds - self._line_seconds < LINE_SECONDS:
            return False
        self._line_rate, self._line_seconds = rate, now_seconds
        return True
