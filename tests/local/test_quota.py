"""The request quota and its wait times."""

from typing import Any

import pytest

from otel_rum_exporter.local import LocalRum
from otel_rum_exporter.local.quota import Quota


def _passed(quota: Quota, *moments: float) -> int:
    return sum(quota.wait_seconds(moment) is None for moment in moments)


def test_burst_of_one_second_is_allowed() -> None:
    """The bucket is full at first."""
    assert _passed(Quota(50), *[1000.0] * 80) == 50


def test_requests_are_allowed_at_the_rate() -> None:
    """Ten seconds allow ten seconds' worth and the first burst."""
    assert _passed(Quota(5), *[1000 + n / 100 for n in range(1000)]) == pytest.approx(55, abs=1)


@pytest.mark.parametrize(("rate", "burst", "seconds"), [(50, 50, 1), (0.5, 1, 2), (0, 0, 1)])
def test_wait_is_in_whole_seconds(rate: float, burst: int, seconds: int) -> None:
    """`Retry-After` has no fractions; after the wait one request is allowed."""
    quota = Quota(rate)
    assert _passed(quota, *[1000.0] * 100) == burst
    assert quota.wait_seconds(1000.0) == seconds
    assert rate == 0 or quota.wait_seconds(1000.0 + seconds) is None


def test_no_quota_allows_everything() -> None:
    """None has no limit."""
    assert _passed(Quota(None), *[1000.0] * 1000) == 1000


def test_boto3_raises_throttling_exception(boto: Any, rum: LocalRum, body: Any, app_monitor: str) -> None:
    """The request is recorded as refused, with Retry-After."""
    rum.max_requests_per_second = 0
    try:
        with pytest.raises(boto.exceptions.ThrottlingException) as caught:
            boto.put_rum_events(Id=app_monitor, **body())
    finally:
        rum.max_requests_per_second = None
    assert caught.value.response["retryAfterSeconds"] == 1
    assert [refused_request.error_type for refused_request in rum.refused] == ["ThrottlingException"]
    assert rum.batches == ()
