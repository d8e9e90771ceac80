"""Resources that a test must release: shared pipelines, threads, file descriptors and child processes."""
# ruff: noqa: PTH115, PTH208 - pathlib takes three times as long, and each test looks twice

from __future__ import annotations

import contextlib
import gc
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from otel_rum_exporter.exporter import registry

WAIT_SECONDS = 30.0
"""The time for a thread, connection or process that is ending to end."""

ALLOWED = {
    r"^descriptor of anon_inode:\[(eventpoll|eventfd)\]$": "gRPC keeps its poller for the life of the process; an "
    "event loop that is left open also leaves its sockets or pipes",
}
"""Things that may stay, each as a pattern of its description, and the reason."""

_PROCESS = "/proc/self"

# libuv opens one pipe for the whole process with its first loop. It must not count as that of a test.
with contextlib.suppress(ImportError):
    import uvloop

    uvloop.new_event_loop().close()


@contextmanager
def no_leaks() -> Iterator[None]:
    """Fail if anything that the block opens is still open some seconds after the block."""
    before = _open_resources()
    yield
    deadline, pause_seconds = time.monotonic() + WAIT_SECONDS, 0.01
    while left := _not_allowed(_open_resources() - before):
        assert time.monotonic() < deadline, f"not released: {left}"
        gc.collect()  # clients of libraries close their connections when they are collected
        time.sleep(pause_seconds)
        pause_seconds = min(2 * pause_seconds, 0.5)


def _open_resources() -> Counter[Hashable]:
    """Return what this process holds. Descriptors and child processes are known on Linux only."""
    shares = [share for entry in registry._entries.values() for share in entry.shares]
    return Counter([*shares, *threading.enumerate(), *_descriptors(), *_child_processes()])


def _descriptors() -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError):  # there is no /proc
        for descriptor in os.listdir(f"{_PROCESS}/fd"):
            with contextlib.suppress(FileNotFoundError):  # the descriptor of this listing
                yield f"descriptor of {os.readlink(f'{_PROCESS}/fd/{descriptor}')}"


def _child_processes() -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError):  # there is no /proc
        for thread in os.listdir(f"{_PROCESS}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
                children = os.open(f"{_PROCESS}/task/{thread}/children", os.O_RDONLY)
                try:
                    yield from (f"child process {pid}" for pid in os.read(children, 65536).decode().split())
                finally:
                    os.close(children)


def _not_allowed(resources: Counter[Hashable]) -> list[str]:
    described = [str(one) for one in resources.elements()]
    return [one for one in described if not any(re.search(pattern, one) for pattern in ALLOWED)]
