"""One pipeline for all exporters of a process that have the same settings: they share sessions, quota and queue.

The pipeline is imported and built with the first telemetry, so that an exporter costs little when an application
starts.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .._fork import UNFORKED, fork_lock
from .._locks import call_unlocked
from ..config import Config
from ..ledger import LedgerSnapshot

if TYPE_CHECKING:
    from ..rum.client import RumClient
    from .pipeline import Pipeline

_lock = fork_lock()
_entries: dict[tuple[Config, int], _Entry] = {}
"""By settings and id of the client."""


class ExitTime:
    """The time in which a process ends. Its exporters are shut down one after another, and share it.

    Each gets an equal share of what is left, so that an endpoint that hangs does not use up the time of the others.
    """

    def __init__(self, now_seconds: Callable[[], float] = time.monotonic) -> None:
        self._now_seconds = now_seconds
        self._began_seconds = -math.inf

    def share(self, timeout_seconds: float, exporters: int) -> float:
        """Return the time for one of the exporters that are left. The time begins with the first one."""
        now = self._now_seconds()
        # A shutdown that is much later belongs to another exit, of a thread that went on.
        if now - self._began_seconds > 2 * timeout_seconds:
            self._began_seconds = now
        return max(0.0, self._began_seconds + timeout_seconds - now) / max(1, exporters)


_exit_time = ExitTime()


def _is_at_exit() -> bool:
    """Return whether the interpreter ends, after it has joined the threads that outlive the main thread."""
    return not threading.main_thread().is_alive() and all(
        thread.daemon or not thread.is_alive() for thread in threading.enumerate()
    )


def _shares() -> int:
    """Return how many exporters are not shut down. Any may get its first telemetry at exit."""
    with _lock:
        return sum(len(entry.shares) for entry in _entries.values())


class _Entry:
    """The shares in a pipeline, and the pipeline by process id.

    A forked child has the shares of its parent, but threads, connections and stored events stay with the parent. The
    child does not use its parent's pipeline, and must keep it: collecting it would close the files of the spool.

    The shares are a set, because adding and removing is one step for a signal handler, unlike counting.
    """

    def __init__(self) -> None:
        self.shares: set[SharedPipeline] = set()
        self.pipelines: dict[int, Pipeline] = {}
        self.is_abandoned = False


def abandon(endpoint: str) -> None:
    """Close the pipelines for an endpoint that is gone on purpose, such as that of a test, without log lines.

    Their exporters accept telemetry and drop it. Exporters that are made later for the same endpoint get pipelines of
    their own.
    """
    with _lock:
        keys = [key for key in _entries if key[0].endpoint == endpoint]
        entries = [_entries.pop(key) for key in keys]
    for entry in entries:
        entry.is_abandoned = True
        pipeline = entry.pipelines.get(os.getpid())
        if pipeline is not None:
            pipeline.abandon()


class SharedPipeline:
    """A share in the pipeline of a Config and client; the last share closes it. Thread-safe."""

    def __init__(self, config: Config, client: RumClient | None) -> None:
        self._config = config
        self._client = client
        self._timeout_seconds = config.timeout_millis / 1000
        self._key = (config, id(client))
        with _lock:
            self._entry = _entries.setdefault(self._key, _Entry())
            self._entry.shares.add(self)
        if config.spool_directory:
            self.pipeline  # noqa: B018 - builds it, to deliver what earlier processes left in the spool

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline of this process, which the first use builds."""
        return self._built or self._build()

    @property
    def ledger(self) -> LedgerSnapshot:
        """The counts of the pipeline in this process."""
        pipeline = self._built
        return LedgerSnapshot() if pipeline is None else pipeline.ledger.snapshot()

    def export(self, add: Callable[[Pipeline], None]) -> None:
        """Add records to the pipeline, and wait for their delivery while the load is light.

        In a signal handler or finalizer that interrupts the pipeline's own work, the records are added after it,
        without waiting. At exit it does not wait either, as the shutdown that follows does.
        """
        if call_unlocked(lambda: add(self.pipeline)) and not _is_at_exit():
            self.pipeline.wait(self._timeout_seconds)

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until every accepted event is delivered or dropped; return false if time runs out."""
        pipeline = self._built
        return pipeline is None or pipeline.flush(timeout_seconds)

    def leave(self, timeout_seconds: float) -> None:
        """Give the share up, once: send what is queued within `timeout_seconds`; the last share closes the pipeline."""
        timeout_seconds = min(timeout_seconds, self._timeout_seconds)
        if _is_at_exit():
            timeout_seconds = _exit_time.share(timeout_seconds, _shares())
        with _lock:
            self._entry.shares.discard(self)
            is_last = not self._entry.shares
            if is_last and _entries.get(self._key) is self._entry:
                del _entries[self._key]
        pipeline = self._built
        if pipeline is None:
            return
        if is_last:
            pipeline.close(timeout_seconds)
        else:
            pipeline.final_flush(timeout_seconds)

    @property
    def _built(self) -> Pipeline | None:
        return self._entry.pipelines.get(os.getpid())

    def _build(self) -> Pipeline:
        with UNFORKED:
            from .pipeline import Pipeline

            pipeline = self._built
            if pipeline is not None:
                return pipeline
            pipeline = self._entry.pipelines[os.getpid()] = Pipeline(self._config, self._client)
        pipeline.start()
        if self._entry.is_abandoned:
            pipeline.abandon()
        if not self._entry.shares:  # the last share left while this thread was about to export
            pipeline.close(0.0)
        return pipeline
