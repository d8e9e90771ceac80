"""Decides what a delivery thread does next. Pure: the loop in `worker` does it."""

from __future__ import annotations

import math
from typing import NamedTuple

from .queue import EventQueue
from .rate_limiter import RateLimiter
from .timers import Timers


class Send(NamedTuple):
    """Send the next batch of the queue."""


SEND = Send()


class Call(NamedTuple):
    """Call the function of a timer."""

    name: str


class WaitUntil(NamedTuple):
    """Wait until a time, or until the queue or a timer changes. Infinity means that nothing is planned."""

    seconds: float


def next_action(
    queue: EventQueue, rate_limiter: RateLimiter, timers: Timers, now: float, *, has_free_slot: bool
) -> Send | Call | WaitUntil:
    """Return the next action of a thread. `has_free_slot` is whether one more request may be in flight."""
    name = timers.due(now)
    if name is not None:
        return Call(name)
    send_at = next_send_seconds(queue, rate_limiter, now, has_free_slot=has_free_slot)
    return SEND if send_at <= now else WaitUntil(min(send_at, timers.next_seconds()))


def next_send_seconds(queue: EventQueue, rate_limiter: RateLimiter, now: float, *, has_free_slot: bool) -> float:
    """Return the time of the next send; infinity if nothing is queued, or no more requests may be in flight."""
    return max(queue.ready_at(), now + rate_limiter.wait_seconds(now)) if has_free_slot else math.inf
