"""Threads with nothing to do: one waits for the moment at which something can be done, the others for that one."""

from __future__ import annotations

import math
import threading

from .._locks import DeferringLock


class Watch:
    """Wake one thread for a piece of work, not all that wait. Its methods are called under the lock it was given."""

    def __init__(self, lock: DeferringLock) -> None:
        self._work = lock.condition()
        self._spare = lock.condition()
        self._until: float | None = None

    def keep(self, until: float, limit: float, now: float) -> None:
        """Wait for work until a moment; where another thread does so already, until that one is busy.

        Nobody waits beyond his own limit.
        """
        if self._until is not None:
            if until < self._until:
                self._work.notify()
            self._spare.wait(_wait_seconds(limit - now))
            return
        self._until = until
        try:
            self._work.wait(_wait_seconds(min(until, limit) - now))
        finally:
            self._until = None

    def wake(self) -> None:
        """Let a thread that has nothing to do look for work."""
        (self._spare if self._until is None else self._work).notify()

    def pass_on(self) -> None:
        """Let another thread keep watch, from one that may not come back soon."""
        self._spare.notify()

    def end(self) -> None:
        """Let all threads look what has become of them."""
        self._work.notify_all()
        self._spare.notify_all()


def _wait_seconds(seconds: float) -> float | None:
    """Return a wait as conditions take it: without end, or no longer than they can."""
    return None if seconds == math.inf else min(max(0.0, seconds), threading.TIMEOUT_MAX)
