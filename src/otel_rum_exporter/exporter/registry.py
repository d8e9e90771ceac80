"""One pipeline for all exporters of a process that have the same settings: sessions, quota and outbox are shared."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .._fork import fork_lock
from ..config import Config
from .pipeline import Pipeline

if TYPE_CHECKING:
    from ..rum.client import RumClient

_Key = tuple[Config, int]

_turn = fork_lock()
"""Of a thread that comes or leaves. A signal handler of the same thread may come in between: each step is whole."""

_shares: set[SharedPipeline] = set()
_pipelines: dict[tuple[int, _Key], Pipeline] = {}


class SharedPipeline:
    """A share in the pipeline of a Config and client; the last to leave closes it. Thread-safe.

    Threads come and leave one after the other, so that none gets a pipeline that another is closing.
    """

    def __init__(self, config: Config, client: RumClient | None) -> None:
        self._config = config
        self._client = client
        self._key: _Key = (config, id(client))
        self._of_process: dict[int, Pipeline] = {}
        with _turn:
            _shares.add(self)
            pipeline = self.pipeline
        pipeline.start()

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline of this process; threads, connections and what the parent stored stay behind a fork."""
        process_id = os.getpid()
        found = self._of_process.get(process_id)
        if found is None:
            place = (process_id, self._key)
            with _turn:
                found = _pipelines.get(place) or _pipelines.setdefault(place, Pipeline(self._config, self._client))
                found = self._of_process.setdefault(process_id, found)
        return found

    def leave(self, timeout_seconds: float) -> None:
        """Deliver what is stored within `timeout_seconds`; close the pipeline when nobody else shares it."""
        with _turn:
            pipeline = self.pipeline
            _shares.discard(self)
            is_last = all(share._key != self._key for share in _shares.copy())  # noqa: SLF001 - of this class
            if is_last:
                _pipelines.pop((os.getpid(), self._key), None)
        if is_last:
            pipeline.close(timeout_seconds)
        else:
            pipeline.farewell(timeout_seconds)
