"""The next action of a delivery thread, for all states of queue, rate limiter and timers."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.delivery.action import Call, Send, WaitUntil, next_action, next_send_seconds
from otel_rum_exporter.delivery.queue import EventQueue
from otel_rum_exporter.delivery.rate_limiter import RateLimiter
from otel_rum_exporter.delivery.timers import Timers
from tests.delivery.queued import batch_key, queued

NOW = 1000.0


def make_queue(*sessions: str) -> EventQueue:
    """Return a queue with one event of each session."""
    queue = EventQueue(max_events_per_request=1)
    queue.add([queued(session, session) for session in sessions], NOW)
    return queue


def make_timers(**seconds: float) -> Timers:
    """Return timers by name."""
    timers = Timers()
    for name, at_seconds in seconds.items():
        timers.add(name, at_seconds, lambda: None)
    return timers


def test_nothing_is_planned_for_an_empty_queue() -> None:
    """A thread waits until it is woken."""
    action = next_action(make_queue(), RateLimiter(0, NOW), Timers(), NOW, has_free_slot=True)
    assert action == WaitUntil(math.inf)


def test_a_due_timer_is_called_before_a_send() -> None:
    """Calls are rare, and sends would delay them under load."""
    timers = make_timers(later=NOW + 1, due=NOW)
    assert next_action(make_queue("a"), RateLimiter(0, NOW), timers, NOW, has_free_slot=True) == Call("due")


def test_a_queued_batch_is_sent_at_once() -> None:
    """Nothing limits it."""
    assert isinstance(next_action(make_queue("a"), RateLimiter(1, NOW), Timers(), NOW, has_free_slot=True), Send)


def test_the_rate_limit_delays_a_send_but_no_call() -> None:
    """The thread wakes for the earlier of both."""
    rate_limiter = RateLimiter(1, NOW)
    rate_limiter.take(NOW)
    for timers, until in ((Timers(), NOW + 1), (make_timers(call=NOW + 0.5), NOW + 0.5)):
        assert next_action(make_queue("a"), rate_limiter, timers, NOW, has_free_slot=True) == WaitUntil(until)


def test_without_a_free_slot_only_timers_are_planned() -> None:
    """The end of a request wakes a thread."""
    timers = make_timers(call=NOW + 5)
    assert next_action(make_queue("a"), RateLimiter(0, NOW), timers, NOW, has_free_slot=False) == WaitUntil(NOW + 5)
    assert next_send_seconds(make_queue("a"), RateLimiter(0, NOW), NOW, has_free_slot=False) == math.inf


def test_a_timer_has_the_earlier_of_two_times() -> None:
    """A later time of the same name is ignored, so that no call is postponed for ever."""
    timers = make_timers(call=NOW + 2)
    timers.add("call", NOW + 9, lambda: None)
    assert timers.next_seconds() == NOW + 2
    timers.add("call", NOW + 1, lambda: None)
    assert timers.next_seconds() == NOW + 1


@given(
    sessions=st.integers(0, 3),
    taken=st.integers(0, 5),
    limit=st.integers(0, 3),
    pause=st.floats(-10, 10),
    timer=st.none() | st.floats(-10, 10),
    has_free_slot=st.booleans(),
)
def test_waiting_until_the_given_time_leads_to_an_action(
    *, sessions: int, taken: int, limit: int, pause: float, timer: float | None, has_free_slot: bool
) -> None:
    """A thread neither waits for ever while something is planned, nor wakes in vain."""
    queue = make_queue(*"abc"[:sessions])
    if sessions:
        queue.pause(batch_key(), NOW + pause)
    rate_limiter = RateLimiter(limit, NOW)
    for _ in range(taken):
        rate_limiter.take(NOW)
    timers = Timers() if timer is None else make_timers(call=NOW + timer)
    action = next_action(queue, rate_limiter, timers, NOW, has_free_slot=has_free_slot)
    is_planned = timer is not None or (sessions > 0 and has_free_slot)
    if isinstance(action, WaitUntil):
        assert action.seconds > NOW
        assert (action.seconds < math.inf) == is_planned
    if isinstance(action, WaitUntil) and is_planned:
        woken = next_action(queue, rate_limiter, timers, action.seconds + 1e-6, has_free_slot=has_free_slot)
        assert not isinstance(woken, WaitUntil)
