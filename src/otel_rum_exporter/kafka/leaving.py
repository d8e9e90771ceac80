"""Leaving a consumer group."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import Consumer

POLL_SECONDS = 0.1
LEAVE_SECONDS = 10.0
"""The time that callbacks are waited for: a rebalance that began before takes some seconds."""


def leave(consumer: Consumer, rebalances: Callable[[], int], *, is_static: bool) -> None:
    """Leave the group, and close the consumer; `rebalances` is the number of callbacks so far.

    If a rebalance is in progress while it closes, librdkafka may wait for itself without end, and with it the
    interpreter: https://github.com/confluentinc/librdkafka/issues/4041. So the group is left before, and polled until
    no callback comes. A static member must not leave, because it would lose its partitions.
    """
    try:
        if not is_static:
            consumer.unsubscribe()
            deadline, known = time.monotonic() + LEAVE_SECONDS, -1
            while (consumer.assignment() or rebalances() != known) and time.monotonic() < deadline:
                known = rebalances()
                consumer.poll(POLL_SECONDS)
    finally:
        consumer.close()
