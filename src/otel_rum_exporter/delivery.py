"""When a batch goes out: at the rate RUM takes, again when it failed, and never later than somebody waits for.

One thread sends. Who gave events waits for their delivery while the load is light and RUM answers, and otherwise
leaves them in the outbox. Where the interpreter refuses to start a thread, as at its exit, the waiting caller
sends instead.
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
from .telemetry import LOGGER, DropReason, Ledger, Notices
from .transport import Outcome, Verdict

T = TypeVar("T")

PATIENCE_SECONDS = 2.0
"""How long an export waits at most: enough for quick retries, short of filling the SDK's queue."""

LIGHT_LOAD_EVENTS = 512
"""With more events than these stored an export does not wait at all: it would only hold up the next one."""

FAREWELL_SECONDS = 1.0
"""The least that shutdown gives a last attempt, also after a long outage."""

WAIT_VERDICT_SECONDS = 60.0
MAX_BACKOFF_SECONDS = 30.0
BACKOFF_SECONDS = 0.2
MAX_RETRY_AFTER_SECONDS = 600.0

MAX_REFUSED_IN_A_ROW = 20
"""When RUM has refused so many single events and taken none, the fault is not theirs; they are kept."""


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
        self._unsettled = 0
        self._failures = 0
        self._refused_in_a_row = 0
        self._last_failure: Outcome | None = None
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

    @property
    def is_full(self) -> bool:
        """Whether the outbox has no room for telemetry that somebody else keeps for longer."""
        with self._changed:
            return self._outbox.is_full

    def accept(self, events: Mapping[BatchKey, Sequence[RumEvent]]) -> None:
        """Put events into the outbox."""
        count = sum(map(len, events.values()))
        with self._changed:
            if not self._unsettled:
                self._progress_seconds = self._now_seconds()
            self._unsettled += count
            if self._is_closed:
                self._drop(DropReason.SHUTDOWN, count, "shut the exporter down after the last span")
                return
            for key, items in events.items():
                self._outbox.add(key, items)
            overflow = sum(len(batch.events) for batch in self._outbox.overflow())
            if overflow:
                self._drop(DropReason.OUTBOX_FULL, overflow, "raise max_memory_bytes, or look why RUM takes no events")
            self._start()
            self._changed.notify_all()

    def wait(self, timeout_seconds: float) -> None:
        """Wait until nothing is stored, as long as the load is light and the rate allows more."""
        deadline = self._now_seconds() + min(timeout_seconds, PATIENCE_SECONDS)
        with self._changed:
            while 0 < self._unsettled <= LIGHT_LOAD_EVENTS:
                now = self._now_seconds()
                if self._rate.wait_seconds(now) > 0 or not self._advance(now, deadline):
                    break
        self._notices.write()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until nothing is stored; false when that cannot be in time."""
        deadline = self._now_seconds() + min(timeout_seconds, threading.TIMEOUT_MAX / 2)
        with self._changed:
            while self._unsettled and self._advance(self._now_seconds(), deadline):
                pass
            is_done = not self._unsettled
        self._notices.write()
        return is_done

    def farewell(self, timeout_seconds: float) -> None:
        """Try once more, at once, to deliver what is stored.

        The time since RUM last took something counts against `timeout_seconds`, so that a process does not wait
        once more for what it has waited for already.
        """
        with self._changed:
            now = self._now_seconds()
            self._retry_at_seconds = 0.0
            self._outbox.hurry()
            self._rate.grant(now)
            self._changed.notify_all()
            waited = now - self._progress_seconds if self._unsettled else 0.0
        self.flush(min(timeout_seconds, max(FAREWELL_SECONDS, timeout_seconds - waited)))

    def close(self, timeout_seconds: float) -> None:
        """Try a last time to deliver what is stored, then count the rest as dropped."""
        if self._is_closed:
            return
        self.farewell(timeout_seconds)
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            self._outbox.clear()
            if self._unsettled:
                self._drop(DropReason.SHUTDOWN, self._unsettled, self._last_advice())
        self._notices.write()

    def _advance(self, now: float, limit: float) -> bool:
        """Wait for, or make, one step towards an empty outbox; false when none will be made before `limit`."""
        if now >= limit or (self._go_at(now) >= limit and not self._is_sending):
            return False
        if self._thread is not None and self._thread.is_alive():
            self._changed.wait(limit - now)
        else:
            self._step(limit)
        return True

    def _start(self) -> None:
        if self._is_closed or (self._thread is not None and self._thread.is_alive()):
            return
        thread = threading.Thread(target=self._run, name="otel-rum-delivery", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return
        self._thread = thread

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._is_closed:
                    return
                self._step(math.inf)
            self._notices.write()

    def _step(self, limit_seconds: float) -> None:
        """Send the next batch, or wait for the moment when one may go, at the latest until `limit_seconds`."""
        now = self._now_seconds()
        if self._call is not None and now >= self._call_at_seconds:
            call, self._call, self._call_at_seconds = self._call, None, math.inf
            self._outside_lock(call)
            return
        go_at = self._go_at(now)
        if go_at > now:
            wake_at = min(go_at, limit_seconds, self._call_at_seconds)
            self._changed.wait(None if wake_at == math.inf else min(max(0.0, wake_at - now), threading.TIMEOUT_MAX))
            return
        self._rate.take(now)
        batch = self._outbox.take(now)
        self._is_sending = True
        outcome = None
        try:
            outcome = self._outside_lock(lambda: self._send(batch))
        finally:
            # Also where Ctrl-C or an exit came out of sending: the batch stays, and so does delivery.
            self._is_sending = False
            self._settle(batch, outcome or Outcome(Verdict.RETRY, "internal error"))
            self._changed.notify_all()

    def _go_at(self, now: float) -> float:
        """Return when the next batch may go out; infinity when there is none, or one is on its way."""
        if self._is_sending:
            return math.inf
        return max(self._retry_at_seconds, self._outbox.ready_at(), now + self._rate.wait_seconds(now))

    def _outside_lock(self, call: Callable[[], T]) -> T | None:
        """Call without the lock; what it raises must not end the thread, and is logged."""
        self._changed.release()
        try:
            return call()
        except Exception:  # noqa: BLE001 - see above
            LOGGER.exception("CloudWatch RUM: please report this; delivery goes on")
            return None
        finally:
            self._changed.acquire()

    def _settle(self, batch: Batch, outcome: Outcome) -> None:
        if self._is_closed:
            return
        now, count = self._now_seconds(), len(batch.events)
        if outcome.verdict is Verdict.DELIVERED:
            self._failures = self._refused_in_a_row = 0
            self._last_failure = None
            self._progress_seconds = now
            self._rate.succeeded(now)
            self._unsettled -= count
            self._ledger.deliver(count)
        elif outcome.verdict is Verdict.SPLIT and count > 1:
            self._progress_seconds = now
            self._outbox.put_first(*batch.halves())
        elif outcome.verdict is Verdict.SPLIT and self._refused_in_a_row < MAX_REFUSED_IN_A_ROW:
            self._progress_seconds = now
            self._refused_in_a_row += 1
            event = batch.events[0]
            self._drop(
                DropReason.REFUSED, 1, f"please report this: event {event.id} of type {event.type}, {outcome.cause}"
            )
        else:
            self._keep(batch, outcome, now)

    def _keep(self, batch: Batch, outcome: Outcome, now: float) -> None:
        """Keep a batch for later; when it is not alone in failing, wait before the next request of any."""
        self._failures += 1
        self._last_failure = outcome
        if outcome.verdict is Verdict.THROTTLED:
            self._rate.throttled(now)
        pause = backoff_seconds(self._failures, random.random())  # noqa: S311 - jitter
        if outcome.verdict in {Verdict.WAIT, Verdict.SPLIT}:
            pause = WAIT_VERDICT_SECONDS
        asked = min(outcome.retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS)
        self._outbox.put_back(batch, now + max(pause, asked))
        if outcome.verdict is Verdict.THROTTLED or self._failures > 1:
            self._retry_at_seconds = now + max(pause, asked)
        self._notices.warn(
            f"undelivered {outcome.reason}",
            "a request was not taken (%s); %d events are kept while the process lives, and sent again. To do: %s.",
            outcome.cause,
            self._unsettled,
            outcome.advice or "nothing, unless it lasts",
        )

    def _last_advice(self) -> str:
        if self._last_failure is None:
            return "look why RUM did not answer in time, or raise timeout_millis"
        advice = self._last_failure.advice or "look why RUM was not reached"
        return f"{advice} (the last answer was {self._last_failure.cause})"

    def _drop(self, reason: DropReason, count: int, advice: str) -> None:
        self._unsettled -= count
        self._ledger.drop(reason, count)
        self._notices.warn_of_loss(reason, count, advice)
