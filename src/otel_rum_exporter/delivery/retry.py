"""The retry policy: decides what happens to a batch after its request. Pure: `state` applies the decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..rum.errors import Disposition, Outcome
from .app_monitor_queue import QueuedBatch
from .result import Result
from .storage import QueuedEvents

WAIT_SECONDS = 60.0
"""The delay after an error that needs a fix by a person."""

BACKOFF_SECONDS = 0.2
MAX_BACKOFF_SECONDS = 4.0
"""Short, so that delivery resumes within five seconds of recovery. One request in that time is no load."""

MAX_RETRY_AFTER_SECONDS = 600.0

MAX_REJECTIONS_IN_A_ROW = 20
"""After so many rejected events in a row the app monitor or the exporter is at fault, and further events are kept."""


class RetryState(NamedTuple):
    """The memory of the policy about an app monitor since RUM last accepted a batch for it."""

    failures: int = 0
    rejections: int = 0
    is_refused: bool = False
    """Whether RUM accepts no events for it at present, and may accept those of others."""


NO_FAILURES = RetryState()


class Decision(NamedTuple):
    """The fate of a batch. Each of its events is in one of `delivered`, `first`, `retry` and `rejected`."""

    state: RetryState
    """The next state of the app monitor."""

    delivered: Sequence[QueuedEvents] = ()
    first: Sequence[QueuedBatch] = ()
    """Halves of a rejected batch, to send before anything else."""

    retry: QueuedBatch | None = None
    retry_at: float = 0.0
    rejected: Sequence[QueuedEvents] = ()
    pause_until: float | None = None
    """The end of a pause of the whole app monitor."""


def settle(result: Result, state: RetryState, now: float, jitter: float) -> Decision:
    """Return the decision on a batch that was sent. `jitter` is a random number from 0 to 1."""
    outcome, batch = result.outcome, result.batch
    if outcome.disposition is Disposition.DELIVERED:
        return Decision(NO_FAILURES, batch.parts)
    if outcome.disposition is Disposition.SPLIT:
        if result.halves:
            return Decision(state, first=result.halves)
        if state.rejections < MAX_REJECTIONS_IN_A_ROW:
            return Decision(state._replace(rejections=state.rejections + 1), rejected=batch.parts)
    is_refused = outcome.is_about_app_monitor or outcome.disposition is Disposition.SPLIT
    failed = state._replace(failures=state.failures + 1, is_refused=is_refused)
    return _retry(batch, outcome, failed, now, jitter)


def backoff_seconds(failures: int, jitter: float) -> float:
    """Return the delay after a number of failures in a row: exponential, with full jitter.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    ceiling: float = min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2.0 ** min(failures, 10))
    return ceiling * jitter


def _retry(batch: QueuedBatch, outcome: Outcome, state: RetryState, now: float, jitter: float) -> Decision:
    """Retry a batch. Its app monitor pauses if RUM asks for it, or another request failed before."""
    failed = batch.after_failure()
    minimum = min(outcome.retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS)
    if outcome.disposition in {Disposition.WAIT, Disposition.SPLIT}:
        minimum = max(minimum, WAIT_SECONDS)
    is_paused = outcome.disposition is Disposition.THROTTLED or outcome.retry_after_seconds or state.failures > 1
    return Decision(
        state,
        retry=failed,
        retry_at=now + max(backoff_seconds(failed.attempts, jitter), minimum),
        pause_until=now + max(backoff_seconds(state.failures, jitter), minimum) if is_paused else None,
    )
