"""The state of delivery: queue, batches in flight, rate limit, retries and timers.

It has no clock, threads or randomness: `worker` passes times and jitter in, and calls it with its lock held.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from .._log import RateLimitedLog
from ..ledger import DropReason, Ledger
from ..rum.errors import Disposition, Outcome
from .action import Call, Send, WaitUntil, next_action, next_send_seconds
from .app_monitor_queue import QueuedBatch
from .backlog import Backlog
from .in_flight import InFlight
from .queue import EventQueue
from .rate_limiter import RateLimiter
from .result import Result
from .retry import NO_FAILURES, Decision, RetryState, settle
from .storage import QueuedEvents, Store
from .storage import settle as settle_receipts
from .timers import Timers

FULL_SHARE = 0.75
"""Above this share of a limit the queue counts as full: the rest is for sources that cannot send again."""

OUTAGE_FAILURES = 2
"""After so many failed requests in a row an export does not wait, because delivery threads retry."""

MIN_FINAL_FLUSH_SECONDS = 1.0
"""The minimum time of the final flush after a long outage."""

UNREACHABLE_SHARE = 0.1
"""The share of the time that the final flush takes if the endpoint cannot be reached. Exporters divide the time."""

EXPIRY_ADVICE = {
    DropReason.EXPIRED: "raise spool_max_age_seconds, or check why RUM accepted no events for so long",
    DropReason.APP_MONITOR_REFUSED: "check id, region and permission of the app monitor, or send nothing to it",
}

Evicted = tuple[DropReason, str, Sequence[QueuedEvents]]
Expired = tuple[DropReason, Sequence[QueuedEvents]]


class DeliveryState:
    """The events that are queued and in flight, and the results of the last requests. Not thread-safe.

    `progress_seconds` is the monotonic time of the last request that did not fail, or of the first event in an empty
    queue. `failures_in_a_row` counts failed requests since then.
    """

    def __init__(
        self,
        *,
        queue: EventQueue,
        store: Store,
        rate_limiter: RateLimiter,
        ledger: Ledger,
        log: RateLimitedLog,
        max_memory_bytes: int,
    ) -> None:
        self.queue = queue
        self.rate_limiter = rate_limiter
        self.timers = Timers()
        self.in_flight = InFlight()
        self.failures_in_a_row = 0
        self.progress_seconds = 0.0
        self.is_closed = False
        self._store = store
        self._ledger = ledger
        self._log = log
        self._max_memory_bytes = max_memory_bytes
        self._retry_states: dict[str, RetryState] = {}
        self._last_failure: Outcome | None = None
        self._has_delivered = False
        self._early_deadline = self._late_deadline = math.inf

    @property
    def stored_events(self) -> int:
        """The number of events queued and in flight."""
        return self.queue.events + self.in_flight.events

    @property
    def has_room(self) -> bool:
        """Whether there is room for events of an app monitor, as far as RUM accepts those that are stored."""
        accepted = {name for name in self.queue.app_monitors() if not self.is_refused(name)}
        return not accepted or not self.is_full(accepted)

    @property
    def backlog(self) -> Backlog:
        """The events that wait, without those of app monitors that RUM refuses."""
        refused = {name for name in self._retry_states if self.is_refused(name)}
        return Backlog.of(self.queue, refused, self._last_failure)

    def is_refused(self, app_monitor_id: str) -> bool:
        """Return whether RUM accepts no events for an app monitor at present."""
        return self._retry_states.get(app_monitor_id, NO_FAILURES).is_refused

    def is_full(self, app_monitor_ids: Collection[str]) -> bool:
        """Return whether a source that can send again must wait, before older events are evicted for its app monitors.

        All of them use their share: one that RUM refuses, or that sends too much, leaves room for the others.
        """
        memory = self._max_memory_bytes * FULL_SHARE
        disk = self._store.disk_limit_bytes() * FULL_SHARE
        if self.queue.memory_bytes <= memory and self.queue.disk_bytes <= disk:
            return False
        return all(self.queue.is_above_share(name, memory, disk) for name in app_monitor_ids)

    def expire(self, before_ns: int, *, is_durable: bool) -> Sequence[Expired]:
        """Remove queued events that were accepted before a time. Return them by the reason of their loss.

        Without a spool only those expire whose app monitor is refused: the others have no limit of age.
        """
        names = self.queue.app_monitors()
        refused = {name for name in names if self.is_refused(name)}
        expired = [(DropReason.APP_MONITOR_REFUSED, self.queue.expire(before_ns, refused))]
        if is_durable:
            expired.append((DropReason.EXPIRED, self.queue.expire(before_ns, names - refused)))
        return expired

    @property
    def max_in_flight(self) -> int:
        """The maximum number of concurrent requests: one while requests fail."""
        return 1 if self.failures_in_a_row else self.in_flight.limit(self.rate_limiter.per_second)

    @property
    def has_free_slot(self) -> bool:
        """Whether one more request may be in flight."""
        return len(self.in_flight.batches) < self.max_in_flight

    def is_outage(self, patience_seconds: float, now: float) -> bool:
        """Return whether an export must not wait: requests fail in a row, or take longer than the export would wait."""
        return self.failures_in_a_row >= OUTAGE_FAILURES or self.in_flight.is_slower_than(patience_seconds, now)

    def next_action(self, now: float) -> Send | Call | WaitUntil:
        """Return what a thread does next."""
        return next_action(self.queue, self.rate_limiter, self.timers, now, has_free_slot=self.has_free_slot)

    def next_send_seconds(self, now: float) -> float:
        """Return the time of the next send; infinity if none is planned."""
        return next_send_seconds(self.queue, self.rate_limiter, now, has_free_slot=self.has_free_slot)

    def enqueue(self, queued: Sequence[QueuedEvents], now: float) -> list[Evicted]:
        """Queue stored events. Return the events evicted for them, which the caller drops without its lock."""
        settle_receipts(_on_disk(queued))
        if self.is_closed:
            self._count_dropped(DropReason.SHUTDOWN, _in_memory(queued), "shut the exporter down after the last span")
            return []
        if not self.stored_events:
            self.progress_seconds = now
        self.queue.add(queued, now)
        from_memory = self.queue.evict_from_memory(self._max_memory_bytes)
        from_disk = self.queue.evict_from_disk(self._store.disk_limit_bytes())
        return [
            (DropReason.QUEUE_FULL, "max_memory_bytes", from_memory),
            (DropReason.SPOOL_FULL, "spool_max_bytes", from_disk),
        ]

    def take(self, now: float) -> QueuedBatch:
        """Take the next batch, which is in flight until `apply`."""
        self.rate_limiter.take(now)
        batch = self.queue.take(now)
        self.in_flight.batches[batch] = now
        return batch

    def apply(self, batch: QueuedBatch, result: Result, now: float, jitter: float) -> None:
        """Apply the retry policy to the result of a batch in flight."""
        seconds = self.in_flight.end(batch, result.seconds if result.batch.parts else None)
        app_monitor_id = batch.key.app_monitor.id
        state = self._retry_states.get(app_monitor_id, NO_FAILURES)
        decision = settle(result, state, now, jitter)
        # `close` has counted the events in memory as dropped.
        delivered = _on_disk(decision.delivered) if self.is_closed else decision.delivered
        self._ledger.deliver([queued.tally for queued in delivered])
        settle_receipts(delivered)
        if self.is_closed:
            return
        self.drop(DropReason.DAMAGED, result.lost, "check the disk of spool_directory")
        if not result.batch.parts:
            return
        if decision.delivered:
            self._succeeded(app_monitor_id, seconds, now)
            return
        self._retry_states[app_monitor_id] = decision.state
        if decision.retry is not None:
            self._retry(decision.retry, decision, result.outcome, now)
            return
        self.progress_seconds = now
        self._pass_receipts_on(result)
        self.queue.put_first(decision.first)
        self.drop(DropReason.REFUSED, decision.rejected, f"please report this: {result.outcome.cause}")

    def drop(self, reason: DropReason, queued: Sequence[QueuedEvents], advice: str) -> None:
        """Remove events that are not queued from the store, and count them as dropped. Thread-safe."""
        if queued:
            self._store.remove(queued)
            self._count_dropped(reason, queued, advice)

    def persisted(self) -> None:
        """Count the queued events again, and settle the receipts of those that are on disk now."""
        self.queue.recount()
        settle_receipts(_on_disk(self._stored()))

    def prepare_final_flush(self, now: float, timeout_seconds: float) -> None:
        """Allow a request at once, and set the deadlines of the final flush."""
        self.queue.skip_backoff()
        self.rate_limiter.allow_one(now)
        waited = now - self.progress_seconds if self.stored_events else 0.0
        minimum = min(timeout_seconds, MIN_FINAL_FLUSH_SECONDS)
        self._early_deadline = now + min(minimum, timeout_seconds * UNREACHABLE_SHARE)
        self._late_deadline = now + max(minimum, timeout_seconds - waited)

    @property
    def final_flush_deadline(self) -> float:
        """The time when the final flush ends, at present."""
        return self._early_deadline if self.is_hopeless else self._late_deadline

    @property
    def is_hopeless(self) -> bool:
        """Whether more retries at exit are not worth their time.

        That is while RUM cannot be reached, if the next process delivers the events, or none ever reached RUM.
        """
        if self._last_failure is None or not self._last_failure.is_unreachable:
            return False
        return not self._has_delivered or not _in_memory(self._stored())

    def close(self) -> None:
        """Count the events that do not survive the process as dropped."""
        self.is_closed = True
        settle_receipts(_on_disk(self._stored()))
        self._count_dropped(DropReason.SHUTDOWN, _in_memory(self._stored()), self._last_advice)

    def _stored(self) -> list[QueuedEvents]:
        """Return the events queued and in flight."""
        return [*self.queue.queued(), *(queued for batch in self.in_flight.batches for queued in batch.parts)]

    @property
    def _last_advice(self) -> str:
        """The fix for events that were not delivered in time."""
        if self._last_failure is None:
            return "check why RUM did not respond in time, or raise timeout_millis"
        advice = self._last_failure.advice or "check why RUM was not reached"
        return f"{advice} (the last response was {self._last_failure.cause})"

    def _succeeded(self, app_monitor_id: str, seconds: float, now: float) -> None:
        self.progress_seconds = now
        self._retry_states.pop(app_monitor_id, None)
        self.failures_in_a_row = 0
        self._last_failure = None
        self.rate_limiter.succeeded(now)
        self.in_flight.measured(seconds)
        self._has_delivered = True

    def _pass_receipts_on(self, result: Result) -> None:
        """Hold the receipts of a split batch for its halves."""
        receipts = [receipt for queued in result.batch.parts for receipt in queued.receipts]
        for half in result.halves:
            for queued in half.parts:
                queued.hold(receipts)
        if result.halves:
            settle_receipts(result.batch.parts)

    def _retry(self, batch: QueuedBatch, decision: Decision, outcome: Outcome, now: float) -> None:
        self.failures_in_a_row += 1
        self._last_failure = outcome
        if outcome.disposition is Disposition.THROTTLED:
            self.rate_limiter.throttled(now)
        self.queue.put_back(batch, decision.retry_at)
        if decision.pause_until is not None:
            self.queue.pause(batch.key, decision.pause_until)
        self._log.add(
            f"undelivered {outcome.reason}",
            "PutRumEvents failed (%s); %d events queued%s, retrying. To fix: %s.",
            outcome.cause,
            self.queue.events,
            "" if not _in_memory(batch.parts) else " in memory only",
            outcome.advice or "nothing, unless it continues",
        )

    def _count_dropped(self, reason: DropReason, queued: Sequence[QueuedEvents], advice: str) -> None:
        if queued:
            settle_receipts(queued, reason)
            self._ledger.drop(reason, [one.tally for one in queued])
            self._log.add_loss(reason, sum(one.count for one in queued), advice)


def _on_disk(queued: Sequence[QueuedEvents]) -> list[QueuedEvents]:
    """Return the events that survive the process."""
    return [one for one in queued if one.is_on_disk]


def _in_memory(queued: Sequence[QueuedEvents]) -> list[QueuedEvents]:
    """Return the events that do not survive the process."""
    return [one for one in queued if not one.is_on_disk]
