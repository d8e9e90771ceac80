"""Time axes of the console's charts."""

from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.local.console.axis import MAX_STEPS, MIN_STEPS, Axis

times = st.floats(1_000_000_000, 9_999_999_999)


@given(st.lists(times, min_size=1))
def test_axis_counts_every_time_in_a_limited_number_of_steps(seconds: list[float]) -> None:
    """The counts add up to the number of times, for any distance between them."""
    axis = Axis.over(min(seconds), max(seconds))
    assert MIN_STEPS <= axis.steps <= MAX_STEPS
    assert sum(axis.counts(seconds)) == len(seconds)
    for one in seconds:
        begin = axis.start + axis.steps_of([one])[0] * axis.step_seconds
        assert begin <= one < begin + axis.step_seconds


def test_axis_of_half_an_hour_has_steps_of_a_minute() -> None:
    """The steps begin at full minutes."""
    axis = Axis.over(1_790_000_010, 1_790_001_800)
    assert (axis.step_seconds, axis.start % 60) == (60, 0)


def test_axis_counts_times_outside_in_the_nearest_step() -> None:
    """A session can begin before the time range."""
    assert Axis(100, 10, 3).counts([0, 105, 1000]) == [2, 0, 1]


@given(st.lists(st.integers(0, 10**6), min_size=1), st.lists(st.integers(-10, 2 * 10**6)))
def test_sorted_times_are_counted_alike(span: list[int], times: list[int]) -> None:
    """Those outside the axis count in the nearest step."""
    axis = Axis.over(min(span), max(span))
    assert axis.counts_of_sorted(sorted(times)) == axis.counts(times)
