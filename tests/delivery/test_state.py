"""Delivery with a simulated clock, server and disk: accepted = delivered + stored + dropped after each step."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter._receipt import Receipt
from otel_rum_exporter.delivery.action import Send, WaitUntil
from otel_rum_exporter.delivery.app_monitor_queue import QueuedBatch
from otel_rum_exporter.delivery.in_flight import MAX_IN_FLIGHT, InFlight
from otel_rum_exporter.delivery.queue import EventQueue
from otel_rum_exporter.delivery.rate_limiter import RateLimiter
from otel_rum_exporter.delivery.result import FAILED, Result
from otel_rum_exporter.delivery.sender import send_batch
from otel_rum_exporter.delivery.state import DeliveryState
from otel_rum_exporter.delivery.storage import MemoryStore, QueuedEvents
from otel_rum_exporter.ledger import DropReason, Ledger, Tally
from otel_rum_exporter.rum.batch import Batch
from otel_rum_exporter.rum.encoded_events import EncodedEvents
from otel_rum_exporter.rum.errors import Disposition, Outcome
from tests.delivery.queued import batch_key, event, ids, queued

MONITORS = st.sampled_from("xyz")
SESSIONS = st.sampled_from("abc")


DELIVERED = Outcome(Disposition.DELIVERED)
MAX_BYTES = 4000
HOUR_NS = 3600 * 10**9
YEAR_NS = 8760 * HOUR_NS


class FakeDisk(MemoryStore):
    """A store whose contents survive a close, unless they are lost."""

    def __init__(self, max_bytes: float = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self.contents: dict[QueuedEvents, EncodedEvents] = {}
        self.lost: set[QueuedEvents] = set()

    def events(self, queued: QueuedEvents) -> EncodedEvents | None:
        """Return the events; None if they are lost."""
        return self.contents.get(queued)

    def remove(self, queued: Sequence[QueuedEvents]) -> None:
        """Remove events."""
        for one in queued:
            self.contents.pop(one, None)
            self.lost.discard(one)

    def replace(self, replaced: Sequence[QueuedEvents], by: Sequence[QueuedEvents]) -> None:
        """Remove events and store others."""
        self.remove(replaced)
        for one in by:
            assert one.events is not None
            self.contents[one], one.events, one.location = one.events, None, "disk"

    def lose(self, index: int) -> None:
        """Lose some of the contents."""
        queued = list(self.contents)[index % len(self.contents)]
        del self.contents[queued]
        self.lost.add(queued)

    def disk_limit_bytes(self) -> float:
        """Return the limit for events on disk."""
        return self._max_bytes

    @property
    def count(self) -> int:
        """The number of events, with those whose loss is not discovered yet."""
        return sum(queued.count for queued in (*self.contents, *self.lost))


class DeliveryMachine(RuleBasedStateMachine):
    """Any order of exports, requests, responses, evictions and waits, on disk or in memory, and then a close."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        super().__init__()
        self.now = 0.0
        self.wall_ns = YEAR_NS
        self.number = 0
        self.ledger = Ledger()
        self.store = store or MemoryStore()
        self.state = DeliveryState(
            queue=EventQueue(max_events_per_request=3),
            store=self.store,
            rate_limiter=RateLimiter(2, self.now),
            ledger=self.ledger,
            log=RateLimitedLog(),
            max_memory_bytes=MAX_BYTES,
        )
        self.in_flight: list[QueuedBatch] = []
        self.unsettled: list[tuple[QueuedBatch, Result]] = []
        self.delivered_ids: list[str] = []
        self.refused: set[str] = set()
        self.receipt_of: dict[str, int] = {}
        self.settled: Counter[int] = Counter()

    @rule(monitor=MONITORS)
    def refuse_or_accept_an_app_monitor(self, monitor: str) -> None:
        """Delete an app monitor, or create it again."""
        self.refused ^= {monitor}

    @rule(monitor=MONITORS, session=SESSIONS, count=st.integers(1, 5), size=st.sampled_from([2, 500]))
    def accept(self, monitor: str, session: str, count: int, size: int) -> None:
        """Accept events, and drop those evicted for them."""
        key = batch_key(session, monitor)
        events = [event(self.number + index, size) for index in range(count)]
        self.number += count
        self.ledger.accept(Tally.of(one.record for one in events))
        number = self.number
        receipt = Receipt(lambda: self.settled.update([number]))
        self.receipt_of.update((one.id, number) for one in events)
        queued = self.state.queue.pack({key: events}, self.wall_ns, {key: (receipt,)})
        self.store.replace((), queued)
        for reason, _, evicted in self.state.enqueue(queued, self.now):
            self.state.drop(reason, evicted, "")
        receipt.release()
        assert self.state.queue.memory_bytes <= MAX_BYTES
        assert self.state.queue.disk_bytes <= self.store.disk_limit_bytes()

    @rule(seconds=st.floats(0, 100))
    def pass_time(self, seconds: float) -> None:
        """Move both clocks forward."""
        self.now += seconds
        self.wall_ns += int(seconds * 1e9)

    @rule(hours=st.floats(-72, 72))
    def set_wall_clock(self, hours: float) -> None:
        """Set the wall clock forward or back. The monotonic clock stays."""
        self.wall_ns += int(hours * HOUR_NS)

    @rule()
    def act(self) -> None:
        """Take a batch if the next action is to send, or wait until there is one."""
        action = self.state.next_action(self.now)
        if isinstance(action, WaitUntil):
            is_sendable = self.state.queue.events > 0 and self.state.has_free_slot
            assert (action.seconds < math.inf) == is_sendable
            if is_sendable:
                self.pass_time(action.seconds + 1e-6 - self.now)
                action = self.state.next_action(self.now)
        if isinstance(action, Send):
            self.in_flight.append(self.state.take(self.now))

    @precondition(lambda self: self.in_flight)
    @rule(
        index=st.integers(0, 7),
        disposition=st.sampled_from(Disposition),
        retry_after_seconds=st.none() | st.floats(0, 1000),
        reason=st.sampled_from(["reason", "EndpointConnectionError"]),
    )
    def respond(self, index: int, disposition: Disposition, retry_after_seconds: float | None, reason: str) -> None:
        """Respond to a request, or refuse its app monitor. The result is applied later."""
        batch = self.in_flight.pop(index % len(self.in_flight))
        if batch.key.app_monitor.id in self.refused:
            disposition, reason = Disposition.WAIT, "ResourceNotFoundException"

        def send(sent: Batch) -> Outcome:
            if disposition is Disposition.DELIVERED:
                self.delivered_ids += [one.id for one in sent.events]
                return DELIVERED
            return Outcome(disposition, reason, retry_after_seconds=retry_after_seconds)

        result = send_batch(batch, send=send, store=self.store, ledger=self.ledger)
        self.unsettled.append((batch, result))

    @precondition(lambda self: self.in_flight)
    @rule()
    def fail(self) -> None:
        """Fail to send, as after an exception."""
        batch = self.in_flight.pop()
        self.unsettled.append((batch, Result(FAILED, batch)))

    @precondition(lambda self: self.unsettled)
    @rule(index=st.integers(0, 7), jitter=st.floats(0, 1))
    def apply(self, index: int, jitter: float) -> None:
        """Apply the result of a request."""
        batch, result = self.unsettled.pop(index % len(self.unsettled))
        self.state.apply(batch, result, self.now, jitter)

    @precondition(lambda self: self.number)
    @rule(hours=st.floats(0, 96), is_durable=st.booleans())
    def expire(self, hours: float, *, is_durable: bool) -> None:
        """Drop events that are older than some hours, by the wall clock."""
        for reason, expired in self.state.expire(self.wall_ns - int(hours * HOUR_NS), is_durable=is_durable):
            self.state.drop(reason, expired, "")

    @rule()
    def prepare_final_flush(self) -> None:
        """Allow a request at once, if a slot is free."""
        self.state.prepare_final_flush(self.now, 10.0)
        assert self.now + 1.0 <= self.state.final_flush_deadline <= self.now + 10.0
        if self.state.queue.events and self.state.has_free_slot:
            assert isinstance(self.state.next_action(self.now), Send)

    @invariant()
    def every_event_is_delivered_stored_or_dropped(self) -> None:
        """Compare the ledger with the state, and with the server, which received no event twice."""
        assert self.ledger.accepted == self.number
        assert self.ledger.stored == self.state.stored_events
        assert len(self.state.in_flight.batches) == len(self.in_flight) + len(self.unsettled)
        unsettled = sum(
            one.batch.count for _, one in self.unsettled if one.outcome.disposition is Disposition.DELIVERED
        )
        assert len(self.delivered_ids) == len(set(self.delivered_ids)) == self.ledger.delivered + unsettled

    @invariant()
    def no_receipt_settles_before_its_events(self) -> None:
        """Compare the settled receipts with the events in memory. A receipt may settle later than its own events."""
        in_memory = [
            *self.state.queue.queued(),
            *(part for batch in self.state.in_flight.batches for part in batch.parts if not part.is_on_disk),
        ]
        assert self.settled.keys().isdisjoint(self.receipt_of[one] for one in ids(in_memory))
        assert set(self.settled.values()) <= {1}

    def teardown(self) -> None:
        """Close, apply the results of requests in flight, and compare with the events left for the next process."""
        self.state.close()
        for batch in self.in_flight:
            self.unsettled.append((batch, Result(FAILED, batch)))
        for batch, result in self.unsettled:
            self.state.apply(batch, result, self.now, 0.0)
        assert self.ledger.stored == (self.store.count if isinstance(self.store, FakeDisk) else 0)
        assert self.settled == Counter(set(self.receipt_of.values()))


class DiskMachine(DeliveryMachine):
    """The same with a disk that loses events."""

    def __init__(self) -> None:
        self.disk = FakeDisk()
        super().__init__(self.disk)

    @precondition(lambda self: self.disk.contents)
    @rule(index=st.integers(0, 20))
    def lose(self, index: int) -> None:
        """Lose events on disk. The loss is discovered when they are sent."""
        self.disk.lose(index)


# Few, for short examples of failures. `test_schedules` runs many.
SETTINGS = settings(max_examples=20, stateful_step_count=60, deadline=None)
TestMemory = DeliveryMachine.TestCase
TestMemory.settings = SETTINGS
TestDisk = DiskMachine.TestCase
TestDisk.settings = SETTINGS


def make_state(
    *, rate: int = 50, store: MemoryStore | None = None, max_bytes: int = 10**6, log: RateLimitedLog | None = None
) -> DeliveryState:
    """Return a state with an empty queue."""
    return DeliveryState(
        queue=EventQueue(max_events_per_request=100),
        store=store or MemoryStore(),
        rate_limiter=RateLimiter(rate, 0.0),
        ledger=Ledger(),
        log=log or RateLimitedLog(),
        max_memory_bytes=max_bytes,
    )


def send(
    state: DeliveryState, disposition: Disposition, now: float, *, seconds: float = 0.0, jitter: float = 0.0
) -> None:
    """Send the next batch, with a response."""
    batch = state.take(now)
    state.apply(batch, Result(Outcome(disposition, "reason"), batch, seconds=seconds), now, jitter)


def test_failures_reduce_concurrency_until_a_success() -> None:
    """One request at a time finds out whether RUM accepts events again."""
    state = make_state()
    state.enqueue([queued("a", 0)], 0.0)
    send(state, Disposition.DELIVERED, 0.0)
    state.in_flight.measured(1.0)
    assert state.max_in_flight == MAX_IN_FLIGHT
    state.enqueue([queued("a", 1)], 0.0)
    for failures in (1, 2):
        send(state, Disposition.RETRY, float(failures))
        assert (state.failures_in_a_row, state.max_in_flight) == (failures, 1)
    send(state, Disposition.DELIVERED, 3.0, seconds=0.03)
    assert (state.failures_in_a_row, state.max_in_flight) == (0, 2)
    state.enqueue([queued("a", 2)], 4.0)
    send(state, Disposition.RETRY, 4.0, jitter=1.0)
    state.enqueue([queued("b", 3)], 4.0)
    assert isinstance(state.next_action(4.0), Send), "the first failure after a success does not pause the app monitor"


def test_the_first_request_says_nothing_about_latency() -> None:
    """It imports boto3. Else the next requests would start as many threads as a slow service needs."""
    state = make_state()
    for seconds, limit in ((0.4, 1), (0.03, 2)):
        state.enqueue([queued("a", 1)], 0.0)
        send(state, Disposition.DELIVERED, 0.0, seconds=seconds)
        assert state.max_in_flight == limit


@pytest.mark.parametrize("disposition", [Disposition.DELIVERED, Disposition.RETRY])
def test_after_a_slow_import_of_boto3_exports_wait(disposition: Disposition) -> None:
    """On a busy machine it took over two seconds. An export did not wait, and the process ended before the delivery."""
    state = make_state()
    state.enqueue([queued("a", 1), queued("b", 2)], 0.0)
    send(state, disposition, 3.0, seconds=3.0)
    assert not state.is_outage(2.0, 3.0)
    send(state, Disposition.DELIVERED, 6.0, seconds=3.0)
    assert state.is_outage(2.0, 6.0), "the second request imports nothing"


def test_throttling_and_success_change_the_rate() -> None:
    """The rate limiter gets the outcome of each request."""
    state = make_state()
    state.enqueue([queued("a", 1)], 0.0)
    send(state, Disposition.THROTTLED, 1.0)
    assert state.rate_limiter.per_second == 25.0
    send(state, Disposition.DELIVERED, 3.0)
    assert state.rate_limiter.per_second == 26.0


def test_halves_are_sent_before_other_batches() -> None:
    """They replace the rejected batch."""
    state = make_state()
    state.enqueue([queued("a", 1, 2), queued("b", 3)], 0.0)
    batch = state.take(0.0)
    halves = tuple(QueuedBatch.of([queued("a", name)]) for name in (1, 2))
    state.apply(batch, Result(Outcome(Disposition.SPLIT), batch, halves), 0.0, 0.0)
    assert [ids(state.take(0.0).parts) for _ in range(3)] == [ids([queued("a", name)]) for name in (1, 2, 3)]


def test_the_final_flush_knows_for_how_long_rum_accepted_nothing() -> None:
    """The time starts with the first event in an empty queue, and again with each request that did not fail."""
    state = make_state()

    def waited(now: float) -> float:
        state.prepare_final_flush(now, 100.0)
        return 100.0 - (state.final_flush_deadline - now)

    assert waited(9.0) == 0.0
    state.enqueue([queued("a", 1)], 10.0)
    state.enqueue([queued("b", 2)], 12.0)
    assert waited(15.0) == 5.0
    send(state, Disposition.RETRY, 16.0)
    assert waited(17.0) == 7.0
    send(state, Disposition.DELIVERED, 18.0)
    assert waited(20.0) == 2.0
    send(state, Disposition.DELIVERED, 20.0)
    state.enqueue([queued("a", 3), queued("b", 4)], 20.0)
    send(state, Disposition.SPLIT, 21.0)
    assert waited(22.0) == 1.0
    state.prepare_final_flush(400.0, 0.5)
    assert state.final_flush_deadline == 400.5


def test_the_queue_is_full_above_three_quarters_of_a_limit() -> None:
    """The rest is for sources that cannot send again."""
    stored = queued("a", *range(10))
    for share, is_full in ((0.7, False), (0.8, True)):
        state = make_state(max_bytes=int(stored.memory_bytes / share))
        state.enqueue([stored], 0.0)
        assert state.is_full(["m"]) is is_full
        on_disk = queued("a", *range(10))
        disk = FakeDisk(on_disk.size_bytes / share)
        disk.replace((), [on_disk])
        state = make_state(store=disk)
        state.enqueue([on_disk], 0.0)
        assert state.is_full(["m"]) is is_full


def test_little_s_law_limits_the_requests_in_flight() -> None:
    """Latency times rate, rounded up. A longer latency counts slowly, a shorter one at once."""
    in_flight = InFlight()
    assert in_flight.limit(50) == 1
    in_flight.measured(0.05)
    assert in_flight.limit(50) == 3
    assert in_flight.limit(0) == MAX_IN_FLIGHT == 8
    in_flight.measured(1.05)
    assert in_flight.limit(50) == 5
    in_flight.measured(0.01)
    assert in_flight.limit(50) == 1


def test_a_batch_whose_events_are_all_lost_is_no_failure() -> None:
    """It made no request, and is counted as damaged."""
    disk = FakeDisk()
    state = make_state(store=disk)
    lost = queued("a", 1)
    disk.replace((), [lost])
    state.enqueue([lost], 0.0)
    disk.lose(0)
    batch = state.take(0.0)
    result = send_batch(batch, send=lambda _: pytest.fail("no request is made"), store=disk, ledger=Ledger())
    state.apply(batch, result, 0.0, 0.0)
    assert (state.failures_in_a_row, state.stored_events, disk.count) == (0, 0, 0)


def test_the_log_says_whether_events_are_in_memory_only(caplog: pytest.LogCaptureFixture) -> None:
    """These do not survive the process. At close the line has the last response, unless it was a success."""
    disk, log = FakeDisk(), RateLimitedLog()
    for store, suffix in ((MemoryStore(), " in memory only"), (disk, "")):
        state = make_state(store=store, log=log)
        stored = queued("a", 1)
        store.replace((), [stored])
        state.enqueue([stored], 0.0)
        batch = state.take(0.0)
        state.apply(batch, Result(Outcome(Disposition.RETRY, f"reason{suffix}"), batch), 0.0, 0.0)
        log.write()
        assert f"1 event queued{suffix}, retrying." in caplog.messages[-1]
    state = make_state(log=log)
    state.enqueue([queued("a", 1)], 0.0)
    send(state, Disposition.RETRY, 0.0)
    send(state, Disposition.DELIVERED, 1.0)
    state.enqueue([queued("a", 2)], 2.0)
    state.close()
    log.write()
    assert "check why RUM did not respond in time" in caplog.messages[-1]


def test_the_log_has_the_fix_and_the_last_response(caplog: pytest.LogCaptureFixture) -> None:
    """Without a known fix, a retry needs none, and a loss at close needs a check of the network."""
    for advice, of_retry, of_close in (
        ("raise the quota", "raise the quota", "raise the quota"),
        ("", "nothing, unless it continues", "check why RUM was not reached"),
    ):
        log = RateLimitedLog()
        state = make_state(log=log)
        state.enqueue([queued("a", 1)], 0.0)
        batch = state.take(0.0)
        outcome = Outcome(Disposition.RETRY, "TimeoutError", "too slow", advice)
        state.apply(batch, Result(outcome, batch), 0.0, 0.0)
        log.write()
        assert caplog.messages[-1].endswith(f"To fix: {of_retry}.")
        state.close()
        log.write()
        assert f"{of_close} (the last response was TimeoutError: too slow)" in caplog.messages[-1]


def test_slow_requests_are_an_outage_for_exports() -> None:
    """Each `end()` of a SimpleSpanProcessor took two seconds without end, while RUM took three to respond."""
    state = make_state()
    state.enqueue([queued("a", 0), queued("b", 1), queued("c", 2), queued("d", 3)], 0.0)
    send(state, Disposition.DELIVERED, 0.0)  # imports boto3
    assert not state.is_outage(2.0, 0.0)
    send(state, Disposition.DELIVERED, 3.0, seconds=3.0)
    assert state.is_outage(2.0, 3.0)
    send(state, Disposition.DELIVERED, 3.0, seconds=0.1)
    assert not state.is_outage(2.0, 4.0)
    batch = state.take(4.0)
    assert not state.is_outage(2.0, 6.0)
    assert state.is_outage(2.0, 6.1), "a request without a response counts too"
    state.apply(batch, Result(Outcome(Disposition.RETRY, "ReadTimeoutError"), batch, seconds=10.0), 14.0, 0.0)
    assert state.failures_in_a_row == 1
    assert state.is_outage(2.0, 14.0)


def test_rum_throttles_until_a_request_ends_in_another_way() -> None:
    """An outage after a throttled request is an outage."""
    state = make_state()
    state.enqueue([queued("a", 1), queued("b", 2)], 0.0)
    assert state.backlog == (2, False)
    send(state, Disposition.THROTTLED, 0.0)
    assert state.backlog == (2, True)
    send(state, Disposition.RETRY, 1000.0)
    assert state.backlog == (2, False)
    send(state, Disposition.THROTTLED, 2000.0)
    send(state, Disposition.DELIVERED, 3000.0)
    assert state.backlog == (1, False)


def test_retries_at_exit_are_hopeless_only_if_they_cannot_save_events() -> None:
    """RUM cannot be reached, and the events are on disk, or RUM was never reached."""
    refused = Outcome(Disposition.RETRY, "EndpointConnectionError")

    def fail(state: DeliveryState, outcome: Outcome) -> None:
        batch = state.take(1000.0)
        state.apply(batch, Result(outcome, batch), 1000.0, 0.0)

    state = make_state()
    state.enqueue([queued("a", 1), queued("b", 2)], 0.0)
    assert not state.is_hopeless
    fail(state, refused)
    assert state.is_hopeless
    fail(state, Outcome(Disposition.RETRY, "InternalServerException"))
    assert not state.is_hopeless, "RUM responds again"
    send(state, Disposition.DELIVERED, 1000.0)
    fail(state, refused)
    assert not state.is_hopeless, "RUM was reached before, and the event is in memory"

    disk = FakeDisk()
    state = make_state(store=disk)
    on_disk = [queued("a", 1), queued("b", 2)]
    disk.replace((), on_disk)
    state.enqueue(on_disk, 0.0)
    send(state, Disposition.DELIVERED, 0.0)
    fail(state, refused)
    assert state.is_hopeless


def test_a_refused_app_monitor_leaves_room_for_the_others() -> None:
    """4,700 spans for a deleted app monitor closed the gateway: 74 of 74 requests for another one got a 503."""
    state = make_state(max_bytes=400_000)
    for number in range(500):
        events = state.queue.pack({batch_key(str(number), "deleted"): [event(number, 500)]}, number)
        for reason, _, evicted in state.enqueue(events, 0.0):
            state.drop(reason, evicted, "")
    batch = state.take(0.0)
    state.apply(batch, Result(Outcome(Disposition.WAIT, "ResourceNotFoundException"), batch), 0.0, 0.0)
    assert state.is_refused("deleted")
    assert state.backlog.events == 0
    assert state.is_full(["deleted"])
    assert not state.is_full(["alive"])
    assert not state.is_full(["deleted", "alive"]), "a request with records of both is accepted"
    assert state.has_room
    for number in range(74):
        alive = state.queue.pack({batch_key(str(number), "alive"): [event(f"alive {number}", 500)]}, 1000 + number)
        for reason, _, evicted in state.enqueue(alive, 1.0):
            assert {one.key.app_monitor.id for one in evicted} <= {"deleted"}
            state.drop(reason, evicted, "")
        assert state.queue.memory_bytes <= 400_000
    assert not state.is_full(["another"])
    assert state.backlog.events == 74, "events that no load delivers are no backlog"


def test_a_queue_whose_app_monitors_are_accepted_is_full_for_all() -> None:
    """RUM is down. The gateway is not ready, and every source waits."""
    state = make_state(max_bytes=100_000)
    for number in range(500):
        for monitor in "xy":
            events = state.queue.pack({batch_key(str(number), monitor): [event(f"{monitor}{number}", 500)]}, number)
            state.enqueue(events, 0.0)
    assert state.is_full(["x"])
    assert state.is_full(["y"])
    assert not state.has_room


def test_events_of_a_refused_app_monitor_expire_with_a_reason_of_their_own() -> None:
    """Also in memory. Other events in memory have no limit of age."""
    for is_durable in (False, True):
        state = make_state()
        for monitor in ("deleted", "alive"):
            state.enqueue(state.queue.pack({batch_key("s", monitor): [event(monitor)]}, 1), 0.0)
        batch = state.take(0.0)
        assert batch.key.app_monitor.id == "deleted"
        state.apply(batch, Result(Outcome(Disposition.WAIT, "ResourceNotFoundException"), batch), 0.0, 0.0)
        assert [sum(one.count for one in events) for _, events in state.expire(1, is_durable=is_durable)] == [0] * (
            1 + is_durable
        )
        expired = {
            reason: [one.key.app_monitor.id for one in events]
            for reason, events in state.expire(2, is_durable=is_durable)
        }
        alive = {DropReason.EXPIRED: ["alive"]} if is_durable else {}
        assert expired == {DropReason.APP_MONITOR_REFUSED: ["deleted"], **alive}
