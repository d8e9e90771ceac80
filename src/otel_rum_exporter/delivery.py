"""When a batch goes out: at the rate RUM takes, again when it failed, and never later than somebody waits for.

One thread sends. `wait` is for those who gave events: as long as RUM answers, they wait until their events
are delivered; when it does not, they leave them in the outbox and go on. Where the interpreter refuses to
start a thread, as at its exit, the waiting caller sends instead.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from .batch import Batch, BatchKey
from .events.rum_event import RumEvent
from .outbox import MemoryOutbox
from .rate import RequestRate
from .telemetry import DropReason, Ledger, Notices
from .transport import Outcome, Verdict

T = TypeVar("T")

PATIENCE_SECONDS = 2.0
"""How long without progress an export waits: enough for quick retries, short of filling the SDK's queue."""

FAREWELL_SECONDS = 1.0
"""The least that shutdown gives a last attempt, also after a long outage."""

WAIT_VERDICT_SECONDS = 60.0
MAX_BACKOFF_SECONDS = 30.0
BACKOFF_SECONDS = 0.2


def backoff_seconds(failures: int, fraction: float) -> float:
    """Return the wait after the given number of failures in a row: exponential, with full jitter.

    `fraction` is a random number of 0 to 1.
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    ceiling: float = min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2.0 ** min(failures, 10))
    return ceiling * fraction


class Delivery:
    """Own the outbox and the thread that empties it. Thread-safe; bound to the process that made it."""

    def __init__(
        self,
        *,
        send: Callable[[Batch], Outcome],
        outbox: MemoryOutbox,
        rate: RequestRate,
        ledger: Ledger,
        notices: Notices,
        now_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._outbox = outbox
        self._rate = rate
        self._ledger = ledger
        self._notices = notices
        self._now_seconds = now_seconds
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._accepted = 0
        self._settled = 0
        self._failures = 0
        self._retry_at_seconds = 0.0
        self._progress_seconds = 0.0
        self._is_sending = False
        self._is_closed = False
        self._call_at_seconds = math.inf
        self._call: Callable[[], None] | None = None

    def start(self) -> None:
        """Start the thread, ahead of the first events: an interpreter that is ending starts none."""
        with self._changed:
            self._start()

    def call_after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call a function once from the delivery thread; a call that is still to come keeps its time."""
        with self._changed:
            if self._call is None:
                self._call, self._call_at_seconds = call, self._now_seconds() + seconds
                self._changed.notify_all()

    def accept(self, events: Mapping[BatchKey, Sequence[RumEvent]]) -> int:
        """Put events into the outbox, and return the ticket to `wait` for."""
        count = sum(map(len, events.values()))
        with self._changed:
            if self._accepted == self._settled:
                self._progress_seconds = self._now_seconds()
            self._accepted += count
            if self._is_closed:
                self._drop(DropReason.SHUTDOWN, count, "shut the exporter down after the last span")
                return self._accepted
            for key, items in events.items():
                self._outbox.add(key, items)
            overflow = sum(len(batch.events) for batch in self._outbox.overflow())
            if overflow:
                self._drop(DropReason.OUTBOX_FULL, overflow, "raise max_memory_bytes, or look why RUM takes no events")
            self._start()
            self._changed.notify_all()
            return self._accepted

    def wait(self, ticket: int, timeout_seconds: float) -> None:
        """Wait until everything up to a ticket is settled, as long as there is progress and the rate allows more."""
        deadline = self._now_seconds() + timeout_seconds
        with self._changed:
            while self._settled < ticket:
                now = self._now_seconds()
                limit = min(deadline, self._progress_seconds + PATIENCE_SECONDS)
                if self._rate.wait_seconds(now) > 0 or not self._advance(now, limit):
                    return

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything accepted so far is settled; false when it cannot be in time."""
        deadline = self._now_seconds() + timeout_seconds
        with self._changed:
            ticket = self._accepted
            while self._settled < ticket:
                if not self._advance(self._now_seconds(), deadline):
                    return False
            return True

    def close(self, timeout_seconds: float) -> None:
        """Try a last time to deliver what is stored, then count the rest as dropped.

        The time since RUM last took something counts against `timeout_seconds`, so that a process does not wait
        once more for what it has waited for already.
        """
        with self._changed:
            if self._is_closed:
                return
            self._retry_at_seconds = 0.0
            self._changed.notify_all()
            waited = self._now_seconds() - self._progress_seconds
        self.flush(min(timeout_seconds, max(FAREWELL_SECONDS, timeout_seconds - waited)))
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            rest = self._accepted - self._settled
            if rest:
                self._drop(DropReason.SHUTDOWN, rest, "look why RUM was not reached, or raise timeout_millis")

    def _advance(self, now: float, limit: float) -> bool:
        """Wait for, or make, one step towards an empty outbox; false when none will be made before `limit`."""
        if now >= limit or (self._retry_at_seconds >= limit and not self._is_sending):
            return False
        if self._thread is None:
            self._step(limit)
        else:
            self._changed.wait(limit - now)
        return True

    def _start(self) -> None:
        if self._thread is not None or self._is_closed:
            return
        thread = threading.Thread(target=self._run, name="otel-rum-delivery", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return
        self._thread = thread

    def _run(self) -> None:
        with self._changed:
            while not self._is_closed:
                self._step(math.inf)

    def _step(self, limit_seconds: float) -> None:
        """Send the next batch, or wait for the moment when one may go, at the latest until `limit_seconds`."""
        now = self._now_seconds()
        if self._call is not None and now >= self._call_at_seconds:
            call, self._call, self._call_at_seconds = self._call, None, math.inf
            self._outside_lock(call)
            return
        go_at = math.inf
        if self._outbox and not self._is_sending:
            go_at = max(self._retry_at_seconds, now + self._rate.wait_seconds(now))
        if go_at > now:
            wake_at = min(go_at, limit_seconds, self._call_at_seconds)
            self._changed.wait(None if wake_at == math.inf else max(0.0, wake_at - now))
            return
        self._rate.take(now)
        batch = self._outbox.take()
        self._is_sending = True
        try:
            outcome = self._outside_lock(lambda: self._send(batch))
        finally:
            self._is_sending = False
        self._settle(batch, outcome)
        self._changed.notify_all()

    def _outside_lock(self, call: Callable[[], T]) -> T:
        self._changed.release()
        try:
            return call()
        finally:
            self._changed.acquire()

    def _settle(self, batch: Batch, outcome: Outcome) -> None:
        now, count = self._now_seconds(), len(batch.events)
        if self._is_closed:
            return
        if outcome.verdict is Verdict.DELIVERED:
            self._failures = 0
            self._progress_seconds = now
            self._rate.succeeded(now)
            self._settled += count
            self._ledger.deliver(count)
        elif outcome.verdict is Verdict.SPLIT:
            self._progress_seconds = now
            self._split(batch, outcome)
        else:
            self._keep(batch, outcome, now)

    def _split(self, batch: Batch, outcome: Outcome) -> None:
        if len(batch.events) > 1:
            self._outbox.put_back(*batch.halves())
            return
        (event,) = batch.events
        self._drop(
            DropReason.REFUSED,
            1,
            f"event {event.id} of type {event.type}: {outcome.reason} {outcome.message}; please report this",
        )

    def _keep(self, batch: Batch, outcome: Outcome, now: float) -> None:
        self._outbox.put_back(batch)
        self._failures += 1
        if outcome.verdict is Verdict.THROTTLED:
            self._rate.throttled(now)
        pause = backoff_seconds(self._failures, random.random())  # noqa: S311 - jitter
        if outcome.verdict is Verdict.WAIT:
            pause = WAIT_VERDICT_SECONDS
        if outcome.retry_after_seconds is not None:
            pause = min(outcome.retry_after_seconds, 10 * WAIT_VERDICT_SECONDS)
        self._retry_at_seconds = now + pause
        self._notices.warn(
            f"undelivered {outcome.reason}",
            "CloudWatch RUM did not take a request (%s: %s); %d events are kept and sent again.%s",
            outcome.reason,
            outcome.message,
            self._accepted - self._settled,
            f" To do: {outcome.advice}." if outcome.advice else "",
        )

    def _drop(self, reason: DropReason, count: int, advice: str) -> None:
        self._settled += count
        self._ledger.drop(reason, count)
        self._notices.warn_of_loss(reason, count, advice)
