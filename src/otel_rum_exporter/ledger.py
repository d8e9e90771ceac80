"""The ledger: accepted = delivered + stored + dropped, counted in events, spans and log records."""

from __future__ import annotations

import enum
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

Record = Literal["span", "log", ""]
"""What an event stands for: the first event of a span or log record names its kind, every further one is empty."""


class DropReason(enum.Enum):
    """Why an event, or a span before it became one, did not reach RUM: the whole list."""

    NO_APP_MONITOR = "neither the configuration nor the resource names an app monitor"
    UNMAPPABLE = "a span or log record could not be read"
    TOO_LARGE = "the event exceeds RUM's 6 KB even after trimming"
    REFUSED = "RUM refused the event"
    QUEUE_FULL = "the queue reached max_memory_bytes; the oldest events were dropped"
    SPOOL_FULL = "the spool reached spool_max_bytes, and the oldest events left"
    EXPIRED = "RUM took none for longer than spool_max_age_seconds"
    DAMAGED = "a file of the spool was damaged, and they could not be read from it"
    SHUTDOWN = "the process ended before RUM could take the event"


class Tally(NamedTuple):
    """How many events, and how many spans and log records are told by them."""

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
        return cls(*map(sum, zip(cls(0), *tallies, strict=True)))


class Ledger:
    """Count events: accepted = delivered + still stored + dropped, always. Thread-safe.

    Accepted are also the events that the spool held already when this process took it over, `recovered`. `waiting`
    counts spans and log records that wait for their parents, and are no events yet. One that could become no event
    counts as one event, accepted and dropped; those that the mapping leaves out on purpose are counted apart, as
    filtered. `spans` and `log_records` count those whose fate is known, by the reason of their loss, None where
    there is none. `observe_request` is told of each request.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._of_accepted = Tally(0)
        self.delivered = 0
        self.recovered = 0
        self.filtered = 0
        self.waiting = 0
        self.dropped: Counter[DropReason] = Counter()
        self.spans: Counter[DropReason | None] = Counter()
        self.log_records: Counter[DropReason | None] = Counter()
        self.observe_request: Callable[[float, str], None] | None = None

    @property
    def accepted(self) -> int:
        """The events taken, from the SDK or from the spool."""
        return self._of_accepted.events

    def accept(self, tally: Tally) -> None:
        with self.lock:
            self._of_accepted = Tally.total((self._of_accepted, tally))

    def recover(self, tally: Tally) -> None:
        with self.lock:
            self._of_accepted = Tally.total((self._of_accepted, tally))
            self.recovered += tally.events

    def filter(self, record: Record) -> None:
        with self.lock:
            self.filtered += 1
            tally = Tally.of([record])._replace(events=0)
            self._of_accepted = Tally.total((self._of_accepted, tally))
            self._settle(None, [tally])

    def deliver(self, tallies: Iterable[Tally]) -> None:
        with self.lock:
            self.delivered += self._settle(None, tallies)

    def drop(self, reason: DropReason, tallies: Iterable[Tally]) -> None:
        with self.lock:
            self.dropped[reason] += self._settle(reason, tallies)

    def request(self, seconds: float, reason: str) -> None:
        """Note how long a request took, and why it failed; empty where it did not."""
        if self.observe_request is not None:
            self.observe_request(seconds, reason)

    @property
    def stored(self) -> int:
        """The events accepted whose fate is open."""
        with self.lock:
            return self.accepted - self.delivered - sum(self.dropped.values())

    @property
    def inflight(self) -> Tally:
        """The spans and log records accepted whose fate is open, and the events that tell them."""
        with self.lock:
            taken = self._of_accepted
            settled = self.delivered + sum(self.dropped.values())
            spans, log_records = (sum(settled.values()) for settled in (self.spans, self.log_records))
            return Tally(taken.events - settled, taken.spans - spans, taken.log_records - log_records)

    def __repr__(self) -> str:
        drops = {reason.name: count for reason, count in self.dropped.items()}
        return f"Ledger(accepted={self.accepted}, delivered={self.delivered}, stored={self.stored}, dropped={drops})"

    def _settle(self, reason: DropReason | None, tallies: Iterable[Tally]) -> int:
        total = Tally.total(tallies)
        self.spans[reason] += total.spans
        self.log_records[reason] += total.log_records
        return total.events
