"""The share of RUM's quota, and of the budget, that a consumer may use. Pure."""

from __future__ import annotations

MIN_PER_SECOND = 0.5
"""A consumer without partitions has events left to send. A rate of 0 would mean no limit."""


def share_per_second(limit: float, assigned: int, partitions: int) -> float:
    """Return the rate of a consumer with some of a number of partitions; 0 means no limit.

    The rates of a group add up to its limit, without coordination. A partition is assigned to one consumer.
    """
    if not limit:
        return 0.0
    return max(MIN_PER_SECOND, limit * min(assigned, partitions) / max(partitions, 1))
