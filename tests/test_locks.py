"""A DeferringLock postpones what a signal handler or finalizer would do in the middle of a change."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from otel_rum_exporter._locks import DeferringLock, call_unlocked

LONG_SECONDS = 30.0


def noting(notes: list[str], text: str) -> Callable[[], None]:
    """Return a call that leaves a note."""
    return lambda: notes.append(text)


def test_without_a_lock_the_call_is_made_at_once() -> None:
    """The usual case."""
    notes: list[str] = []
    assert call_unlocked(noting(notes, "now"))
    assert notes == ["now"]


def test_a_postponed_call_is_made_when_the_last_lock_is_released() -> None:
    """Also where locks are nested, and where one is acquired twice."""
    one, other, notes = DeferringLock(), DeferringLock(), list[str]()
    with one:
        with other, one:
            assert not call_unlocked(noting(notes, "first"))
            assert not call_unlocked(noting(notes, "second"))
        assert notes == []
    assert notes == ["first", "second"]


def test_the_lock_of_another_thread_postpones_nothing() -> None:
    """Only a thread that would see its own half-made change has to wait."""
    notes: list[str] = []
    with DeferringLock():
        thread = threading.Thread(target=lambda: call_unlocked(noting(notes, "beside")))
        thread.start()
        thread.join()
        assert notes == ["beside"]


def test_a_thread_that_waits_for_a_condition_makes_its_postponed_calls() -> None:
    """It waits without the lock, for an unlimited time."""
    lock, notes = DeferringLock(), list[str]()
    condition = lock.condition()
    with lock, lock:
        call_unlocked(noting(notes, "before the wait"))
        condition.wait(0.0)
        assert notes == ["before the wait"]
        assert not call_unlocked(noting(notes, "after the wait"))
    assert notes == ["before the wait", "after the wait"]


def test_a_condition_wakes_a_thread_that_holds_the_lock_twice() -> None:
    """A wait releases the lock completely, and acquires it as often afterwards."""
    lock, notes, is_waiting = DeferringLock(), list[str](), threading.Event()
    condition = lock.condition()

    def wait() -> None:
        with lock:
            with lock:
                is_waiting.set()
                assert condition.wait(LONG_SECONDS)
            call_unlocked(noting(notes, "locked once"))
            assert notes == []

    thread = threading.Thread(target=wait)
    thread.start()
    is_waiting.wait()
    with lock:
        condition.notify()
    thread.join()
    assert notes == ["locked once"]
    with pytest.raises(RuntimeError):
        condition.notify()


def test_postponed_calls_are_made_one_after_the_other() -> None:
    """Each of them takes the lock; if each made the next call, thousands of them would exhaust the stack."""
    lock, calls = DeferringLock(), list[int]()

    def call() -> None:
        with lock:
            calls.append(1)
            if len(calls) < 3:
                call_unlocked(call)

    with lock:
        for _ in range(10_000):
            call_unlocked(call)
    assert len(calls) == 10_002


def test_a_postponed_call_that_fails_is_logged_and_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """The code that releases the lock must not fail because of it."""
    lock, notes = DeferringLock(), list[str]()

    def fail() -> None:
        raise ValueError("broken")

    with caplog.at_level(logging.ERROR), lock:
        call_unlocked(fail)
        call_unlocked(noting(notes, "next"))
    assert notes == ["next"]
    assert "broken" in caplog.text


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no interval timers")
def test_an_interrupted_wait_for_the_lock_leaves_no_trace() -> None:
    """A notebook goes on after Ctrl-C, and its later exports must not be postponed forever."""
    lock, may_release, is_held = DeferringLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            is_held.set()
            may_release.wait()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    thread = threading.Thread(target=hold)
    thread.start()
    is_held.wait()
    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            lock.acquire()
    finally:
        signal.signal(signal.SIGALRM, previous)
        may_release.set()
        thread.join()
    assert call_unlocked(lambda: None)
    with lock:
        assert not call_unlocked(lambda: None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_forgets_what_its_parent_postponed() -> None:
    """The parent makes the call; made in both, it would send an event twice."""
    notes: list[str] = []
    with ExitStack() as held:
        held.enter_context(DeferringLock())
        call_unlocked(noting(notes, "parent"))
        child = os.fork()
        if child == 0:
            held.close()
            call_unlocked(noting(notes, "child"))
            os._exit(0 if notes == ["child"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert notes == ["parent"]
