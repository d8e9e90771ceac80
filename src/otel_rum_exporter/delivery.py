"""When a shipment goes out: at the rate RUM takes, again when it failed, and never later than somebody waits for.

A few threads send, as many as the latency needs. Who gave events waits for their delivery while the load is light and
RUM answers, and otherwise leaves them in the outbox. Where the interpreter refuses to start a thread, as at its exit,
the waiting caller sends instead.
"""

from __future__ import annotations

import itertools
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from .batch import Batch
from .conversion import Converted
from .events.rum_event import RumEvent
from .outbox import Outbox, Shipment
from .outcome import Outcome, Verdict
from .rate import RequestRate
from .store import Parcel, Store
from .telemetry import LOGGER, DropReason, Ledger, Notices

T = TypeVar("T")

PATIENCE_SECONDS = 2.0
"""How long an export waits at most: enough for quick retries, short of filling the SDK's queue."""

LIGHT_LOAD_EVENTS = 512
"""With more events than these stored an export does not wait at all: it would only hold up the next one."""

FAREWELL_SECONDS = 1.0
"""The least that shutdown gives a last attempt, also after a long outage."""

MAX_IN_FLIGHT = 8
"""Most requests at a time."""

UNLIMITED_REQUESTS_PER_SECOND = 250.0
"""The rate for which senders are added where the settings set none: more requests would be bound by this process."""

FULL_SHARE = 0.75
"""Of the bounds: the rest is for what is accepted from those who cannot come again, and for requests on their way."""

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


class Delivery:
    """Own the outbox and the threads that empty it. Thread-safe; bound to the process that made it."""

    def __init__(
        self,
        *,
        send: Callable[[Batch], Outcome],
        outbox: Outbox,
        store: Store,
        rate: RequestRate,
        ledger: Ledger,
        notices: Notices,
        max_memory_bytes: int,
        now_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._outbox = outbox
        self._store = store
        self._rate = rate
        self._ledger = ledger
        self._notices = notices
        self._max_memory_bytes = max_memory_bytes
        self._now_seconds = now_seconds
        self._lock = threading.RLock()
        self._work = threading.Condition(self._lock)
        self._settled = threading.Condition(self._lock)
        self._senders: list[threading.Thread] = []
        self._in_flight: set[Shipment] = set()
        self._held: dict[int, list[Parcel]] = {}
        self._latency_seconds = 0.0
        self._failures: Counter[str] = Counter()
        self._refused_in_a_row: Counter[str] = Counter()
        self._failures_in_a_row = 0
        self._last_failure: Outcome | None = None
        self._progress_seconds = 0.0
        self._is_closed = False
        self._calls: dict[str, tuple[float, Callable[[], None]]] = {}

    def start(self) -> None:
        """Start the first thread, ahead of the first events: an interpreter that is ending starts none."""
        with self._lock:
            self._start()

    def call_after(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        """Call a function once from a delivery thread; one of the same name that is still to come keeps its time."""
        with self._lock:
            self._calls.setdefault(name, (self._now_seconds() + seconds, call))
            self._work.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether what is accepted is no longer kept."""
        return self._is_closed

    @property
    def is_full(self) -> bool:
        """Whether it is time to refuse what a sender still has, before the oldest must leave for it."""
        with self._lock:
            return (
                self._outbox.memory_bytes > self._max_memory_bytes * FULL_SHARE
                or self._outbox.disk_bytes > self._store.disk_limit_bytes() * FULL_SHARE
            )

    def accept(self, converted: Converted, accepted_ns: int) -> None:
        """Store events, and what waits to become such; when this returns all are as safe as the store makes them."""
        with self._lock:
            parcels = self._outbox.pack(converted.events, accepted_ns)
        released = [parcel for handle in converted.settled for parcel in self._held.pop(handle, ())]
        held = {
            handle: [Parcel.of(key, items, accepted_ns) for key, items in events.items()]
            for handle, events in converted.held.items()
        }
        if not self._is_closed:
            self._store.replace(released, [*parcels, *itertools.chain.from_iterable(held.values())])
            self._held.update(held)
        self.take_over(parcels)

    def take_over(self, parcels: Sequence[Parcel]) -> None:
        """Deliver parcels that are stored already."""
        with self._lock:
            if self._is_closed:
                self._drop(DropReason.SHUTDOWN, _in_memory(parcels), "shut the exporter down after the last span")
                return
            if not self._stored_events:
                self._progress_seconds = self._now_seconds()
            self._outbox.add(parcels)
            evicted = self._outbox.evict(
                max_memory_bytes=self._max_memory_bytes, max_disk_bytes=self._store.disk_limit_bytes()
            )
            self._start()
            self._work.notify_all()
        self.give_up(DropReason.OUTBOX_FULL, _in_memory(evicted), "raise max_memory_bytes, or look why RUM takes none")
        self.give_up(DropReason.SPOOL_FULL, _on_disk(evicted), "raise spool_max_bytes, or look why RUM takes none")

    def expire(self, before_ns: int) -> None:
        """Give up what was accepted before a time, in nanoseconds since the epoch."""
        with self._lock:
            expired = self._outbox.expire(before_ns)
        self.give_up(DropReason.EXPIRED, expired, "raise spool_max_age_seconds, or look why RUM took none for so long")

    def give_up(self, reason: DropReason, parcels: Sequence[Parcel], advice: str) -> None:
        """Count parcels that were taken out of the outbox as dropped, and forget them."""
        if parcels:
            self._store.remove(parcels)
            self._drop(reason, parcels, advice)

    def wait(self, timeout_seconds: float) -> None:
        """Wait until nothing is stored, as long as the load is light and the rate allows more."""
        deadline = self._now_seconds() + min(timeout_seconds, PATIENCE_SECONDS)
        with self._lock:
            while 0 < self._stored_events <= LIGHT_LOAD_EVENTS:
                now = self._now_seconds()
                if self._rate.wait_seconds(now) > 0 or not self._advance(now, deadline):
                    break
        self._notices.write()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until nothing is stored; false when that cannot be in time."""
        deadline = self._now_seconds() + min(timeout_seconds, threading.TIMEOUT_MAX / 2)
        with self._lock:
            while self._stored_events and self._advance(self._now_seconds(), deadline):
                pass
            is_done = not self._stored_events
        self._notices.write()
        return is_done

    def farewell(self, timeout_seconds: float) -> None:
        """Try once more, at once, to deliver what is stored.

        The time since RUM last took something counts against `timeout_seconds`, so that a process does not wait
        once more for what it has waited for already.
        """
        with self._lock:
            now = self._now_seconds()
            self._outbox.hurry()
            self._rate.grant(now)
            self._work.notify_all()
            waited = now - self._progress_seconds if self._stored_events else 0.0
        self.flush(min(timeout_seconds, max(FAREWELL_SECONDS, timeout_seconds - waited)))

    def close(self, timeout_seconds: float) -> None:
        """Try a last time to deliver what is stored; count what is in memory alone as dropped."""
        if self._is_closed:
            return
        self.farewell(timeout_seconds)
        with self._lock:
            self._is_closed = True
            self._work.notify_all()
            left = [*self._outbox.parcels(), *(parcel for one in self._in_flight for parcel in one.parcels)]
            self._drop(DropReason.SHUTDOWN, _in_memory(left), self._last_advice())
        self._store.close()
        self._notices.write()

    @property
    def requests_per_second(self) -> float:
        """The rate in force; 0 means no limit."""
        return self._rate.per_second

    @property
    def oldest_ns(self) -> int | None:
        """When the oldest event that waits was accepted, since the epoch."""
        with self._lock:
            return self._outbox.oldest_ns()

    @property
    def stored_bytes(self) -> int:
        """About what the events that wait weigh, in memory and on disk."""
        return self._outbox.memory_bytes + self._outbox.disk_bytes

    @property
    def _stored_events(self) -> int:
        return self._outbox.events + sum(shipment.count for shipment in self._in_flight)

    def _advance(self, now: float, limit: float) -> bool:
        """Wait for, or make, one step towards an empty outbox; false when none will be made before `limit`."""
        if now >= limit or (self._go_at(now) >= limit and not self._in_flight):
            return False
        if any(thread.is_alive() for thread in self._senders):
            self._settled.wait(limit - now)
        else:
            self._step(limit)
        return True

    def _start(self) -> None:
        """Start a thread where none is alive, or all are busy and one more request may be on its way."""
        self._senders = [thread for thread in self._senders if thread.is_alive()]
        if self._is_closed or len(self._senders) >= min(len(self._in_flight) + 1, self._most_in_flight()):
            return
        name = f"otel-rum-delivery-{len(self._senders)}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return
        self._senders.append(thread)

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._is_closed:
                    return
                self._step(math.inf)
            self._notices.write()

    def _step(self, limit_seconds: float) -> None:
        """Send the next shipment, or wait for the moment when one may go, at the latest until `limit_seconds`."""
        now = self._now_seconds()
        due = next((name for name, (at, _) in self._calls.items() if at <= now), None)
        if due is not None:
            self._outside_lock(self._calls.pop(due)[1])
        elif self._go_at(now) > now:
            until = min(limit_seconds, self._go_at(now), *(at for at, _ in self._calls.values()))
            self._work.wait(None if until == math.inf else min(max(0.0, until - now), threading.TIMEOUT_MAX))
        else:
            self._rate.take(now)
            self._ship(self._outbox.take(now))

    def _go_at(self, now: float) -> float:
        """Return when the next shipment may go out; infinity when there is none, or enough are on their way."""
        if len(self._in_flight) >= self._most_in_flight():
            return math.inf
        return max(self._outbox.ready_at(), now + self._rate.wait_seconds(now))

    def _most_in_flight(self) -> int:
        """Return how many requests the rate keeps on their way at the latency seen; one while they fail.

        Little's law: https://en.wikipedia.org/wiki/Little%27s_law
        """
        if self._failures_in_a_row:
            return 1
        rate = self._rate.per_second or UNLIMITED_REQUESTS_PER_SECOND
        return max(1, min(MAX_IN_FLIGHT, math.ceil(rate * self._latency_seconds)))

    def _ship(self, shipment: Shipment) -> None:
        self._in_flight.add(shipment)
        if self._outbox.events:
            self._start()
        outcome = None
        try:
            outcome = self._outside_lock(lambda: self._sent(shipment))
        finally:
            # Also where Ctrl-C or an exit came out of sending: the shipment stays, and so does delivery.
            self._in_flight.discard(shipment)
            self._settle(shipment, outcome or Outcome(Verdict.RETRY, "internal error"))
            self._settled.notify_all()
            self._work.notify_all()

    def _sent(self, shipment: Shipment) -> Outcome:
        """Send a shipment; it is forgotten when RUM has taken it."""
        events = self._events(shipment)
        if not events:
            return Outcome(Verdict.DELIVERED)
        begun = self._now_seconds()
        outcome = self._send(Batch(shipment.key, events))
        taken_seconds = self._now_seconds() - begun
        self._ledger.request(taken_seconds, outcome.reason)
        if outcome.verdict is Verdict.DELIVERED:
            self._latency_seconds += (taken_seconds - self._latency_seconds) / 5
            self._store.remove(shipment.parcels)
        elif outcome.verdict is Verdict.SPLIT and len(events) > 1:
            self._split(shipment, events)
        elif outcome.verdict is Verdict.SPLIT:
            return replace(outcome, message=f"{outcome.message} (event {events[0].id} of type {events[0].type})")
        return outcome

    def _events(self, shipment: Shipment) -> tuple[RumEvent, ...]:
        """Return the events of a shipment; parcels whose events are lost leave it, and are counted."""
        found = [(parcel, self._store.events(parcel)) for parcel in shipment.parcels]
        lost = [parcel for parcel, events in found if events is None]
        if lost:
            shipment.parcels = [parcel for parcel, events in found if events is not None]
            shipment.count = sum(parcel.count for parcel in shipment.parcels)
            self.give_up(DropReason.DAMAGED, lost, "look at the disk of spool_directory")
        return tuple(event for _, events in found for event in events or ())

    def _split(self, shipment: Shipment, events: tuple[RumEvent, ...]) -> None:
        """Put the halves of a shipment first, to find the event for which it was refused."""
        accepted_ns, middle = shipment.accepted_ns, len(events) // 2
        halves = [Parcel.of(shipment.key, half, accepted_ns) for half in (events[:middle], events[middle:])]
        self._store.replace(shipment.parcels, halves)
        with self._lock:
            shipment.parcels, shipment.count = [], 0
            self._outbox.put_first(*map(Shipment.of, halves))

    def _outside_lock(self, call: Callable[[], T]) -> T | None:
        """Call without the lock; what it raises must not end the thread, and is logged."""
        self._lock.release()
        try:
            return call()
        except Exception:  # noqa: BLE001 - see above
            LOGGER.exception("CloudWatch RUM: please report this; delivery goes on")
            return None
        finally:
            self._lock.acquire()

    def _settle(self, shipment: Shipment, outcome: Outcome) -> None:
        monitor, now = shipment.key.app_monitor.id, self._now_seconds()
        if outcome.verdict is Verdict.DELIVERED:
            self._progress_seconds = now
            self._failures_in_a_row = 0
            self._last_failure = None
            del self._failures[monitor], self._refused_in_a_row[monitor]
            self._rate.succeeded(now)
            if not self._is_closed or not _in_memory(shipment.parcels):
                self._ledger.deliver(parcel.tally for parcel in shipment.parcels)
        elif self._is_closed:
            return
        elif not shipment.parcels:
            self._progress_seconds = now
        elif outcome.verdict is Verdict.SPLIT and self._refused_in_a_row[monitor] < MAX_REFUSED_IN_A_ROW:
            self._progress_seconds = now
            self._refused_in_a_row[monitor] += 1
            self.give_up(DropReason.REFUSED, shipment.parcels, f"please report this: {outcome.cause}")
        else:
            self._keep(shipment, outcome, now)

    def _keep(self, shipment: Shipment, outcome: Outcome, now: float) -> None:
        """Keep a shipment for later; when RUM asks for it, or others fail too, its app monitor pauses."""
        monitor = shipment.key.app_monitor.id
        shipment.attempts += 1
        self._failures[monitor] += 1
        self._failures_in_a_row += 1
        self._last_failure = outcome
        if outcome.verdict is Verdict.THROTTLED:
            self._rate.throttled(now)
        fraction = random.random()  # noqa: S311 - jitter
        asked = min(outcome.retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS)
        if outcome.verdict in {Verdict.WAIT, Verdict.SPLIT}:
            asked = max(asked, WAIT_VERDICT_SECONDS)
        self._outbox.put_back(shipment, now + max(backoff_seconds(shipment.attempts, fraction), asked))
        if outcome.verdict is Verdict.THROTTLED or outcome.retry_after_seconds or self._failures[monitor] > 1:
            pause = max(backoff_seconds(self._failures[monitor], fraction), asked)
            self._outbox.pause(shipment.key, now + pause)
        self._notices.warn(
            f"undelivered {outcome.reason}",
            "a request was not taken (%s); %d events are kept%s, and sent again. To do: %s.",
            outcome.cause,
            self._stored_events,
            " while the process lives" if _in_memory(shipment.parcels) else "",
            outcome.advice or "nothing, unless it lasts",
        )

    def _last_advice(self) -> str:
        if self._last_failure is None:
            return "look why RUM did not answer in time, or raise timeout_millis"
        advice = self._last_failure.advice or "look why RUM was not reached"
        return f"{advice} (the last answer was {self._last_failure.cause})"

    def _drop(self, reason: DropReason, parcels: Iterable[Parcel], advice: str) -> None:
        tallies = [parcel.tally for parcel in parcels]
        if tallies:
            self._ledger.drop(reason, tallies)
            self._notices.warn_of_loss(reason, sum(tally.events for tally in tallies), advice)


def _in_memory(parcels: Iterable[Parcel]) -> list[Parcel]:
    return [parcel for parcel in parcels if parcel.place is None]


def _on_disk(parcels: Iterable[Parcel]) -> list[Parcel]:
    return [parcel for parcel in parcels if parcel.place is not None]
