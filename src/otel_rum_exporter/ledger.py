"""The ledger: accepted = delivered + stored + dropped, counted in events, spans and log records."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from ._locks import DeferringLock

Record = Literal["span", "log", ""]
"""The record of an event: the first event of a span or log record names its kind, every further one is empty."""


class DropReason(enum.Enum):
    """Why an event, or the span or log record that it would have been made from, did not reach RUM. Complete."""

    NO_APP_MONITOR = "neither the configuration nor the resource names an app monitor"
    UNMAPPABLE = "a span or log record could not be read"
    TOO_LARGE = "the event exceeds RUM's 6 KB even after trimming"
    REFUSED = "RUM refused the event"
    QUEUE_FULL = "the queue reached max_memory_bytes, and the oldest events were dropped"
    SPOOL_FULL = "the spool reached spool_max_bytes, and the oldest events were dropped"
    EXPIRED = "RUM accepted no events for longer than spool_max_age_seconds"
    APP_MONITOR_REFUSED = "RUM refused all events of an app monitor for longer than spool_max_age_seconds"
    DAMAGED = "a spool file was damaged, and the events could not be read from it"
    OVER_BUDGET = "more events arrived than the budget or RUM takes, and the session was not sampled"
    SHUTDOWN = "the process ended before RUM could accept the event"


def _no_counts() -> Mapping[Any, int]:
    return MappingProxyType(Counter())


@dataclass(frozen=True, kw_only=True, repr=False)
class LedgerSnapshot:
    """The counts of the exporter at one moment: accepted = delivered + stored + dropped.

    Attributes:
        accepted: Events made from spans and log records, and events recovered. A span or log record that could not
            become an event counts as one event, accepted and dropped.
        delivered: Events that RUM accepted.
        recovered: Accepted events that an earlier process had left in the spool.
        dropped: Lost events by reason; 0 for every other reason.
        filtered: Spans and log records that the mapping leaves out on purpose.
        pending: Spans and log records that wait for their parent span. They are not events yet.
        spans: Finished spans by the reason of their loss; None stands for spans that were delivered or filtered.
        log_records: Finished log records, counted as spans are.
    """

    accepted: int = 0
    delivered: int = 0
    recovered: int = 0
    dropped: Mapping[DropReason, int] = field(default_factory=_no_counts)
    filtered: int = 0
    pending: int = 0
    spans: Mapping[DropReason | None, int] = field(default_factory=_no_counts)
    log_records: Mapping[DropReason | None, int] = field(default_factory=_no_counts)

    @property
    def stored(self) -> int:
        """Accepted events that are neither delivered nor dropped yet."""
        return self.accepted - self.delivered - sum(self.dropped.values())

    def __repr__(self) -> str:
        drops = {reason.name: count for reason, count in self.dropped.items() if count}
        counts = f"accepted={self.accepted}, delivered={self.delivered}, stored={self.stored}, dropped={drops}"
        return f"{type(self).__name__}({counts})"


class Tally(NamedTuple):
    """A number of events, and of the spans and log records that they stand for."""

    events: int
    spans: int = 0
    log_records: int = 0

    @classmethod
    def of(cls, records: Iterable[Record]) -> Tally:
        """Return the tally of events by what they stand for."""
        found = list(records)
        return cls(len(found), found.count("span"), found.count("log"))

    @classmethod
    def total(cls, tallies: Iterable[Tally]) -> Tally:
        """Return the sum of tallies."""
        events = spans = log_records = 0
        for tally in tallies:
            events += tally.events
            spans += tally.spans
            log_records += tally.log_records
        return cls(events, spans, log_records)


class Ledger:
    """The counts of one pipeline, which change while telemetry passes through it. Thread-safe.

    The counts are those of `LedgerSnapshot`. `observe_request` is called with the duration of each request in seconds,
    and why it failed; an empty reason stands for success.
    """

    def __init__(self) -> None:
        self._lock = DeferringLock()
        self._of_accepted = Tally(0)
        self.delivered = 0
        self.recovered = 0
        self.filtered = 0
        self.pending = 0
        self.dropped: Counter[DropReason] = Counter()
        self.spans: Counter[DropReason | None] = Counter()
        self.log_records: Counter[DropReason | None] = Counter()
        self.observe_request: Callable[[float, str], None] | None = None

    @property
    def accepted(self) -> int:
        return self._of_accepted.events

    def accept(self, tally: Tally) -> None:
        with self._lock:
            self._of_accepted = Tally.total((self._of_accepted, tally))

    def recover(self, tally: Tally) -> None:
        with self._lock:
            self._of_accepted = Tally.total((self._of_accepted, tally))
            self.recovered += tally.events

    def filter(self, tally: Tally) -> None:
        """Count spans and log records, which become no events."""
        with self._lock:
            self.filtered += tally.spans + tally.log_records
            self._of_accepted = Tally.total((self._of_accepted, tally))
            self._finish(None, (tally,))

    def deliver(self, tallies: Iterable[Tally]) -> None:
        with self._lock:
            self.delivered += self._finish(None, tallies)

    def drop(self, reason: DropReason, tallies: Iterable[Tally]) -> None:
        with self._lock:
            self.dropped[reason] += self._finish(reason, tallies)

    def request(self, seconds: float, reason: str) -> None:
        """Record how long a request took, and why it failed; an empty reason stands for success."""
        if self.observe_request is not None:
            self.observe_request(seconds, reason)

    @property
    def stored(self) -> int:
        """Accepted events that are neither delivered nor dropped yet."""
        return self.in_flight.events

    @property
    def in_flight(self) -> Tally:
        """Accepted spans and log records that are neither delivered nor dropped yet, and their events."""
        with self._lock:
            accepted = self._of_accepted
            events = self.delivered + sum(self.dropped.values())
            spans, log_records = sum(self.spans.values()), sum(self.log_records.values())
            return Tally(accepted.events - events, accepted.spans - spans, accepted.log_records - log_records)

    def snapshot(self) -> LedgerSnapshot:
        """Return the counts of this moment; they add up."""
        with self._lock:
            return LedgerSnapshot(
                accepted=self.accepted,
                delivered=self.delivered,
                recovered=self.recovered,
                dropped=MappingProxyType(self.dropped.copy()),
                filtered=self.filtered,
                pending=self.pending,
                spans=MappingProxyType(self.spans.copy()),
                log_records=MappingProxyType(self.log_records.copy()),
            )

    def _finish(self, reason: DropReason | None, tallies: Iterable[Tally]) -> int:
        total = Tally.total(tallies)
        self.spans[reason] += total.spans
        self.log_records[reason] += total.log_records
        return total.events
