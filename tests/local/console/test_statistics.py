"""Statistics as CloudWatch RUM and web.dev define them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.local.console.statistics import VITALS, apdex, percentile, vital

finite = st.floats(allow_nan=False, allow_infinity=False)


def test_apdex_uses_the_thresholds_of_rum() -> None:
    """Under 2 s is satisfied, under 8 s tolerated, else frustrated."""
    assert apdex([0, 1999.9, 2000, 7999.9, 8000, 60_000]) == {
        "score": 0.5,
        "satisfied": 2,
        "tolerated": 2,
        "frustrated": 2,
    }


def test_apdex_without_page_loads_is_none() -> None:
    """The counts are zero."""
    assert apdex([])["score"] is None


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_apdex_is_between_0_and_1_and_counts_every_load(millis: list[float]) -> None:
    """For any load times."""
    result = apdex(millis)
    assert 0 <= result["score"] <= 1
    assert result["satisfied"] + result["tolerated"] + result["frustrated"] == len(millis)


@pytest.mark.parametrize(
    ("name", "good", "fair", "poor"),
    [
        ("LCP", 2500, 2501, 4001),
        ("INP", 200, 201, 501),
        ("CLS", 0.1, 0.11, 0.26),
        ("FCP", 1800, 1801, 3001),
        ("TTFB", 800, 801, 1801),
        ("FID", 100, 101, 301),
    ],
)
def test_web_vitals_use_the_thresholds_of_web_dev(name: str, good: float, fair: float, poor: float) -> None:
    """Checked at the boundaries of good, fair and poor."""
    (measured,) = [one for one in VITALS if one.name == name]
    assert [measured.rating(value) for value in (good, fair, poor)] == ["good", "fair", "poor"]


def test_web_vital_is_rated_by_its_75th_percentile() -> None:
    """One slow value of four does not change the rating, two do."""
    lcp = VITALS[0]
    assert vital(lcp, [1000, 1100, 1200, 9000])["rating"] == "good"
    result = vital(lcp, [1000, 1100, 9000, 9000])
    assert (result["p75"], result["rating"], result["good"], result["fair"], result["poor"]) == (9000, "poor", 2, 0, 2)


def test_web_vital_without_values_has_no_rating() -> None:
    """It is None, not zero, which would be a good value."""
    assert (vital(VITALS[0], [])["p75"], vital(VITALS[0], [])["rating"]) == (None, None)


@given(st.lists(finite, min_size=1), st.sampled_from([1, 50, 75, 99, 100]))
def test_percentile_is_the_smallest_value_that_the_share_does_not_exceed(values: list[float], percent: int) -> None:
    """Checks the definition for any values."""

    def reached(value: float) -> bool:
        return sum(one <= value for one in values) * 100 >= percent * len(values)

    assert percentile(values, percent) == min(value for value in values if reached(value))
