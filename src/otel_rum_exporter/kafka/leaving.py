"""Leaving a consumer group. Apart from the consumer, because it works around a fault of librdkafka."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import Consumer

from .._log import RateLimitedLog

POLL_SECONDS = 0.1
LEAVE_SECONDS = 8.0
"""The maximum time to wait for the end of a rebalance in progress."""


def leave(consumer: Consumer, count_rebalances: Callable[[], int], log: RateLimitedLog) -> bool:
    """Leave the group; log and return false if a rebalance in progress does not end in time.

    `count_rebalances` returns the number of callbacks so far.

    If a consumer closes during a rebalance, librdkafka can deadlock, and freeze the interpreter:
    https://github.com/confluentinc/librdkafka/issues/4041. So it may close after this has returned true.
    """
    consumer.unsubscribe()
    deadline = time.monotonic() + LEAVE_SECONDS
    counted = -1
    while consumer.assignment() or count_rebalances() != counted:
        if time.monotonic() > deadline:
            log.add(
                "leave",
                "the consumer ends during a rebalance, without leaving its group; others get its partitions "
                "after session.timeout.ms. To fix: nothing, unless it happens at each stop.",
            )
            return False
        counted = count_rebalances()
        consumer.poll(POLL_SECONDS)
    return True
