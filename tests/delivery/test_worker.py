"""Delivery with real threads: it waits, retries, splits and drops, with responses that a test decides."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter._log import LOGGER, RateLimitedLog
from otel_rum_exporter.delivery import retry, worker
from otel_rum_exporter.delivery.idle_wait import IdleWait
from otel_rum_exporter.delivery.in_flight import InFlight
from otel_rum_exporter.delivery.queue import EventQueue
from otel_rum_exporter.delivery.rate_limiter import RateLimiter
from otel_rum_exporter.delivery.retry import MAX_REJECTIONS_IN_A_ROW
from otel_rum_exporter.delivery.spool.directory import Spool
from otel_rum_exporter.delivery.storage import OVERHEAD_BYTES, MemoryStore, QueuedEvents, Store
from otel_rum_exporter.delivery.worker import LIGHT_LOAD_EVENTS, Delivery
from otel_rum_exporter.ledger import DropReason, Ledger, Tally
from otel_rum_exporter.rum.batch import AppMonitor, Batch, BatchKey
from otel_rum_exporter.rum.encoded_events import EncodedEvents
from otel_rum_exporter.rum.errors import Disposition, Outcome
from otel_rum_exporter.rum.event import RumEvent
from otel_rum_exporter.rum.ids import event_id
from tests.waiting import join_delivery_threads, wait_until

KEY = BatchKey(AppMonitor("m", None, None, None), "s", "u")
DELIVERED = Outcome(Disposition.DELIVERED)
RETRY = Outcome(Disposition.RETRY, "InternalServerException")
SPLIT = Outcome(Disposition.SPLIT, "ValidationException")
LONG_SECONDS = 60.0
"""A timeout that only a failing test reaches."""


class Harness:
    """A delivery whose responses come from a function, and the batches that it sent."""

    def __init__(
        self,
        respond: Callable[[Batch], Outcome],
        *,
        rate: int = 0,
        max_bytes: int = 10**9,
        store: Store | None = None,
    ) -> None:
        self.sent: list[Batch] = []
        self.ledger = Ledger()
        log = RateLimitedLog()
        self._respond = respond
        self.delivery = Delivery(
            send=self._send,
            queue=EventQueue(max_events_per_request=100),
            store=store or MemoryStore(),
            rate_limiter=RateLimiter(rate, 0.0),
            ledger=self.ledger,
            log=log,
            max_memory_bytes=max_bytes,
            after_step=log.write,
        )

    def accept(self, *names: object, key: BatchKey = KEY) -> None:
        events = [RumEvent.of(event_id(str(name)), 1, "work", "{}", "{}", "{}") for name in names]
        self.ledger.accept(Tally(len(events)))
        self.delivery.accept({key: events}, 0)

    def _send(self, batch: Batch) -> Outcome:
        self.sent.append(batch)
        return self._respond(batch)


def refuse_to_start(_: threading.Thread) -> None:
    """Fail as Python 3.12 does at interpreter exit."""
    raise RuntimeError("can't create new thread at interpreter shutdown")


@pytest.fixture
def harness() -> Iterator[Callable[..., Harness]]:
    """Return a function that creates deliveries; they are closed after the test."""
    made: list[Harness] = []

    def make(respond: Callable[[Batch], Outcome] = lambda _: DELIVERED, **settings: Any) -> Harness:
        made.append(Harness(respond, **settings))
        return made[-1]

    yield make
    for one in made:
        one.delivery.close(0.0)


def test_wait_returns_after_delivery(harness: Callable[..., Harness]) -> None:
    """Under light load export is synchronous, as a Lambda function needs it."""
    one = harness()
    one.accept(1, 2)
    one.delivery.wait(LONG_SECONDS)
    assert (one.ledger.delivered, one.ledger.stored) == (2, 0)


def test_a_failed_request_is_retried_unchanged(harness: Callable[..., Harness]) -> None:
    """Same batch, same ids, until RUM accepts it."""
    responses = iter([RETRY, RETRY, DELIVERED])
    one = harness(lambda _: next(responses))
    one.accept(1)
    assert one.delivery.flush(LONG_SECONDS)
    assert len({batch.id for batch in one.sent}) == 1
    assert len(one.sent) == 3


def test_a_single_invalid_event_is_found_and_dropped_alone(harness: Callable[..., Harness]) -> None:
    """An invalid event among 100 takes at most 16 requests, and loses no other event."""
    invalid = event_id("66")
    one = harness(lambda batch: SPLIT if invalid in {event.id for event in batch.events} else DELIVERED)
    one.accept(*range(100))
    assert one.delivery.flush(LONG_SECONDS)
    assert one.ledger.delivered == 99
    assert one.ledger.dropped == {DropReason.REFUSED: 1}
    assert len(one.sent) <= 16


def test_events_lost_by_the_disk_make_no_request(harness: Callable[..., Harness]) -> None:
    """They are counted as damaged."""

    class LosingStore(MemoryStore):
        has_lost = False

        def events(self, queued: QueuedEvents) -> EncodedEvents | None:
            return None if self.has_lost else queued.events

    store = LosingStore()
    one = harness(lambda _: Outcome(Disposition.WAIT, "AccessDeniedException"), store=store)
    for number in range(2):
        one.accept(number, key=BatchKey(KEY.app_monitor, str(number), "u"))
        one.delivery.wait(LONG_SECONDS)
    store.has_lost = True
    one.delivery.final_flush(LONG_SECONDS)
    assert (one.ledger.delivered, one.ledger.dropped) == (0, {DropReason.DAMAGED: 2})
    assert len(one.sent) == 2


def test_wait_ends_when_retry_after_exceeds_its_deadline(harness: Callable[..., Harness]) -> None:
    """The events stay stored."""
    one = harness(lambda _: Outcome(Disposition.RETRY, "x", retry_after_seconds=600.0))
    one.accept(1)
    one.delivery.wait(LONG_SECONDS)
    assert one.ledger.stored == 1
    assert not one.delivery.flush(LONG_SECONDS)


def test_errors_that_need_a_fix_are_retried_slowly(harness: Callable[..., Harness]) -> None:
    """After a second failure with 403 or without credentials: one request a minute."""
    one = harness(lambda _: Outcome(Disposition.WAIT, "AccessDeniedException"))
    for number in range(5):
        one.accept(number, key=BatchKey(KEY.app_monitor, str(number), "u"))
        one.delivery.wait(LONG_SECONDS)
    assert (len(one.sent), one.ledger.stored) == (2, 5)


def test_wait_ends_when_the_rate_limit_is_reached(harness: Callable[..., Harness]) -> None:
    """The other events stay queued, and are sent as the rate allows."""
    one = harness(rate=1)
    keys = [BatchKey(KEY.app_monitor, str(number), "u") for number in range(3)]
    for number, key in enumerate(keys):
        one.accept(number, key=key)
    one.delivery.wait(LONG_SECONDS)
    assert one.ledger.stored > 0
    assert one.delivery.flush(LONG_SECONDS)
    assert one.ledger.delivered == 3


def test_wait_ends_during_a_request_without_response(
    harness: Callable[..., Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The delivery thread continues the request."""
    monkeypatch.setattr(worker, "MAX_EXPORT_WAIT_SECONDS", 0.05)
    release = threading.Event()

    def hang(_: Batch) -> Outcome:
        release.wait(LONG_SECONDS)
        return DELIVERED

    one = harness(hang)
    one.accept(1)
    one.delivery.wait(LONG_SECONDS)
    assert one.ledger.stored == 1
    release.set()
    assert one.delivery.flush(LONG_SECONDS)


def test_wait_returns_at_once_while_requests_fail(
    harness: Callable[..., Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage must not slow an application that exports each span. After it, exports wait as before."""
    monkeypatch.setattr(worker, "MAX_EXPORT_WAIT_SECONDS", LONG_SECONDS)
    monkeypatch.setattr(retry, "BACKOFF_SECONDS", 0.001)
    is_back = threading.Event()
    responses = iter([RETRY, RETRY])
    one = harness(lambda _: next(responses, None) or (DELIVERED if is_back.wait(LONG_SECONDS) else RETRY))
    one.accept(1)
    one.delivery.wait(LONG_SECONDS)
    assert len(one.sent) >= 2
    for number in range(2, 5):
        one.accept(number)
        caller = threading.Thread(target=one.delivery.wait, args=(LONG_SECONDS,), daemon=True)
        caller.start()
        caller.join(LONG_SECONDS / 6)
        assert not caller.is_alive()
    assert one.ledger.stored == 4
    is_back.set()
    assert one.delivery.flush(LONG_SECONDS)
    one.accept(5)
    one.delivery.wait(LONG_SECONDS)
    assert one.ledger.delivered == 5


def returns_soon(call: Callable[..., object], *arguments: object) -> bool:
    """Return whether a call returns in a fraction of its timeout."""
    caller = threading.Thread(target=call, args=arguments, daemon=True)
    caller.start()
    caller.join(LONG_SECONDS / 6)
    return not caller.is_alive()


def test_wait_returns_at_once_while_requests_take_longer_than_it_would_wait(
    harness: Callable[..., Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A RUM that hangs blocked twelve exports."""
    monkeypatch.setattr(worker, "MAX_EXPORT_WAIT_SECONDS", 0.05)
    release = threading.Event()
    one = harness(lambda _: DELIVERED if release.wait(LONG_SECONDS) else RETRY)
    one.accept(1)
    one.delivery.wait(LONG_SECONDS)
    monkeypatch.setattr(InFlight, "is_slower_than", lambda *_: True)
    monkeypatch.setattr(worker, "MAX_EXPORT_WAIT_SECONDS", LONG_SECONDS)
    one.accept(2)
    assert returns_soon(one.delivery.wait, LONG_SECONDS)
    assert one.ledger.stored == 2
    release.set()
    assert one.delivery.flush(LONG_SECONDS)


def test_the_final_flush_gives_up_an_endpoint_that_never_was_reached(harness: Callable[..., Harness]) -> None:
    """A small program must not take nine seconds to end. It is tried once more at least."""
    one = harness(lambda _: Outcome(Disposition.RETRY, "EndpointConnectionError"))
    one.accept(1)
    assert returns_soon(one.delivery.final_flush, LONG_SECONDS)
    assert one.sent
    assert one.ledger.stored == 1


def test_wait_returns_at_once_under_heavy_load(harness: Callable[..., Harness]) -> None:
    """Waiting would only delay the next export of the SDK."""
    release = threading.Event()
    one = harness(lambda _: DELIVERED if release.wait(LONG_SECONDS) else RETRY)
    one.accept(*range(LIGHT_LOAD_EVENTS + 1))
    one.delivery.wait(LONG_SECONDS)
    assert one.ledger.delivered == 0
    release.set()
    assert one.delivery.flush(LONG_SECONDS)


def test_a_batch_that_always_fails_delays_no_other(harness: Callable[..., Harness]) -> None:
    """It is retried after the others."""
    failing = BatchKey(KEY.app_monitor, "failing", "u")
    one = harness(lambda batch: RETRY if batch.key == failing else DELIVERED)
    one.accept("x", key=failing)
    for number in range(5):
        one.accept(number, key=BatchKey(KEY.app_monitor, str(number), "u"))
    wait_until(lambda: one.delivery.flush(0.2) or one.ledger.delivered == 5)
    assert (one.ledger.delivered, one.ledger.stored) == (5, 1)


def test_an_exception_while_sending_loses_nothing(
    harness: Callable[..., Harness], caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the batch is retried."""
    responses = iter([ZeroDivisionError, None])

    def respond(_: Batch) -> Outcome:
        error = next(responses)
        if error is not None:
            raise error
        return DELIVERED

    one = harness(respond)
    one.accept(1)
    assert one.delivery.flush(LONG_SECONDS)
    assert one.ledger.delivered == 1
    assert "ZeroDivisionError" in caplog.text


def test_ctrl_c_while_the_caller_sends_loses_nothing(
    harness: Callable[..., Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exception reaches the caller, and the batch stays queued."""
    responses = iter([KeyboardInterrupt, None])

    def respond(_: Batch) -> Outcome:
        error = next(responses)
        if error is not None:
            raise error
        return DELIVERED

    one = harness(respond)
    monkeypatch.setattr(threading.Thread, "start", refuse_to_start)
    one.accept(1)
    with pytest.raises(KeyboardInterrupt):
        one.delivery.wait(LONG_SECONDS)
    assert one.delivery.flush(LONG_SECONDS)
    assert one.ledger.delivered == 1


def test_idle_threads_send_what_comes_after_a_burst(harness: Callable[..., Harness]) -> None:
    """No thread is added while others are idle."""
    release = threading.Event()
    one = harness(lambda _: DELIVERED if release.wait(LONG_SECONDS) else RETRY)
    one.delivery._state.in_flight.measured(LONG_SECONDS)  # so that all requests may be made at once
    for number in range(3):
        one.accept(number, key=BatchKey(KEY.app_monitor, str(number), "u"))
        wait_until(lambda: len(one.sent) == number + 1)  # noqa: B023 - called within the loop
    threads = delivery_threads()
    assert len(threads) == 3
    release.set()
    assert one.delivery.flush(LONG_SECONDS)
    for number in range(3):
        one.accept(number)
        assert one.delivery.flush(LONG_SECONDS)
    assert delivery_threads() == threads


def delivery_threads() -> set[threading.Thread]:
    """Return the threads that send."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("otel-rum-delivery")}


def test_events_are_kept_after_many_rejections_in_a_row(harness: Callable[..., Harness]) -> None:
    """Then the events are not the cause, and a fix of the cause delivers them."""
    one = harness(lambda _: SPLIT)
    one.accept(*range(100))
    assert not one.delivery.flush(30.0)
    assert one.ledger.dropped == {DropReason.REFUSED: MAX_REJECTIONS_IN_A_ROW}
    assert one.ledger.stored == 100 - MAX_REJECTIONS_IN_A_ROW


def test_a_log_handler_may_export_without_deadlock(harness: Callable[..., Harness]) -> None:
    """No lock is held while lines are logged."""
    one = harness(lambda _: Outcome(Disposition.WAIT, "AccessDeniedException"))

    class ExportingHandler(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            thread = threading.Thread(target=one.accept, args=("from the handler",))
            thread.start()
            thread.join(LONG_SECONDS / 10)
            assert not thread.is_alive()

    handler = ExportingHandler()
    LOGGER.addHandler(handler)
    try:
        one.accept(1)
        one.delivery.wait(LONG_SECONDS)
        one.delivery.close(LONG_SECONDS)
    finally:
        LOGGER.removeHandler(handler)
    assert one.ledger.dropped[DropReason.SHUTDOWN] >= 2


def test_call_after_calls_from_a_delivery_thread(harness: Callable[..., Harness]) -> None:
    """No further export is needed."""
    one = harness()
    called = threading.Event()
    one.delivery.start()
    one.delivery.call_after("call", 0.01, called.set)
    assert called.wait(LONG_SECONDS)


def test_close_tries_once_more_and_counts_the_rest_as_dropped(harness: Callable[..., Harness]) -> None:
    """No loss is silent. Later events are counted as dropped too."""
    one = harness(lambda _: Outcome(Disposition.WAIT, "AccessDeniedException"))
    one.accept(1, 2)
    one.delivery.wait(LONG_SECONDS)
    one.delivery.close(LONG_SECONDS)
    assert len(one.sent) == 2
    assert (one.ledger.stored, one.ledger.dropped) == (0, {DropReason.SHUTDOWN: 2})
    one.delivery.close(LONG_SECONDS)
    one.accept(3)
    assert (one.ledger.stored, one.ledger.dropped) == (0, {DropReason.SHUTDOWN: 3})


def test_events_above_the_memory_limit_are_dropped_and_counted(harness: Callable[..., Harness]) -> None:
    """An outage must not fill the memory of the application."""
    one = harness(lambda _: Outcome(Disposition.WAIT, "AccessDeniedException"), max_bytes=2000)
    one.accept(*range(100))
    assert one.ledger.dropped == {DropReason.QUEUE_FULL: 100}
    assert one.ledger.stored == one.delivery.stored_bytes == 0


@pytest.mark.parametrize(
    ("limits", "reason", "setting"),
    [
        ({"max_bytes": 25 * OVERHEAD_BYTES}, DropReason.QUEUE_FULL, "max_memory_bytes"),
        ({"max_disk_bytes": 1000}, DropReason.SPOOL_FULL, "spool_max_bytes"),
    ],
)
def test_evicted_events_are_counted_for_the_exceeded_limit(
    limits: dict[str, int],
    reason: DropReason,
    setting: str,
    harness: Callable[..., Harness],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Events on disk use memory too. Evicted events are removed from disk, and no others."""

    class SmallSpool(Spool):
        def disk_limit_bytes(self) -> float:
            return limits.get("max_disk_bytes", super().disk_limit_bytes())

    store = SmallSpool(str(tmp_path), destination="x", max_bytes=10**8, log=RateLimitedLog())
    one = harness(
        lambda _: Outcome(Disposition.WAIT, "AccessDeniedException"),
        max_bytes=limits.get("max_bytes", 10**9),
        store=store,
    )
    for number in range(50):
        one.accept(number, key=BatchKey(KEY.app_monitor, str(number), "u"))
    one.delivery.wait(0.0)
    assert one.ledger.dropped.keys() == {reason}
    assert f"raise {setting}" in caplog.text
    one.delivery.close(0.0)
    later = Spool(str(tmp_path), destination="x", max_bytes=10**8, log=RateLimitedLog())
    recovered = later.recover()
    later.close()
    assert sum(queued.count for queued in recovered.queued) == one.ledger.stored == 50 - one.ledger.dropped[reason]


def test_the_caller_sends_if_no_thread_can_start(
    harness: Callable[..., Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.12 starts no threads at interpreter exit."""
    monkeypatch.setattr(retry, "BACKOFF_SECONDS", 0.001)

    monkeypatch.setattr(threading.Thread, "start", refuse_to_start)
    responses = iter([RETRY, RETRY, RETRY, DELIVERED])
    one = harness(lambda _: next(responses))
    one.accept(1)
    one.delivery.wait(LONG_SECONDS)
    assert one.ledger.delivered == 1


def test_concurrent_exports_lose_and_duplicate_nothing(harness: Callable[..., Harness]) -> None:
    """SimpleSpanProcessor exports from all threads of the application."""
    one = harness()

    def export(number: int) -> None:
        for index in range(50):
            one.accept(f"{number}/{index}")
            one.delivery.wait(LONG_SECONDS)

    threads = [threading.Thread(target=export, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [event.id for batch in one.sent for event in batch.events]
    assert len(ids) == len(set(ids)) == one.ledger.delivered == 400


def test_nothing_is_sent_after_close(harness: Callable[..., Harness]) -> None:
    """The events are counted as dropped, or left to the next process."""
    one = harness(lambda _: Outcome(Disposition.WAIT, "AccessDeniedException"))
    one.accept(1)
    one.delivery.wait(LONG_SECONDS)
    one.delivery.close(LONG_SECONDS)
    sent = len(one.sent)
    join_delivery_threads()
    assert not one.delivery.flush(LONG_SECONDS)
    assert len(one.sent) == sent


def test_concurrent_closes_count_dropped_events_once(harness: Callable[..., Harness]) -> None:
    """Two threads may shut down two exporters that share a delivery."""
    release = threading.Event()
    one = harness(lambda _: DELIVERED if release.wait(LONG_SECONDS) else RETRY)
    one.accept(1)
    threads = [threading.Thread(target=one.delivery.close, args=(0.2,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    release.set()
    assert one.ledger.dropped == {DropReason.SHUTDOWN: 1}


def test_close_while_a_thread_reads_the_disk_loses_nothing(harness: Callable[..., Harness], tmp_path: Path) -> None:
    """Events on disk are for the next process, not damaged."""
    begun, release = threading.Event(), threading.Event()

    class SlowSpool(Spool):
        def events(self, queued: QueuedEvents) -> EncodedEvents | None:
            begun.set()
            release.wait(LONG_SECONDS)
            return super().events(queued)

    def spool(kind: type[Spool]) -> Spool:
        return kind(str(tmp_path), destination="x", max_bytes=10**8, log=RateLimitedLog())

    one = harness(store=spool(SlowSpool))
    one.accept(1, 2)
    assert begun.wait(LONG_SECONDS)
    one.delivery.close(0.0)
    release.set()
    join_delivery_threads()
    assert (one.ledger.stored, one.ledger.dropped, one.sent) == (2, {}, [])
    later = spool(Spool)
    recovered = later.recover()
    later.close()
    assert sum(queued.count for queued in recovered.queued) == 2


def test_close_while_a_thread_removes_delivered_events_counts_them_as_delivered(
    harness: Callable[..., Harness], tmp_path: Path
) -> None:
    """They are not stored any more."""
    begun, release = threading.Event(), threading.Event()

    class SlowSpool(Spool):
        def remove(self, queued: Sequence[QueuedEvents]) -> None:
            super().remove(queued)
            if queued:
                begun.set()
                release.wait(LONG_SECONDS)

    def spool(kind: type[Spool]) -> Spool:
        return kind(str(tmp_path), destination="x", max_bytes=10**8, log=RateLimitedLog())

    one = harness(store=spool(SlowSpool))
    one.accept(1, 2)
    assert begun.wait(LONG_SECONDS)
    one.delivery.close(0.0)
    release.set()
    join_delivery_threads()
    assert (one.ledger.delivered, one.ledger.stored, one.ledger.dropped) == (2, 0, {})
    assert spool(Spool).recover() == ([], 0)


def test_the_caller_with_the_longest_timeout_sends_if_no_thread_can_start(
    harness: Callable[..., Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leader of the idle wait returns at its own timeout."""
    soon = Outcome(Disposition.RETRY, "x", retry_after_seconds=0.2)
    responses = iter([soon, soon, soon, DELIVERED])
    one = harness(lambda _: next(responses))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse_to_start)
        one.accept(1)
    callers = [
        threading.Thread(target=one.delivery.flush, args=(seconds,), daemon=True) for seconds in (0.3, LONG_SECONDS / 6)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(LONG_SECONDS)
        assert not caller.is_alive()
    assert one.ledger.delivered == 1


def test_a_caller_that_leaves_after_a_failed_request_wakes_the_one_that_waits(
    harness: Callable[..., Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other waits for a request in flight, and does not know when the retry is due."""
    one: Harness

    def respond(_: Batch) -> Outcome:
        if len(one.sent) > 1:
            return DELIVERED
        wait_until(lambda: one.delivery._idle_wait.has_leader)
        return Outcome(Disposition.RETRY, "x", retry_after_seconds=0.2)

    one = harness(respond)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse_to_start)
        one.accept(1)
    first = threading.Thread(target=one.delivery.flush, args=(0.05,), daemon=True)
    first.start()
    wait_until(lambda: bool(one.sent))
    assert one.delivery.flush(LONG_SECONDS / 6)
    first.join(LONG_SECONDS)


def test_sys_exit_while_sending_does_not_end_delivery(harness: Callable[..., Harness]) -> None:
    """A credential plugin calls sys.exit in the only thread, and no export follows."""
    exits = iter([SystemExit, SystemExit])

    def respond(_: Batch) -> Outcome:
        for error in exits:
            raise error
        return DELIVERED

    one = harness(respond)
    one.accept(1)
    wait_until(lambda: one.ledger.delivered == 1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_another_thread_sends_the_batch_of_a_thread_that_ends(
    harness: Callable[..., Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gevent ends threads so. Delivery goes on even if all other threads are idle."""
    begun, release, is_idle = threading.Event(), threading.Event(), threading.Event()
    exits = iter([True])
    idle_wait = IdleWait.wait

    def wait(*arguments: Any) -> None:
        if one.ledger.delivered:
            is_idle.set()
        idle_wait(*arguments)

    def respond(batch: Batch) -> Outcome:
        if batch.key == KEY and next(exits, False):
            begun.set()
            release.wait(LONG_SECONDS)
            raise GeneratorExit
        return DELIVERED

    one = harness(respond)
    monkeypatch.setattr(InFlight, "limit", lambda *_: 2)
    monkeypatch.setattr(IdleWait, "wait", wait)
    one.accept(1)
    assert begun.wait(LONG_SECONDS)
    one.accept(2, key=BatchKey(KEY.app_monitor, "other", "u"))
    assert is_idle.wait(LONG_SECONDS)
    release.set()
    assert one.delivery.flush(10.0)
    assert one.ledger.delivered == 2


def test_a_long_call_delays_no_batch(harness: Callable[..., Harness], monkeypatch: pytest.MonkeyPatch) -> None:
    """Recovery waits for the disk. Another thread becomes the leader meanwhile."""
    soon = Outcome(Disposition.RETRY, "x", retry_after_seconds=0.3)
    responses = iter([DELIVERED, DELIVERED, soon])
    both = threading.Barrier(2)

    def respond(batch: Batch) -> Outcome:
        if batch.key.session_id in "ab":
            both.wait(LONG_SECONDS)
        return next(responses, DELIVERED)

    one = harness(respond)
    monkeypatch.setattr(InFlight, "limit", lambda *_: 2)
    for session in "ab":
        one.accept(session, key=BatchKey(KEY.app_monitor, session, "u"))
    assert one.delivery.flush(LONG_SECONDS)
    begun, release = threading.Event(), threading.Event()

    def wait_for_release() -> None:
        begun.set()
        release.wait(LONG_SECONDS)

    one.accept("c", key=BatchKey(KEY.app_monitor, "c", "u"))
    wait_until(lambda: len(one.sent) == 3)
    one.delivery.call_after("call", 0.0, wait_for_release)
    assert begun.wait(LONG_SECONDS)
    assert one.delivery.flush(LONG_SECONDS / 6)
    release.set()


def test_a_long_request_delays_no_call(harness: Callable[..., Harness], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread becomes the leader while the previous leader sends."""
    both, begun, release, called = threading.Barrier(2), *(threading.Event() for _ in range(3))

    def respond(batch: Batch) -> Outcome:
        if batch.key.session_id in "ab":
            both.wait(LONG_SECONDS)
        else:
            begun.set()
            release.wait(LONG_SECONDS)
        return DELIVERED

    one = harness(respond)
    monkeypatch.setattr(InFlight, "limit", lambda *_: 2)
    for session in "ab":
        one.accept(session, key=BatchKey(KEY.app_monitor, session, "u"))
    assert one.delivery.flush(LONG_SECONDS)
    one.delivery.call_after("call", 0.3, called.set)
    one.accept("c", key=BatchKey(KEY.app_monitor, "c", "u"))
    assert begun.wait(LONG_SECONDS)
    assert called.wait(LONG_SECONDS / 6)
    release.set()
