"""What must not be half done when the process forks: its child would have the one half for ever."""

from __future__ import annotations

import os
import threading

UNFORKED = threading.RLock()
"""Hold it while a module is imported by a thread, or SQLite is at work: a fork waits until nobody does."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=UNFORKED.acquire, after_in_parent=UNFORKED.release, after_in_child=UNFORKED.release)
