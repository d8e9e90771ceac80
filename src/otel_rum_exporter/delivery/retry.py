"""What becomes of a shipment when its answer is there: delivered, kept for later, halved, or given up and counted.

Under the lock of the delivery, whose part this is.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence

from .._log import RateLimitedLog
from ..ledger import DropReason, Ledger
from ..rum.errors import Disposition, Outcome
from .queue import Outbox, Shipment
from .rate_limiter import RequestRate
from .storage import Parcel, Store

WAIT_VERDICT_SECONDS = 60.0
MAX_BACKOFF_SECONDS = 4.0
"""Short, so that delivery resumes within five seconds of recovery; one request in that time burdens nobody."""

BACKOFF_SECONDS = 0.2
MAX_RETRY_AFTER_SECONDS = 600.0

MAX_REFUSED_IN_A_ROW = 20
"""When RUM has refused so many single events of an app monitor and taken none, the fault is not theirs; they stay."""


def backoff_seconds(failures: int, fraction: float) -> float:
    """Return the wait after the given number of failures in a row: exponential, with full jitter.

    `fraction` is a random number of 0 to 1.
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    ceiling: float = min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2.0 ** min(failures, 10))
    return ceiling * fraction


class Settlement:
    """Draw the consequences of answers. Not thread-safe: its owner calls it under a lock.

    `progress_seconds` is when RUM last settled something, on the clock of `settle`; `failures_in_a_row` counts the
    requests that failed since it last took one.
    """

    def __init__(self, *, outbox: Outbox, store: Store, rate: RequestRate, ledger: Ledger, log: RateLimitedLog) -> None:
        self._outbox = outbox
        self._store = store
        self._rate = rate
        self._ledger = ledger
        self._log = log
        self._failures: Counter[str] = Counter()
        self._refused_in_a_row: Counter[str] = Counter()
        self._last_failure: Outcome | None = None
        self.failures_in_a_row = 0
        self.progress_seconds = 0.0

    def settle(self, shipment: Shipment, outcome: Outcome, now: float) -> None:
        """Take note of an answer; the shipment is out of the outbox, and comes back where it is not settled."""
        if not shipment.parcels:
            return  # a disk has lost all of it, which says nothing of RUM
        monitor = shipment.key.app_monitor.id
        if outcome.disposition is Disposition.DELIVERED:
            self.progress_seconds = now
            self.failures_in_a_row = 0
            self._last_failure = None
            del self._failures[monitor], self._refused_in_a_row[monitor]
            self._rate.succeeded(now)
            self._ledger.deliver(parcel.tally for parcel in shipment.parcels)
        elif outcome.disposition is Disposition.SPLIT and shipment.count > 1:
            self.progress_seconds = now
            self._outbox.put_first(*map(Shipment.of, shipment.parcels))
        elif outcome.disposition is Disposition.SPLIT and self._refused_in_a_row[monitor] < MAX_REFUSED_IN_A_ROW:
            self.progress_seconds = now
            self._refused_in_a_row[monitor] += 1
            self.give_up(DropReason.REFUSED, shipment.parcels, f"please report this: {outcome.cause}")
        else:
            self._keep(shipment, outcome, now)

    def give_up(self, reason: DropReason, parcels: Sequence[Parcel], advice: str) -> None:
        """Count parcels that are out of the outbox as dropped, and forget them. Thread-safe."""
        if parcels:
            self._store.remove(parcels)
            self.drop(reason, parcels, advice)

    def drop(self, reason: DropReason, parcels: Iterable[Parcel], advice: str) -> None:
        """Count parcels as dropped. Thread-safe."""
        tallies = [parcel.tally for parcel in parcels]
        if tallies:
            self._ledger.drop(reason, tallies)
            self._log.add_loss(reason, sum(tally.events for tally in tallies), advice)

    @property
    def last_advice(self) -> str:
        """What people can do about what was not delivered in time."""
        if self._last_failure is None:
            return "look why RUM did not answer in time, or raise timeout_millis"
        advice = self._last_failure.advice or "look why RUM was not reached"
        return f"{advice} (the last answer was {self._last_failure.cause})"

    def _keep(self, shipment: Shipment, outcome: Outcome, now: float) -> None:
        """Keep a shipment for later; when RUM asks for it, or others fail too, its app monitor pauses."""
        monitor = shipment.key.app_monitor.id
        shipment.attempts += 1
        self._failures[monitor] += 1
        self.failures_in_a_row += 1
        self._last_failure = outcome
        if outcome.disposition is Disposition.THROTTLED:
            self._rate.throttled(now)
        fraction = random.random()  # noqa: S311 - jitter
        asked = min(outcome.retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS)
        if outcome.disposition in {Disposition.WAIT, Disposition.SPLIT}:
            asked = max(asked, WAIT_VERDICT_SECONDS)
        self._outbox.put_back(shipment, now + max(backoff_seconds(shipment.attempts, fraction), asked))
        if outcome.disposition is Disposition.THROTTLED or outcome.retry_after_seconds or self._failures[monitor] > 1:
            pause = max(backoff_seconds(self._failures[monitor], fraction), asked)
            self._outbox.pause(shipment.key, now + pause)
        self._log.add(
            f"undelivered {outcome.reason}",
            "a request was not taken (%s); %d events are kept%s, and sent again. To do: %s.",
            outcome.cause,
            self._outbox.events,
            "" if all(parcel.is_on_disk for parcel in shipment.parcels) else " while the process lives",
            outcome.advice or "nothing, unless it lasts",
        )
