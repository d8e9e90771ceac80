"""The request rate: quota, throttling, recovery, on a clock of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.delivery.rate_limiter import RequestRate


def sent_until(rate: RequestRate, seconds: float, start: float = 0.0) -> int:
    """Count the requests that go out as fast as the rate allows."""
    now, count = start, 0
    while now < start + seconds:
        wait = rate.wait_seconds(now)
        if wait > 0:
            now += wait
            continue
        rate.take(now)
        count += 1
    return count


def test_a_burst_of_a_second_then_the_quota() -> None:
    """Light loads never wait; heavy ones meet the quota, but for the portion that gathers."""
    assert 50 + 50 * 10 - 10 <= sent_until(RequestRate(50, 0.0), 10.0) <= 50 + 50 * 10


def test_where_permits_ran_out_they_are_used_in_portions() -> None:
    """A thread wakes five times a second, not fifty times; the first request after a while never waits."""
    rate = RequestRate(50, 0.0)
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


def test_a_slow_rate_waits_for_one_permit_at_a_time() -> None:
    """A portion is never less than a request."""
    rate = RequestRate(2, 0.0)
    for _ in range(2):
        rate.take(0.0)
    assert rate.wait_seconds(0.0) == pytest.approx(0.5)


def test_zero_means_no_limit() -> None:
    """For a data plane of one's own."""
    rate = RequestRate(0, 0.0)
    rate.take(0.0)
    rate.throttled(0.0)
    assert rate.wait_seconds(0.0) == 0.0


def test_throttling_halves_once_a_second_and_success_recovers_slowly() -> None:
    """Twenty answers to twenty requests under way are one message."""
    rate = RequestRate(50, 0.0)
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
def test_the_last_attempt_of_a_process_is_granted(limit: int) -> None:
    """However slowly the rate has become, and however many permits were waited for."""
    rate = RequestRate(limit, 0.0)
    for second in range(5):
        rate.throttled(float(second))
    while not rate.wait_seconds(5.0):
        rate.take(5.0)
    rate.grant(5.0)
    assert rate.wait_seconds(5.0) == 0.0


def test_after_the_grant_no_request_waits_for_a_portion() -> None:
    """What is left of a process's time is used to its end."""
    rate = RequestRate(50, 0.0)
    rate.grant(0.0)
    assert sent_until(rate, 1.1) >= 104


@given(st.integers(1, 100), st.lists(st.sampled_from(["throttled", "succeeded", "take"]), max_size=60))
def test_whatever_happens_the_rate_stays_between_its_bounds_and_sending_goes_on(
    limit: int, happenings: list[str]
) -> None:
    """No sequence of answers stops the exporter for good."""
    rate, now = RequestRate(limit, 0.0), 0.0
    for happening in happenings:
        now += 0.7
        getattr(rate, happening)(now)
        assert 0.5 <= rate.per_second <= limit
    assert rate.wait_seconds(now + 300) == 0.0
