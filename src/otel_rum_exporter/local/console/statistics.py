"""Statistics: percentiles, Apdex with CloudWatch RUM's thresholds, web vitals with the thresholds of web.dev."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from ..record import RUM_PREFIX
from .event_fields import Json

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-RUM-metrics.html
# NavigationSatisfiedTransaction, NavigationToleratedTransaction, NavigationFrustratedTransaction
SATISFIED_BELOW_MILLIS = 2000
TOLERATED_BELOW_MILLIS = 8000


@dataclass(frozen=True, slots=True)
class Vital:
    """A web vital: a value up to `good` is good, above `poor` is poor, in `unit`."""

    name: str
    title: str
    event_type: str
    unit: str
    good: float
    poor: float

    def rating(self, value: float) -> str:
        """Return `good`, `fair` (needs improvement) or `poor`."""
        if value <= self.good:
            return "good"
        return "fair" if value <= self.poor else "poor"


# https://web.dev/articles/vitals and the articles about each metric
VITALS = (
    Vital("LCP", "Largest contentful paint", f"{RUM_PREFIX}largest_contentful_paint_event", "ms", 2500, 4000),
    Vital("INP", "Interaction to next paint", f"{RUM_PREFIX}interaction_to_next_paint_event", "ms", 200, 500),
    Vital("CLS", "Cumulative layout shift", f"{RUM_PREFIX}cumulative_layout_shift_event", "", 0.1, 0.25),
    Vital("FCP", "First contentful paint", f"{RUM_PREFIX}first_contentful_paint_event", "ms", 1800, 3000),
    Vital("TTFB", "Time to first byte", f"{RUM_PREFIX}time_to_first_byte_event", "ms", 800, 1800),
    Vital("FID", "First input delay", f"{RUM_PREFIX}first_input_delay_event", "ms", 100, 300),
)


def percentile(values: Sequence[float], percent: int) -> float | None:
    """Return the smallest value that `percent` of all values do not exceed; None without values."""
    if not values:
        return None
    return sorted(values)[_rank(len(values), percent)]


def _rank(count: int, percent: int) -> int:
    return max(0, math.ceil(count * percent / 100) - 1)


def apdex(load_millis: Sequence[float]) -> Json:
    """Return the Apdex score and counts of page loads; the score is None without page loads."""
    ordered = sorted(load_millis)
    satisfied = bisect_left(ordered, SATISFIED_BELOW_MILLIS)
    frustrated = len(ordered) - bisect_left(ordered, TOLERATED_BELOW_MILLIS)
    tolerated = len(load_millis) - satisfied - frustrated
    return {
        "score": (satisfied + tolerated / 2) / len(load_millis) if load_millis else None,
        "satisfied": satisfied,
        "tolerated": tolerated,
        "frustrated": frustrated,
    }


def vital(measured: Vital, values: Sequence[float]) -> Json:
    """Return a web vital's 75th percentile and the numbers of good, fair and poor values."""
    ordered = sorted(values)
    p75 = ordered[_rank(len(ordered), 75)] if ordered else None
    good, not_poor = bisect_right(ordered, measured.good), bisect_right(ordered, measured.poor)
    return {
        "name": measured.name,
        "title": measured.title,
        "unit": measured.unit,
        "good_up_to": measured.good,
        "poor_above": measured.poor,
        "p75": p75,
        "rating": None if p75 is None else measured.rating(p75),
        "good": good,
        "fair": not_poor - good,
        "poor": len(ordered) - not_poor,
    }
