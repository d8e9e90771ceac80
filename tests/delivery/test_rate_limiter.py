"""The rate limiter and its token bucket, with a simulated clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.delivery.rate_limiter import MIN_REQUESTS_PER_SECOND, RateLimiter, TokenBucket


def requests_within(rate: RateLimiter, seconds: float) -> int:
    """Return how many requests the limiter allows."""
    now, count = 0.0, 0
    while now < seconds:
        wait = rate.wait_seconds(now)
        if wait > 0:
            now += wait
            continue
        rate.take(now)
        count += 1
    return count


def test_the_burst_of_a_second_is_followed_by_the_quota() -> None:
    """Except for the minimum refill."""
    assert 50 + 50 * 10 - 10 <= requests_within(RateLimiter(50, 0.0), 10.0) <= 50 + 50 * 10


def test_an_empty_bucket_refills_to_a_minimum_before_the_next_request() -> None:
    """A thread wakes five times a second, not fifty times. The first request after a pause does not wait."""
    rate = RateLimiter(50, 0.0)
    for _ in range(50):
        assert rate.wait_seconds(0.0) == 0.0
        rate.take(0.0)
    assert rate.wait_seconds(0.0) == pytest.approx(0.2)
    assert rate.wait_seconds(0.15) == pytest.approx(0.05)
    for _ in range(10):
        assert rate.wait_seconds(0.2) == 0.0
        rate.take(0.2)
    assert rate.wait_seconds(0.2) == pytest.approx(0.2)
    assert rate.wait_seconds(0.4) == 0.0


def test_a_shortage_of_less_than_rounding_makes_no_wait() -> None:
    """A thread would wake too early, again and again."""
    bucket = TokenBucket(1.0, 0.0)
    for missing, wait in ((0.5, 0.5), (1e-6, 1e-6), (1e-12, 0.0), (-0.5, 0.0)):
        bucket.set(1.0 - missing, 0.0)
        assert bucket.wait_seconds(1.0, 0.0) == pytest.approx(wait)


def test_a_slow_rate_waits_for_one_request() -> None:
    """The minimum refill is never less than a request."""
    rate = RateLimiter(2, 0.0)
    for _ in range(2):
        rate.take(0.0)
    assert rate.wait_seconds(0.0) == pytest.approx(0.5)


def test_zero_means_no_limit() -> None:
    """For an endpoint without a quota."""
    rate = RateLimiter(0, 0.0)
    rate.take(0.0)
    rate.throttled(0.0)
    assert rate.wait_seconds(0.0) == 0.0


def test_throttling_halves_the_rate_once_a_second_and_success_raises_it_slowly() -> None:
    """Concurrent requests are throttled together."""
    rate = RateLimiter(50, 0.0)
    for _ in range(20):
        rate.throttled(10.0)
    assert rate.per_second == 25.0
    assert rate.wait_seconds(10.0) > 0
    rate.succeeded(10.5)
    assert rate.per_second == 25.0
    rate.throttled(10.9)
    assert rate.per_second == 25.0
    rate.throttled(11.0)
    assert rate.per_second == 12.5
    rate.succeeded(11.5)
    rate.throttled(12.0)
    assert rate.per_second == 6.25
    for second in range(13, 100):
        rate.succeeded(float(second))
    assert rate.per_second == 50.0


@pytest.mark.parametrize("limit", [1, 1000])
def test_allow_one_allows_a_request_at_once(limit: int) -> None:
    """Also at the lowest rate, and with an empty bucket."""
    rate = RateLimiter(limit, 0.0)
    for second in range(5):
        rate.throttled(float(second))
    while not rate.wait_seconds(5.0):
        rate.take(5.0)
    rate.allow_one(5.0)
    assert rate.wait_seconds(5.0) == 0.0


def test_allow_one_ends_the_minimum_refill() -> None:
    """The final flush has no time to waste."""
    rate = RateLimiter(50, 0.0)
    rate.allow_one(0.0)
    assert requests_within(rate, 1.1) >= 104


@given(st.integers(1, 100), st.lists(st.sampled_from(["throttled", "succeeded", "take"]), max_size=60))
def test_the_rate_stays_within_its_limits_and_requests_continue(limit: int, calls: list[str]) -> None:
    """For any sequence of responses."""
    rate, now = RateLimiter(limit, 0.0), 0.0
    for call in calls:
        now += 0.7
        getattr(rate, call)(now)
        assert 0.5 <= rate.per_second <= limit
    assert rate.wait_seconds(now + 300) == 0.0


def test_a_token_bucket_allows_more_tokens_than_it_holds_when_it_is_full() -> None:
    """The tokens taken in excess delay the next request."""
    bucket = TokenBucket(10, 0.0)
    assert bucket.wait_seconds(100, 0.0) == 0.0
    bucket.take(100, 0.0)
    assert bucket.available(0.0) == -90.0
    assert bucket.wait_seconds(5, 0.0) == pytest.approx(9.5)
    assert bucket.wait_seconds(5, 9.5) == 0.0


def test_a_token_bucket_ignores_a_clock_that_goes_back() -> None:
    """It gains and loses nothing."""
    bucket = TokenBucket(10, 100.0)
    bucket.take(4, 100.0)
    assert bucket.available(50.0) == 6.0


def test_the_limit_changes_at_run_time() -> None:
    """A consumer of a group gets another share. A throttled rate stays at the same fraction."""
    rate = RateLimiter(40, 0.0)
    rate.set_limit(20.0, 0.0)
    assert requests_within(rate, 10.0) == pytest.approx(220, abs=5)
    rate.throttled(10.0)
    assert rate.per_second == 10.0
    rate.set_limit(60.0, 10.0)
    assert rate.per_second == 30.0
    for second in range(11, 100):
        rate.succeeded(float(second))
    assert rate.per_second == 60.0


def test_a_lower_limit_leaves_a_throttled_rate_at_its_minimum() -> None:
    """A fraction of a fraction would be a request in minutes, and take as long to recover."""
    rate = RateLimiter(50, 0.0)
    for second in range(10):
        rate.throttled(float(second))
    assert rate.per_second == MIN_REQUESTS_PER_SECOND
    for limit in (5.0, 0.5):
        rate.set_limit(limit, 10.0)
        assert rate.per_second == MIN_REQUESTS_PER_SECOND
    rate.set_limit(50.0, 10.0)
    assert rate.per_second == 50.0, "it was at its limit"


def test_a_limit_can_begin_and_end_at_run_time() -> None:
    """0 means no limit."""
    rate = RateLimiter(0, 0.0)
    rate.set_limit(2.0, 0.0)
    assert rate.per_second == 2.0
    assert requests_within(rate, 10.0) == pytest.approx(22, abs=2)
    rate.set_limit(0.0, 10.0)
    assert rate.wait_seconds(10.0) == 0.0
