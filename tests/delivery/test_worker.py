"""Delivery: waits, retries, splits and drops, on real threads and with answers that a test decides."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter._log import LOGGER, RateLimitedLog
from otel_rum_exporter.delivery import retry
from otel_rum_exporter.delivery import worker as module
from otel_rum_exporter.delivery.queue import Outbox
from otel_rum_exporter.delivery.rate_limiter import RequestRate
from otel_rum_exporter.delivery.retry import MAX_BACKOFF_SECONDS, MAX_REFUSED_IN_A_ROW, backoff_seconds
from otel_rum_exporter.delivery.spool.directory import Spool
from otel_rum_exporter.delivery.storage import PARCEL_BYTES, MemoryStore, Parcel, Store
from otel_rum_exporter.delivery.worker import LIGHT_LOAD_EVENTS, Delivery
from otel_rum_exporter.ledger import DropReason, Ledger, Tally
from otel_rum_exporter.rum.batch import AppMonitor, Batch, BatchKey
from otel_rum_exporter.rum.errors import Outcome, Verdict
from otel_rum_exporter.rum.event import RumEvent
from otel_rum_exporter.rum.ids import event_id

KEY = BatchKey(AppMonitor("m", None, None, None), "s", "u")
DELIVERED = Outcome(Verdict.DELIVERED)
RETRY = Outcome(Verdict.RETRY, "InternalServerException")
SPLIT = Outcome(Verdict.SPLIT, "ValidationException")
LONG_SECONDS = 60.0
"""A wait that a test never reaches, unless it hangs."""


class Station:
    """A delivery whose requests are answered by a function, with what was sent."""

    def __init__(
        self,
        answer: Callable[[Batch], Outcome],
        *,
        rate: int = 0,
        max_bytes: int = 10**9,
        store: Store | None = None,
    ) -> None:
        self.sent: list[Batch] = []
        self.ledger = Ledger()
        log = RateLimitedLog()
        self._answer = answer
        self.delivery = Delivery(
            send=self._send,
            outbox=Outbox(max_events_per_request=100),
            store=store or MemoryStore(),
            rate=RequestRate(rate, 0.0),
            ledger=self.ledger,
            log=log,
            max_memory_bytes=max_bytes,
            between=log.write,
        )

    def give(self, *names: object, key: BatchKey = KEY) -> None:
        events = [RumEvent(event_id(str(name)), 1, "work", "{}", "{}", "{}") for name in names]
        self.ledger.accept(Tally(len(events)))
        self.delivery.accept({key: events}, 0)

    def _send(self, batch: Batch) -> Outcome:
        self.sent.append(batch)
        return self._answer(batch)


@pytest.fixture
def station() -> Iterator[Callable[..., Station]]:
    """Make stations, and close them."""
    made: list[Station] = []

    def make(answer: Callable[[Batch], Outcome] = lambda _: DELIVERED, **settings: Any) -> Station:
        made.append(Station(answer, **settings))
        return made[-1]

    yield make
    for one in made:
        one.delivery.close(0.0)


def test_an_export_waits_until_its_events_are_delivered(station: Callable[..., Station]) -> None:
    """Under light load everything is synchronous, as a frozen Lambda needs it."""
    one = station()
    one.give(1, 2)
    one.delivery.wait(LONG_SECONDS)
    assert (one.ledger.delivered, one.ledger.stored) == (2, 0)


def test_a_failed_request_goes_out_again_as_it_was(station: Callable[..., Station]) -> None:
    """Same batch, same ids, until RUM takes it."""
    answers = iter([RETRY, RETRY, DELIVERED])
    one = station(lambda _: next(answers))
    one.give(1)
    assert one.delivery.flush(LONG_SECONDS)
    assert len({batch.id for batch in one.sent}) == 1
    assert len(one.sent) == 3


def test_the_one_event_that_rum_refuses_is_found_and_dropped_alone(station: Callable[..., Station]) -> None:
    """A poison event among 100 costs at most 16 requests, and no other event."""
    poison = event_id("66")
    one = station(lambda batch: SPLIT if poison in {event.id for event in batch.events} else DELIVERED)
    one.give(*range(100))
    assert one.delivery.flush(LONG_SECONDS)
    assert one.ledger.delivered == 99
    assert one.ledger.dropped == {DropReason.REFUSED: 1}
    assert len(one.sent) <= 16


def test_what_a_disk_has_lost_says_nothing_of_rum(station: Callable[..., Station]) -> None:
    """Nothing was asked of it, so that it is as far away as it was before."""

    class LosingStore(MemoryStore):
        has_lost = False

        def events(self, parcel: Parcel) -> tuple[RumEvent, ...] | None:
            return None if self.has_lost else parcel.events

    store = LosingStore()
    one = station(lambda _: Outcome(Verdict.WAIT, "AccessDeniedException"), store=store)
    for number in range(2):
        one.give(number, key=BatchKey(KEY.app_monitor, str(number), "u"))
        one.delivery.wait(LONG_SECONDS)
    assert one.delivery._settlement.failures_in_a_row == 2
    store.has_lost = True
    one.delivery.farewell(LONG_SECONDS)
    assert (one.ledger.delivered, one.ledger.dropped) == (0, {DropReason.DAMAGED: 2})
    assert len(one.sent) == one.delivery._settlement.failures_in_a_row == 2


def test_an_export_leaves_its_events_when_rum_asks_to_wait_longer(station: Callable[..., Station]) -> None:
    """A Retry-After beyond the deadline is not waited for; the events stay stored."""
    one = station(lambda _: Outcome(Verdict.RETRY, "x", retry_after_seconds=600.0))
    one.give(1)
    one.delivery.wait(LONG_SECONDS)
    assert one.ledger.stored == 1
    assert not one.delivery.flush(LONG_SECONDS)


def test_what_a_person_must_mend_is_not_tried_again_at_once(station: Callable[..., Station]) -> None:
    """403 and missing credentials: when a second batch meets the same, one request a minute."""
    one = station(lambda _: Outcome(Verdict.WAIT, "AccessDeniedException"))
    for number in range(5):
        one.give(number, key=BatchKey(KEY.app_monitor, str(number), "u"))
        one.delivery.wait(LONG_SECONDS)
    assert (len(one.sent), one.ledger.stored) == (2, 5)


def test_an_export_that_finds_the_rate_used_up_goes_on(station: Callable[..., Station]) -> None:
    """The rest coalesces in the outbox, and is sent as the rate allows."""
    one = station(rate=1)
    keys = [BatchKey(KEY.app_monitor, str(number), "u") for number in range(3)]
    for number, key in enumerate(keys):
        one.give(number, key=key)
    one.delivery.wait(LONG_SECONDS)
    assert one.ledger.stored > 0
    assert one.delivery.flush(LONG_SECONDS)
    assert one.ledger.delivered == 3


def test_an_export_does_not_wait_for_a_request_that_never_ends(
    station: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without progress it loses patience; the thread goes on."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    release = threading.Event()

    def hang(_: Batch) -> Outcome:
        release.wait(LONG_SECONDS)
        return DELIVERED

    one = station(hang)
    one.give(1)
    one.delivery.wait(LONG_SECONDS)
    assert one.ledger.stored == 1
    release.set()
    assert one.delivery.flush(LONG_SECONDS)


def test_while_requests_fail_in_a_row_an_export_does_not_wait(
    station: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application that ends spans as it answers is not slowed by an outage; after it, exports wait as before."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", LONG_SECONDS)
    monkeypatch.setattr(retry, "BACKOFF_SECONDS", 0.001)
    is_back = threading.Event()
    answers = iter([RETRY, RETRY])
    one = station(lambda _: next(answers, None) or (DELIVERED if is_back.wait(LONG_SECONDS) else RETRY))
    one.give(1)
    one.delivery.wait(LONG_SECONDS)
    assert len(one.sent) >= 2
    for number in range(2, 5):
        one.give(number)
        caller = threading.Thread(target=one.delivery.wait, args=(LONG_SECONDS,), daemon=True)
        caller.start()
        caller.join(LONG_SECONDS / 6)
        assert not caller.is_alive()
    assert one.ledger.stored == 4
    is_back.set()
    assert one.delivery.flush(LONG_SECONDS)
    one.give(5)
    one.delivery.wait(LONG_SECONDS)
    assert one.ledger.delivered == 5


def test_under_heavy_load_an_export_does_not_wait(station: Callable[..., Station]) -> None:
    """With many sessions it would only keep the SDK from its queue; the outbox coalesces meanwhile."""
    release = threading.Event()
    one = station(lambda _: DELIVERED if release.wait(LONG_SECONDS) else RETRY)
    one.give(*range(LIGHT_LOAD_EVENTS + 1))
    one.delivery.wait(LONG_SECONDS)
    assert one.ledger.delivered == 0
    release.set()
    assert one.delivery.flush(LONG_SECONDS)


def test_a_batch_that_always_fails_holds_up_no_other(station: Callable[..., Station]) -> None:
    """It goes behind the others, as it was."""
    poison = BatchKey(KEY.app_monitor, "poison", "u")
    one = station(lambda batch: RETRY if batch.key == poison else DELIVERED)
    one.give("x", key=poison)
    for number in range(5):
        one.give(number, key=BatchKey(KEY.app_monitor, str(number), "u"))
    one.delivery.flush(2.0)
    assert (one.ledger.delivered, one.ledger.stored) == (5, 1)


def test_a_send_that_raises_ends_neither_thread_nor_data(
    station: Callable[..., Station], caplog: pytest.LogCaptureFixture
) -> None:
    """What nobody foresaw is logged, and the batch goes out again."""
    answers = iter([ZeroDivisionError, None])

    def answer(_: Batch) -> Outcome:
        error = next(answers)
        if error is not None:
            raise error
        return DELIVERED

    one = station(answer)
    one.give(1)
    assert one.delivery.flush(LONG_SECONDS)
    assert one.ledger.delivered == 1
    assert "ZeroDivisionError" in caplog.text


def test_an_exit_out_of_sending_costs_neither_the_batch_nor_delivery(station: Callable[..., Station]) -> None:
    """Ctrl-C, or sys.exit in a credential plugin, while the caller sends."""
    answers = iter([KeyboardInterrupt, None])

    def answer(_: Batch) -> Outcome:
        error = next(answers)
        if error is not None:
            raise error
        return DELIVERED

    one = station(answer)
    one.delivery._start = lambda: None  # type: ignore[method-assign]
    one.give(1)
    with pytest.raises(KeyboardInterrupt):
        one.delivery.wait(LONG_SECONDS)
    assert one.delivery.flush(LONG_SECONDS)
    assert one.ledger.delivered == 1


def test_when_everything_is_refused_the_events_are_kept(station: Callable[..., Station]) -> None:
    """Then the fault is not the events', and whoever mends it gets them."""
    one = station(lambda _: SPLIT)
    one.give(*range(100))
    assert not one.delivery.flush(30.0)
    assert one.ledger.dropped == {DropReason.REFUSED: MAX_REFUSED_IN_A_ROW}
    assert one.ledger.stored == 100 - MAX_REFUSED_IN_A_ROW


def test_a_log_handler_that_exports_finds_no_lock_held(station: Callable[..., Station]) -> None:
    """Its spans come back to the exporter that is logging."""
    one = station(lambda _: Outcome(Verdict.WAIT, "AccessDeniedException"))

    class Exporting(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            thread = threading.Thread(target=one.give, args=("from the handler",))
            thread.start()
            thread.join(LONG_SECONDS / 10)
            assert not thread.is_alive()

    handler = Exporting()
    LOGGER.addHandler(handler)
    try:
        one.give(1)
        one.delivery.wait(LONG_SECONDS)
        one.delivery.close(LONG_SECONDS)
    finally:
        LOGGER.removeHandler(handler)
    assert one.ledger.dropped[DropReason.SHUTDOWN] >= 2


def test_a_call_is_made_from_the_delivery_thread_when_its_time_has_come(station: Callable[..., Station]) -> None:
    """What waits outside the outbox is let in without a further export."""
    one = station()
    called = threading.Event()
    one.delivery.start()
    one.delivery.call_after("call", 0.01, called.set)
    assert called.wait(LONG_SECONDS)


def test_closing_tries_once_more_at_once_then_counts_the_rest(station: Callable[..., Station]) -> None:
    """An end is the last chance, and no loss is silent."""
    one = station(lambda _: Outcome(Verdict.WAIT, "AccessDeniedException"))
    one.give(1, 2)
    one.delivery.wait(LONG_SECONDS)
    one.delivery.close(LONG_SECONDS)
    assert len(one.sent) == 2
    assert (one.ledger.stored, one.ledger.dropped) == (0, {DropReason.SHUTDOWN: 2})
    one.delivery.close(LONG_SECONDS)
    one.give(3)
    assert (one.ledger.stored, one.ledger.dropped) == (0, {DropReason.SHUTDOWN: 3})


def test_above_the_memory_bound_the_oldest_events_are_dropped_and_counted(station: Callable[..., Station]) -> None:
    """An outage cannot fill the memory of the application."""
    one = station(lambda _: Outcome(Verdict.WAIT, "AccessDeniedException"), max_bytes=2000)
    one.give(*range(100))
    assert one.ledger.dropped == {DropReason.QUEUE_FULL: 100}
    assert one.ledger.stored == 0


@pytest.mark.parametrize(
    ("bounds", "reason", "setting"),
    [
        ({"max_bytes": 25 * PARCEL_BYTES}, DropReason.QUEUE_FULL, "max_memory_bytes"),
        ({"max_disk_bytes": 1000}, DropReason.SPOOL_FULL, "spool_max_bytes"),
    ],
)
def test_what_leaves_is_counted_for_the_bound_that_was_exceeded(
    bounds: dict[str, int],
    reason: DropReason,
    setting: str,
    station: Callable[..., Station],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A parcel on disk weighs in memory too; wherever it was, it leaves all of it, and nothing else does."""

    class SmallSpool(Spool):
        def disk_limit_bytes(self) -> float:
            return bounds.get("max_disk_bytes", super().disk_limit_bytes())

    store = SmallSpool(str(tmp_path), destination="x", max_bytes=10**8, log=RateLimitedLog())
    one = station(
        lambda _: Outcome(Verdict.WAIT, "AccessDeniedException"), max_bytes=bounds.get("max_bytes", 10**9), store=store
    )
    for number in range(50):
        one.give(number, key=BatchKey(KEY.app_monitor, str(number), "u"))
    one.delivery.wait(0.0)
    assert one.ledger.dropped.keys() == {reason}
    assert f"raise {setting}" in caplog.text
    one.delivery.close(0.0)
    later = Spool(str(tmp_path), destination="x", max_bytes=10**8, log=RateLimitedLog())
    recovered = later.recover()
    later.close()
    assert sum(parcel.count for parcel in recovered.parcels) == one.ledger.stored == 50 - one.ledger.dropped[reason]


def test_where_no_thread_can_start_the_caller_sends(
    station: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.12 refuses threads while the interpreter ends; in an outage nobody else would find its end."""
    monkeypatch.setattr(retry, "BACKOFF_SECONDS", 0.001)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    answers = iter([RETRY, RETRY, RETRY, DELIVERED])
    one = station(lambda _: next(answers))
    one.give(1)
    one.delivery.wait(LONG_SECONDS)
    assert one.ledger.delivered == 1


def test_many_threads_give_and_nothing_is_lost_or_doubled(station: Callable[..., Station]) -> None:
    """SimpleSpanProcessor exports from as many threads as the application has."""
    one = station()

    def work(worker: int) -> None:
        for number in range(50):
            one.give(f"{worker}/{number}")
            one.delivery.wait(LONG_SECONDS)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [event.id for batch in one.sent for event in batch.events]
    assert len(ids) == len(set(ids)) == one.ledger.delivered == 400


def test_nothing_goes_out_after_the_end(station: Callable[..., Station]) -> None:
    """What was counted as dropped, or left to the next process, must not arrive as well."""
    one = station(lambda _: Outcome(Verdict.WAIT, "AccessDeniedException"))
    one.give(1)
    one.delivery.wait(LONG_SECONDS)
    one.delivery.close(LONG_SECONDS)
    sent = len(one.sent)
    for thread in one.delivery._senders:
        thread.join()
    assert not one.delivery.flush(LONG_SECONDS)
    assert len(one.sent) == sent


def test_whoever_closes_at_the_same_time_the_rest_is_counted_once(station: Callable[..., Station]) -> None:
    """Two exporters that share it may be shut down by two threads."""
    release = threading.Event()
    one = station(lambda _: DELIVERED if release.wait(LONG_SECONDS) else RETRY)
    one.give(1)
    threads = [threading.Thread(target=one.delivery.close, args=(0.2,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    release.set()
    assert one.ledger.dropped == {DropReason.SHUTDOWN: 1}


def test_an_end_while_a_thread_reads_the_disk_loses_nothing(station: Callable[..., Station], tmp_path: Path) -> None:
    """What is on disk is for the next process, not damaged."""
    begun, release = threading.Event(), threading.Event()

    class SlowSpool(Spool):
        def events(self, parcel: Parcel) -> tuple[RumEvent, ...] | None:
            begun.set()
            release.wait(LONG_SECONDS)
            return super().events(parcel)

    def spool(kind: type[Spool]) -> Spool:
        return kind(str(tmp_path), destination="x", max_bytes=10**8, log=RateLimitedLog())

    one = station(store=spool(SlowSpool))
    one.give(1, 2)
    assert begun.wait(LONG_SECONDS)
    one.delivery.close(0.0)
    release.set()
    for thread in one.delivery._senders:
        thread.join()
    assert (one.ledger.stored, one.ledger.dropped, one.sent) == (2, {}, [])
    later = spool(Spool)
    recovered = later.recover()
    later.close()
    assert sum(parcel.count for parcel in recovered.parcels) == 2


def test_an_end_while_a_thread_forgets_what_rum_took_counts_it_as_delivered(
    station: Callable[..., Station], tmp_path: Path
) -> None:
    """It is stored nowhere any more."""
    begun, release = threading.Event(), threading.Event()

    class SlowSpool(Spool):
        def remove(self, parcels: Sequence[Parcel]) -> None:
            super().remove(parcels)
            if parcels:
                begun.set()
                release.wait(LONG_SECONDS)

    def spool(kind: type[Spool]) -> Spool:
        return kind(str(tmp_path), destination="x", max_bytes=10**8, log=RateLimitedLog())

    one = station(store=spool(SlowSpool))
    one.give(1, 2)
    assert begun.wait(LONG_SECONDS)
    one.delivery.close(0.0)
    release.set()
    for thread in one.delivery._senders:
        thread.join()
    assert (one.ledger.delivered, one.ledger.stored, one.ledger.dropped) == (2, 0, {})
    assert spool(Spool).recover() == ([], 0)


def test_where_no_thread_can_start_the_caller_who_waits_longest_sends(
    station: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that watched for the others leaves at its own time-out."""
    soon = Outcome(Verdict.RETRY, "x", retry_after_seconds=0.2)
    answers = iter([soon, soon, soon, DELIVERED])
    one = station(lambda _: next(answers))
    monkeypatch.setattr(one.delivery, "_start", lambda: None)
    one.give(1)
    callers = [
        threading.Thread(target=one.delivery.flush, args=(seconds,), daemon=True) for seconds in (0.3, LONG_SECONDS / 6)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(LONG_SECONDS)
        assert not caller.is_alive()
    assert one.ledger.delivered == 1


def test_an_exit_out_of_sending_does_not_end_delivery(station: Callable[..., Station]) -> None:
    """One of a credential plugin's `sys.exit`, in the only thread, of an application that exports no more."""
    exits = iter([SystemExit, SystemExit])

    def answer(_: Batch) -> Outcome:
        for error in exits:
            raise error
        return DELIVERED

    one = station(answer)
    one.give(1)
    deadline = time.monotonic() + LONG_SECONDS / 6
    while one.ledger.delivered == 0:
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ends_leaves_its_batch_to_another(
    station: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As gevent ends one; delivery does not stop, though others have nothing to do just then."""
    begun, release = threading.Event(), threading.Event()
    exits = iter([True])

    def answer(batch: Batch) -> Outcome:
        if batch.key == KEY and next(exits, False):
            begun.set()
            release.wait(LONG_SECONDS)
            raise GeneratorExit
        return DELIVERED

    one = station(answer)
    monkeypatch.setattr(one.delivery, "_most_in_flight", lambda: 2)
    one.give(1)
    assert begun.wait(LONG_SECONDS)
    one.give(2, key=BatchKey(KEY.app_monitor, "other", "u"))
    while one.ledger.delivered == 0 or one.delivery._watch._until is None:
        time.sleep(0.001)
    release.set()
    assert one.delivery.flush(10.0)
    assert one.ledger.delivered == 2


def test_a_call_that_takes_long_holds_up_no_shipment(
    station: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking for what dead processes left may take as long as a disk does; another thread keeps watch meanwhile."""
    soon = Outcome(Verdict.RETRY, "x", retry_after_seconds=0.3)
    answers = iter([DELIVERED, DELIVERED, soon])
    both = threading.Barrier(2)

    def answer(batch: Batch) -> Outcome:
        if batch.key.session_id in "ab":
            both.wait(LONG_SECONDS)
        return next(answers, DELIVERED)

    one = station(answer)
    monkeypatch.setattr(one.delivery, "_most_in_flight", lambda: 2)
    for session in "ab":
        one.give(session, key=BatchKey(KEY.app_monitor, session, "u"))
    assert one.delivery.flush(LONG_SECONDS)
    begun, release = threading.Event(), threading.Event()

    def take_long() -> None:
        begun.set()
        release.wait(LONG_SECONDS)

    one.give("c", key=BatchKey(KEY.app_monitor, "c", "u"))
    while len(one.sent) < 3:
        time.sleep(0.001)
    one.delivery.call_after("call", 0.0, take_long)
    assert begun.wait(LONG_SECONDS)
    assert one.delivery.flush(LONG_SECONDS / 6)
    release.set()


def test_a_request_that_takes_long_holds_up_no_call(
    station: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waited long enough for its parents goes on, while the thread that kept watch sends."""
    both, begun, release, called = threading.Barrier(2), *(threading.Event() for _ in range(3))

    def answer(batch: Batch) -> Outcome:
        if batch.key.session_id in "ab":
            both.wait(LONG_SECONDS)
        else:
            begun.set()
            release.wait(LONG_SECONDS)
        return DELIVERED

    one = station(answer)
    monkeypatch.setattr(one.delivery, "_most_in_flight", lambda: 2)
    for session in "ab":
        one.give(session, key=BatchKey(KEY.app_monitor, session, "u"))
    assert one.delivery.flush(LONG_SECONDS)
    one.delivery.call_after("call", 0.3, called.set)
    one.give("c", key=BatchKey(KEY.app_monitor, "c", "u"))
    assert begun.wait(LONG_SECONDS)
    assert called.wait(LONG_SECONDS / 6)
    release.set()


@given(st.integers(1, 2000), st.floats(0, 1))
def test_backoff_stays_within_its_cap(failures: int, fraction: float) -> None:
    """However long an outage lasts."""
    assert 0 <= backoff_seconds(failures, fraction) <= MAX_BACKOFF_SECONDS
    assert backoff_seconds(failures, 1.0) <= backoff_seconds(failures + 1, 1.0)
