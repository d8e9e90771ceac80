"""What must not be half done when the process forks: its child would have the one half for ever."""

from __future__ import annotations

import os
import threading


def fork_lock() -> threading.RLock:
    """Return a lock that a fork waits for until nobody holds it, and that both processes have afterwards."""
    lock = threading.RLock()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock


UNFORKED = fork_lock()
"""Hold it while a module is imported by a thread, or SQLite is at work."""
