"""Delivery threads without work: which of them a hand-over wakes."""

import math
import threading

import pytest

from otel_rum_exporter._locks import DeferringLock
from otel_rum_exporter.delivery.idle_wait import IdleWait
from tests.waiting import wait_until


def test_a_hand_over_wakes_a_thread_only_if_there_is_no_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request hands over. A thread that wakes in vain takes the interpreter from the one that sends."""
    lock = DeferringLock()
    idle_wait = IdleWait(lock)
    notified: list[int] = []
    monkeypatch.setattr(idle_wait._followers, "notify", lambda: notified.append(len(notified)))

    def wait() -> None:
        with lock:
            idle_wait.wait(math.inf, math.inf, 0.0)

    leader = threading.Thread(target=wait, daemon=True)
    leader.start()
    wait_until(lambda: idle_wait.has_leader)
    with lock:
        idle_wait.hand_over()
        idle_wait.wake()
    assert not notified
    leader.join()
    with lock:
        idle_wait.hand_over()
    assert notified
