"""Time axes of charts: equal steps of a round length."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MIN_STEPS, MAX_STEPS = 30, 60
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_STEP_SECONDS = (
    *(1, 2, 5, 10, 15, 30),
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * _DAY for days in (1, 2, 7, 30)),
)


@dataclass(frozen=True, slots=True)
class Axis:
    """A time axis with equal steps that begins at `start`; times are in epoch seconds."""

    start: float
    step_seconds: float
    steps: int

    @classmethod
    def over(cls, first: float, last: float) -> Axis:
        """Return an axis from `first` to `last`, both included: the shortest round step that needs at most `MAX_STEPS`.

        An axis with fewer than `MIN_STEPS` begins earlier.
        """
        wanted = (last - first) / (MAX_STEPS - 1)
        step = next((step for step in _STEP_SECONDS if step >= wanted), math.ceil(wanted / _DAY) * _DAY)
        start = min(first // step, last // step - MIN_STEPS + 1) * step
        return cls(start, step, int((last - start) // step) + 1)

    def steps_of(self, times: Iterable[float]) -> list[int]:
        """Return the index of the step of each time; the nearest step for a time outside."""
        start, step, last = self.start, self.step_seconds, self.steps - 1
        steps = [int((seconds - start) // step) for seconds in times]
        if steps and (min(steps) < 0 or max(steps) > last):
            return [min(max(index, 0), last) for index in steps]
        return steps

    def counts(self, times: Iterable[float]) -> list[int]:
        """Count the times in each step."""
        counts = [0] * self.steps
        for index, count in Counter(self.steps_of(times)).items():
            counts[index] = count
        return counts

    def counts_of_sorted(self, times: Sequence[float]) -> list[int]:
        """Count the times in each step; faster than `counts`, for times in ascending order."""
        bounds = [self.start + number * self.step_seconds for number in range(1, self.steps)]
        ends = [*(bisect_left(times, bound) for bound in bounds), len(times)]
        return [end - begin for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
