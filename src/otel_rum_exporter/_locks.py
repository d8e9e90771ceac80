"""A lock that postpones re-entrant work until it is released.

Python runs signal handlers and finalizers between any two steps of a thread, also while the thread holds a lock. If
they export a span at that moment, a plain lock never returns. A re-entrant lock shows them a half-made change. A second
lock can deadlock with a thread that takes both in the other order. `call_unlocked` avoids all three.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable


class _Thread(threading.local):
    """The number of deferring locks that the current thread holds or acquires, and the calls it has postponed."""

    def __init__(self) -> None:
        self.held = 0
        self.postponed: deque[Callable[[], object]] = deque()
        self.is_calling = False


_thread = _Thread()


def call_unlocked(call: Callable[[], object]) -> bool:
    """Call now and return true; while the thread holds a `DeferringLock`, postpone the call and return false.

    The thread itself makes the postponed call, as soon as it has released all of them.
    """
    if _thread.held:
        _thread.postponed.append(call)
        return False
    call()
    return True


class DeferringLock:
    """A re-entrant lock, as `threading.RLock`, that postpones what its thread gives to `call_unlocked`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._count = 0

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> None:
        _thread.held += 1
        try:
            self._lock.acquire()
        except BaseException:  # Ctrl-C, before the lock was acquired or just after
            with contextlib.suppress(RuntimeError):
                self._lock.release()
            _released(1)
            raise
        self._count += 1

    def release(self) -> None:
        self._count -= 1
        try:
            self._lock.release()
        finally:
            _released(1)

    def condition(self) -> threading.Condition:
        """Return a condition of this lock; a thread that waits for it does not hold the lock."""
        return threading.Condition(self)  # type: ignore[arg-type] # it needs the methods below, as RLock has them

    def _is_owned(self) -> bool:
        return self._count > 0

    def _release_save(self) -> int:
        count, self._count = self._count, 0
        for _ in range(count):
            self._lock.release()
        _released(count)
        return count

    def _acquire_restore(self, count: int) -> None:
        _thread.held += count
        for _ in range(count):
            self._lock.acquire()
        self._count = count


def _released(count: int) -> None:
    """Make the postponed calls once the thread holds no lock; one after the other, not one within the other."""
    _thread.held -= count
    while _thread.postponed and not _thread.held and not _thread.is_calling:
        _thread.is_calling = True
        try:
            while _thread.postponed:
                _thread.postponed.popleft()()
        except Exception:
            # The code that releases the lock has nothing to do with the call, and must not fail because of it.
            logging.getLogger("otel_rum_exporter").exception("CloudWatch RUM: a postponed export failed. Report this.")
        finally:
            _thread.is_calling = False


def _after_fork_in_child() -> None:
    """Forget what the forking thread has postponed: the parent does it."""
    _thread.postponed.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
