"""Leader/follower wait: one idle thread sleeps until the next deadline, the others until it is busy."""

from __future__ import annotations

import threading

from .._locks import DeferringLock


class IdleWait:
    """Wakes one idle thread for a piece of work, not all of them. Call its methods with the lock held."""

    def __init__(self, lock: DeferringLock) -> None:
        self._leader = lock.condition()
        self._followers = lock.condition()
        self._leader_until: float | None = None

    @property
    def has_leader(self) -> bool:
        """Whether a thread waits for the next deadline."""
        return self._leader_until is not None

    def wait(self, until: float, limit: float, now: float) -> None:
        """Wait for work until a deadline as leader, or as follower until the leader is busy. No longer than `limit`."""
        if self._leader_until is not None:
            if until < self._leader_until:
                self._leader.notify()
            self._followers.wait(min(limit - now, threading.TIMEOUT_MAX))
            return
        self._leader_until = until
        try:
            self._leader.wait(min(until - now, limit - now, threading.TIMEOUT_MAX))
        finally:
            self._leader_until = None

    def wake(self) -> None:
        """Wake an idle thread for new work."""
        (self._leader if self.has_leader else self._followers).notify()

    def hand_over(self) -> None:
        """Make a follower the leader if there is none. Called by a thread that starts work of unknown duration."""
        if not self.has_leader:
            self._followers.notify()

    def wake_all(self) -> None:
        """Wake all threads."""
        self._leader.notify_all()
        self._followers.notify_all()
