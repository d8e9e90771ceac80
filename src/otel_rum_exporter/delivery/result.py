"""The result of sending one batch, which the retry policy decides on."""

from __future__ import annotations

from typing import NamedTuple

from ..rum.errors import Disposition, Outcome
from .app_monitor_queue import QueuedBatch
from .storage import QueuedEvents


class Result(NamedTuple):
    """The result of sending a batch."""

    outcome: Outcome
    batch: QueuedBatch
    """The batch without the lost events. Empty if all were lost, and no request was made."""

    halves: tuple[QueuedBatch, ...] = ()
    """The halves of a batch that RUM rejected, stored in its place."""

    lost: tuple[QueuedEvents, ...] = ()
    """Events that the store cannot read any more."""

    seconds: float = 0.0
    """The duration of the request."""


NO_REQUEST = Outcome(Disposition.RETRY, "no request")
FAILED = Outcome(Disposition.RETRY, "internal error")
