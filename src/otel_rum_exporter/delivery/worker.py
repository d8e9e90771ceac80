"""When a shipment goes out: at the rate RUM takes, again when it failed, and never later than somebody waits for.

A few threads send, as many as the latency needs. Who gave events waits for their delivery while the load is light and
RUM takes them, and otherwise leaves them in the outbox. Where the interpreter refuses to start a thread, as at its
exit, the waiting caller sends instead.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from .._locks import DeferringLock
from .._log import LOGGER, RateLimitedLog
from ..ledger import DropReason, Ledger
from ..rum.batch import Batch, Events
from ..rum.errors import Outcome, Verdict
from .idle_wait import Watch
from .queue import Outbox, Shipment
from .rate_limiter import RequestRate
from .retry import Settlement
from .sender import Courier
from .storage import Parcel, Store

T = TypeVar("T")

PATIENCE_SECONDS = 2.0
"""How long an export waits at most: enough for quick retries, short of filling the SDK's queue."""

LIGHT_LOAD_EVENTS = 512
"""With more events than these stored an export does not wait at all: it would only hold up the next one."""

OUTAGE_FAILURES = 2
"""With so many requests failed in a row an export does not wait either: delivery goes on without it."""

FAREWELL_SECONDS = 1.0
"""The least that shutdown gives a last attempt, also after a long outage."""

MAX_IN_FLIGHT = 8
"""Most requests at a time."""

UNLIMITED_REQUESTS_PER_SECOND = 250.0
"""The rate for which senders are added where the settings set none: more requests would be bound by this process."""

FULL_SHARE = 0.75
"""Of the bounds: the rest is for what is accepted from those who cannot come again, and for requests on their way."""


class Delivery:
    """Own the outbox and the threads that empty it. Thread-safe; bound to the process that made it.

    `between` is called between two steps, with no lock held.
    """

    def __init__(
        self,
        *,
        send: Callable[[Batch], Outcome],
        outbox: Outbox,
        store: Store,
        rate: RequestRate,
        ledger: Ledger,
        log: RateLimitedLog,
        max_memory_bytes: int,
        between: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._outbox = outbox
        self._store = store
        self._rate = rate
        self._between = between
        self._max_memory_bytes = max_memory_bytes
        self.lock = DeferringLock()
        self._watch = Watch(self.lock)
        self._settled = self.lock.condition()
        self._senders: list[threading.Thread] = []
        self._in_flight: set[Shipment] = set()
        self._held: dict[int, list[Parcel]] = {}
        self._settlement = Settlement(outbox=outbox, store=store, rate=rate, ledger=ledger, log=log)
        self._courier = Courier(send=send, store=store, ledger=ledger, give_up=self._give_up_lost)
        self._is_closed = False
        self._calls: dict[str, tuple[float, Callable[[], None]]] = {}

    def start(self) -> None:
        """Start the first thread, ahead of the first events: an interpreter that is ending starts none."""
        with self.lock:
            self._start()

    def call_after(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        """Call a function once from a delivery thread; one of the same name that is still to come keeps its time."""
        with self.lock:
            self._calls.setdefault(name, (time.monotonic() + seconds, call))
            self._watch.wake()

    @property
    def is_closed(self) -> bool:
        """Whether what is accepted is no longer kept."""
        return self._is_closed

    @property
    def is_full(self) -> bool:
        """Whether it is time to refuse what a sender still has, before the oldest must leave for it."""
        with self.lock:
            return (
                self._outbox.memory_bytes > self._max_memory_bytes * FULL_SHARE
                or self._outbox.disk_bytes > self._store.disk_limit_bytes() * FULL_SHARE
            )

    def accept(
        self,
        events: Events,
        accepted_ns: int,
        *,
        provisional: Mapping[int, Events] = MappingProxyType({}),
        resolved: Sequence[int] = (),
    ) -> None:
        """Store events; when this returns, they are as safe as the store makes them.

        `provisional` are events to store without delivering them, by a handle; `resolved` are the handles of earlier
        ones to remove in the same step, because their final events are among `events`.
        """
        with self.lock:
            parcels = self._outbox.pack(events, accepted_ns)
        released = [parcel for handle in resolved for parcel in self._held.pop(handle, ())]
        held = {
            handle: [Parcel.of(key, items, accepted_ns) for key, items in of_handle.items()]
            for handle, of_handle in provisional.items()
        }
        if not self._is_closed:
            self._store.replace(released, [*parcels, *itertools.chain.from_iterable(held.values())])
            self._held.update(held)
        self.take_over(parcels)

    def take_over(self, parcels: Sequence[Parcel]) -> None:
        """Deliver parcels that are stored already."""
        with self.lock:
            if self._is_closed:
                lost = [parcel for parcel in parcels if not parcel.is_on_disk]
                self._settlement.drop(DropReason.SHUTDOWN, lost, "shut the exporter down after the last span")
                return
            if not self._stored_events:
                self._settlement.progress_seconds = time.monotonic()
            self._outbox.add(parcels, time.monotonic())
            evicted = (
                (DropReason.QUEUE_FULL, "max_memory_bytes", self._outbox.evict_from_memory(self._max_memory_bytes)),
                (
                    DropReason.SPOOL_FULL,
                    "spool_max_bytes",
                    self._outbox.evict_from_disk(self._store.disk_limit_bytes()),
                ),
            )
            self._start()
            self._watch.wake()
        for reason, setting, leaving in evicted:
            self._settlement.give_up(reason, leaving, f"raise {setting}, or look why RUM takes none")

    def expire(self, before_ns: int) -> None:
        """Give up what was accepted before a time, in nanoseconds since the epoch."""
        with self.lock:
            expired = self._outbox.expire(before_ns)
        advice = "raise spool_max_age_seconds, or look why RUM took none for so long"
        self._settlement.give_up(DropReason.EXPIRED, expired, advice)

    def wait(self, timeout_seconds: float) -> None:
        """Wait until nothing is stored, as long as the load is light, the rate allows more, and RUM takes something."""
        deadline = time.monotonic() + min(timeout_seconds, PATIENCE_SECONDS)
        with self.lock:
            if threading.current_thread() in self._senders:
                return  # a library logs as it sends, and the line comes here: nobody waits for himself
            while 0 < self._stored_events <= LIGHT_LOAD_EVENTS:
                now = time.monotonic()
                is_outage = self._settlement.failures_in_a_row >= OUTAGE_FAILURES and self._has_senders
                if is_outage or self._rate.wait_seconds(now) > 0 or not self._advance(now, deadline):
                    break
        self._between()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until nothing is stored; false when that cannot be in time."""
        deadline = time.monotonic() + min(timeout_seconds, threading.TIMEOUT_MAX / 2)
        with self.lock:
            while self._stored_events and self._advance(time.monotonic(), deadline):
                pass
            is_done = not self._stored_events
        self._between()
        return is_done

    def farewell(self, timeout_seconds: float) -> None:
        """Try once more, at once, to deliver what is stored.

        The time since RUM last took something counts against `timeout_seconds`, so that a process does not wait
        once more for what it has waited for already.
        """
        with self.lock:
            now = time.monotonic()
            self._outbox.hurry()
            self._rate.grant(now)
            self._watch.wake()
            waited = now - self._settlement.progress_seconds if self._stored_events else 0.0
        self.flush(min(timeout_seconds, max(FAREWELL_SECONDS, timeout_seconds - waited)))

    def close(self, timeout_seconds: float) -> None:
        """Try a last time to deliver what is stored; count what is in memory alone as dropped."""
        self.farewell(timeout_seconds)
        with self.lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._watch.end()
            self._settled.notify_all()
            left = [*self._outbox.parcels(), *(parcel for one in self._in_flight for parcel in one.parcels)]
            lost = [parcel for parcel in left if not parcel.is_on_disk]
            self._settlement.drop(DropReason.SHUTDOWN, lost, self._settlement.last_advice)
        self._store.close()
        self._between()

    @property
    def requests_per_second(self) -> float:
        """The rate in force; 0 means no limit."""
        return self._rate.per_second

    @property
    def oldest_ns(self) -> int | None:
        """When the oldest event that waits was accepted, since the epoch."""
        with self.lock:
            return self._outbox.oldest_ns()

    @property
    def stored_bytes(self) -> int:
        """About what the events that wait weigh, in memory and on disk."""
        return self._outbox.memory_bytes + self._outbox.disk_bytes

    @property
    def _stored_events(self) -> int:
        return self._outbox.events + sum(shipment.count for shipment in self._in_flight)

    @property
    def _has_senders(self) -> bool:
        """Whether delivery goes on by itself; where it does not, who waits must send."""
        return any(thread.is_alive() for thread in self._senders)

    def _advance(self, now: float, limit: float) -> bool:
        """Wait for, or make, one step towards an empty outbox; false when none will be made before `limit`."""
        if self._is_closed or now >= limit or (self._go_at(now) >= limit and not self._in_flight):
            return False
        if self._has_senders:
            self._settled.wait(limit - now)
        else:
            try:
                self._step(limit)
            finally:
                self._watch.pass_on()
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
            # A credential plugin may exit as we send, which ends neither the process nor delivery.
            with contextlib.suppress(SystemExit):
                with self.lock:
                    if self._is_closed:
                        return
                    self._step(math.inf)
                self._between()

    def _step(self, limit_seconds: float) -> None:
        """Send the next shipment, or wait for the moment when one may go, at the latest until `limit_seconds`."""
        now = time.monotonic()
        due = next((name for name, (at, _) in self._calls.items() if at <= now), None)
        if due is not None:
            self._watch.pass_on()
            self._outside_lock(self._calls.pop(due)[1])
        elif self._go_at(now) > now:
            self._settled.notify_all()
            self._watch.keep(min([self._go_at(now), *(at for at, _ in self._calls.values())]), limit_seconds, now)
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
        if self._settlement.failures_in_a_row:
            return 1
        rate = self._rate.per_second or UNLIMITED_REQUESTS_PER_SECOND
        return max(1, min(MAX_IN_FLIGHT, math.ceil(rate * self._courier.latency_seconds)))

    def _ship(self, shipment: Shipment) -> None:
        self._in_flight.add(shipment)
        if self._outbox.events and len(self._in_flight) < self._most_in_flight():
            self._start()
            self._watch.wake()
        elif self._calls:
            self._watch.pass_on()
        outcome = None
        try:
            outcome = self._outside_lock(lambda: self._courier.carry(shipment))
        finally:
            # Also where Ctrl-C or an exit came out of sending: the shipment stays, and so does delivery.
            self._in_flight.discard(shipment)
            if not self._is_closed:
                cause = Outcome(Verdict.RETRY, "internal error")
                self._settlement.settle(shipment, outcome or cause, time.monotonic())
            elif outcome is not None and outcome.verdict is Verdict.DELIVERED:
                # At the end only what was in memory alone was counted.
                self._ledger.deliver(parcel.tally for parcel in shipment.parcels if parcel.is_on_disk)
            if outcome is None:
                # This thread may be ending.
                self._settled.notify_all()
                self._watch.wake()

    def _give_up_lost(self, parcels: Sequence[Parcel]) -> None:
        """Give up parcels that a disk has lost; after the end nobody can tell them from those that it still has."""
        if not self._is_closed:
            self._settlement.give_up(DropReason.DAMAGED, parcels, "look at the disk of spool_directory")

    def _outside_lock(self, call: Callable[[], T]) -> T | None:
        """Call without the lock; what it raises must not end the thread, and is logged."""
        self.lock.release()
        try:
            return call()
        except Exception:  # noqa: BLE001 - see above
            LOGGER.exception("CloudWatch RUM: please report this; delivery goes on")
            return None
        finally:
            self.lock.acquire()
