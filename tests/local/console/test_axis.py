"""Time in equal steps."""

from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.local.console.axis import MAX_STEPS, MIN_STEPS, Axis

times = st.floats(1_000_000_000, 9_999_999_999)


@given(st.lists(times, min_size=1))
def test_every_time_has_its_step_and_none_is_lost(seconds: list[float]) -> None:
    """However far apart they are, there are few steps, and each holds what happened in it."""
    axis = Axis.over(min(seconds), max(seconds))
    assert MIN_STEPS <= axis.steps <= MAX_STEPS
    assert sum(axis.counts(seconds)) == len(seconds)
    for one in seconds:
        begin = axis.start + axis.index(one) * axis.step_seconds
        assert begin <= one < begin + axis.step_seconds


def test_steps_are_round() -> None:
    """Half an hour is cut into minutes that begin where clocks say so."""
    axis = Axis.over(1_790_000_010, 1_790_001_800)
    assert (axis.step_seconds, axis.start % 60) == (60, 0)


def test_what_lies_outside_counts_at_the_edge() -> None:
    """A session that began before the time span is still one."""
    assert Axis(100, 10, 3).counts([0, 105, 1000]) == [2, 0, 1]
