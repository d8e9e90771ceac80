"""Delivery threads: a loop around `next_action`, and the waits of exports and flushes.

A few threads send. An export waits for its events while the load is light and RUM accepts them; else they stay queued.
Where no thread can start, as at interpreter exit, the waiting caller sends.
"""

from __future__ import annotations

import contextlib
import functools
import math
import random
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from .._locks import DeferringLock
from .._log import LOGGER, RateLimitedLog
from ..ledger import Ledger
from ..rum.batch import Batch, Events
from ..rum.errors import Outcome
from .action import Call, Send, WaitUntil
from .app_monitor_queue import QueuedBatch
from .backlog import Backlog
from .idle_wait import IdleWait
from .queue import EventQueue
from .rate_limiter import RateLimiter
from .result import FAILED, Result
from .sender import send_batch
from .state import EXPIRY_ADVICE, DeliveryState
from .storage import ProvisionalEvents, QueuedEvents, Receipts, Store

T = TypeVar("T")
MAX_EXPORT_WAIT_SECONDS = 2.0
"""The maximum wait of an export: enough for quick retries, too short to fill the SDK's queue."""
LIGHT_LOAD_EVENTS = 512
"""With more stored events an export does not wait, because it would only delay the next export."""


class Delivery:
    """Delivers queued events from its threads. Thread-safe. Bound to the process that created it.

    `after_step` is called after each step, without the lock.
    """

    def __init__(
        self,
        *,
        send: Callable[[Batch], Outcome],
        queue: EventQueue,
        store: Store,
        rate_limiter: RateLimiter,
        ledger: Ledger,
        log: RateLimitedLog,
        max_memory_bytes: int,
        after_step: Callable[[], None],
    ) -> None:
        self.lock = DeferringLock()
        self._state = DeliveryState(
            queue=queue,
            store=store,
            rate_limiter=rate_limiter,
            ledger=ledger,
            log=log,
            max_memory_bytes=max_memory_bytes,
        )
        self._queue = queue
        self._store = store
        self._provisional = ProvisionalEvents(store)
        self._send_batch = functools.partial(send_batch, send=send, store=store, ledger=ledger)
        self._after_step = after_step
        self._idle_wait = IdleWait(self.lock)
        self._changed = self.lock.condition()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the first thread before the first events, for timers: an exiting interpreter starts no threads."""
        with self.lock:
            self._start_thread()

    def call_after(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        """Call a function once from a delivery thread. Of a pending call of the same name, the earlier is kept."""
        with self.lock:
            self._state.timers.add(name, time.monotonic() + seconds, call)
            self._idle_wait.wake()

    @property
    def is_closed(self) -> bool:
        """Whether accepted events are dropped, because delivery has ended."""
        return self._state.is_closed

    @property
    def has_room(self) -> bool:
        """See `DeliveryState.has_room`."""
        with self.lock:
            return self._state.has_room

    def is_full(self, app_monitor_ids: Collection[str]) -> bool:
        """See `DeliveryState.is_full`."""
        with self.lock:
            return self._state.is_full(app_monitor_ids)

    def accept(
        self,
        events: Events,
        accepted_ns: int,
        *,
        provisional: Mapping[int, Events] = MappingProxyType({}),
        resolved: Sequence[int] = (),
        receipts: Receipts = MappingProxyType({}),
    ) -> None:
        """Store and queue events; when this returns, they are durable if the store is.

        `provisional` are events to store without delivering them, by a handle; `resolved` are the handles of earlier
        ones to remove in the same step, because their final events are among `events`.
        """
        with self.lock:
            queued = self._queue.pack(events, accepted_ns, receipts)
        if not self.is_closed:
            self._provisional.store(queued, provisional, resolved, accepted_ns)
        self.enqueue(queued)
        if not self._store.is_failing:
            self.persist()

    def persist(self) -> None:
        """Write events that stayed in memory, if the disk works again."""
        if self._store.persist():
            with self.lock:
                self._state.persisted()

    def enqueue(self, queued: Sequence[QueuedEvents]) -> None:
        """Deliver events that are stored already."""
        with self.lock:
            evicted = self._state.enqueue(queued, time.monotonic())
            self._start_thread()
            self._idle_wait.wake()
        for reason, setting, dropped in evicted:
            self._state.drop(reason, dropped, f"raise {setting}, or check why RUM accepts no events")

    def expire(self, before_ns: int, *, is_durable: bool) -> None:
        """Drop queued events that were accepted before a time since the epoch; see `DeliveryState.expire`."""
        with self.lock:
            expired = self._state.expire(before_ns, is_durable=is_durable)
        for reason, events in expired:
            self._state.drop(reason, events, EXPIRY_ADVICE[reason])

    def wait(self, timeout_seconds: float) -> None:
        """Wait for delivery while the load is light, the rate limit allows more, and RUM accepts events in time."""
        deadline = time.monotonic() + min(timeout_seconds, MAX_EXPORT_WAIT_SECONDS)
        with self.lock:
            if threading.current_thread() in self._threads:
                return  # A delivery thread must not wait for itself: libraries log while sending, and re-enter here.
            while 0 < self._state.stored_events <= LIGHT_LOAD_EVENTS:
                now = time.monotonic()
                is_outage = self._has_threads and self._state.is_outage(MAX_EXPORT_WAIT_SECONDS, now)
                if is_outage or self._state.rate_limiter.wait_seconds(now) > 0 or not self._advance(now, deadline):
                    break
        self._after_step()

    def flush(self, timeout_seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Wait until no events are stored, or `until` is true; false if some stay stored."""
        deadline = time.monotonic() + min(timeout_seconds, threading.TIMEOUT_MAX / 2)
        with self.lock:
            while self._state.stored_events and not until() and self._advance(time.monotonic(), deadline):
                pass
            is_empty = not self._state.stored_events
        self._after_step()
        return is_empty

    def final_flush(self, timeout_seconds: float) -> None:
        """Try once more, without delays, to deliver the stored events.

        The time since RUM last accepted events counts against the timeout, so an exiting process does not wait twice
        for the same outage.
        """
        with self.lock:
            self._state.prepare_final_flush(time.monotonic(), timeout_seconds)
            self._idle_wait.wake()
            while self._state.stored_events and self._advance(time.monotonic(), self._state.final_flush_deadline):
                pass
        self._after_step()

    def close(self, timeout_seconds: float) -> None:
        """Flush a last time, and count the remaining events in memory as dropped."""
        self.final_flush(timeout_seconds)
        if self.is_closed:
            return
        self.persist()
        self._store.close()  # first, so that no event is both on disk and counted as dropped
        with self.lock:
            if self._state.is_closed:
                return
            self._state.close()
            self._idle_wait.wake_all()
            self._changed.notify_all()
        self._after_step()

    @property
    def requests_per_second(self) -> float:
        """The current request rate; 0 means no limit."""
        return self._state.rate_limiter.per_second

    @property
    def backlog(self) -> Backlog:
        """See `DeliveryState.backlog`."""
        with self.lock:
            return self._state.backlog

    @property
    def oldest_ns(self) -> int | None:
        """The time when the oldest queued event was accepted, since the epoch; None if the queue is empty."""
        with self.lock:
            return self._queue.oldest_ns()

    @property
    def stored_bytes(self) -> int:
        """Estimated size of the queued events, in memory and on disk."""
        return self._queue.memory_bytes + self._queue.disk_bytes

    @property
    def _has_threads(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _advance(self, now: float, limit: float) -> bool:
        """Wait for one step of delivery, or make it; false if none will happen before `limit`."""
        state = self._state
        is_idle = not state.in_flight.batches and state.next_send_seconds(now) >= limit
        if state.is_closed or now >= limit or is_idle:
            return False
        if self._has_threads:
            self._changed.wait(limit - now)
        else:
            try:
                self._step(limit)
            finally:
                self._idle_wait.wake()
        return True

    def _start_thread(self) -> None:
        """Start a thread if none is alive, or all are busy and one more request may be in flight."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        state = self._state
        if not state.is_closed and len(self._threads) < min(len(state.in_flight.batches) + 1, state.max_in_flight):
            thread = threading.Thread(target=self._run, name=f"otel-rum-delivery-{len(self._threads)}", daemon=True)
            with contextlib.suppress(RuntimeError):
                thread.start()
                self._threads.append(thread)

    def _run(self) -> None:
        while True:
            # A credential plugin may call sys.exit while sending, which must not end delivery.
            with contextlib.suppress(SystemExit):
                with self.lock:
                    if self._state.is_closed:
                        return
                    self._step(math.inf)
                self._after_step()

    def _step(self, limit: float) -> None:
        """Do the next action, and wait no longer than `limit`."""
        now = time.monotonic()
        match self._state.next_action(now):
            case Send():
                self._send(self._state.take(now))
            case Call(name):
                self._idle_wait.hand_over()
                self._without_lock(self._state.timers.pop(name))
            case WaitUntil(until):
                self._changed.notify_all()
                self._idle_wait.wait(until, limit, now)

    def _send(self, batch: QueuedBatch) -> None:
        state = self._state
        if self._queue.events and state.has_free_slot:
            self._start_thread()
            self._idle_wait.wake()
        elif state.timers:
            self._idle_wait.hand_over()
        result: Result | None = None
        try:
            result = self._without_lock(lambda: self._send_batch(batch))
        finally:
            # Also after KeyboardInterrupt or SystemExit: the batch is kept, and delivery goes on.
            state.apply(batch, result or Result(FAILED, batch), time.monotonic(), random.random())  # noqa: S311 - jitter
            if result is None:  # this thread may be ending
                self._changed.notify_all()
                self._idle_wait.wake()

    def _without_lock(self, call: Callable[[], T]) -> T | None:
        """Call a function without the lock. Exceptions are logged, because they must not end the thread."""
        self.lock.release()
        try:
            return call()
        except Exception:  # noqa: BLE001 - see above
            LOGGER.exception("CloudWatch RUM: internal error; events stay queued. To fix: report this traceback.")
            return None
        finally:
            self.lock.acquire()
