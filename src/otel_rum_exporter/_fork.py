"""Locks for work that a fork must not interrupt: the child process would keep its half forever."""

from __future__ import annotations

import os

from ._locks import DeferringLock


def fork_lock() -> DeferringLock:
    """Return a lock that a fork waits for, and that is free in both processes afterwards."""
    lock = DeferringLock()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock


UNFORKED = fork_lock()
"""Hold it while a thread imports a module, builds a pipeline, or uses the spool."""
