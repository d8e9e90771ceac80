"""The quota: how many requests fit, and how long to wait."""

from typing import Any

import pytest

from otel_rum_exporter.local import LocalRum
from otel_rum_exporter.local.quota import Quota


def _passed(quota: Quota, *moments: float) -> int:
    return sum(quota.wait_seconds(moment) is None for moment in moments)


def test_one_second_of_requests_passes_at_once() -> None:
    """The bucket is full at first."""
    assert _passed(Quota(50), *[1000.0] * 80) == 50


def test_requests_pass_at_the_rate() -> None:
    """Over ten seconds pass ten seconds' worth and the first burst."""
    assert _passed(Quota(5), *[1000 + n / 100 for n in range(1000)]) == pytest.approx(55, abs=1)


@pytest.mark.parametrize(("rate", "seconds"), [(50, 1), (0.5, 2), (0, 1)])
def test_the_wait_is_told_in_whole_seconds(rate: float, seconds: int) -> None:
    """`Retry-After` knows no fractions, and after it one request passes."""
    quota = Quota(rate)
    while quota.wait_seconds(1000.0) is None:
        pass
    assert quota.wait_seconds(1000.0) == seconds
    assert rate == 0 or quota.wait_seconds(1000.0 + seconds) is None


def test_no_quota_sets_no_limit() -> None:
    """None lets everything pass."""
    assert _passed(Quota(None), *[1000.0] * 1000) == 1000


def test_a_throttled_request_reaches_boto3_as_such(boto: Any, rum: LocalRum, body: Any, app_monitor: str) -> None:
    """It is refused, not kept, and told when to come back."""
    rum.max_requests_per_second = 0
    try:
        with pytest.raises(boto.exceptions.ThrottlingException) as caught:
            boto.put_rum_events(Id=app_monitor, **body())
    finally:
        rum.max_requests_per_second = None
    assert caught.value.response["retryAfterSeconds"] == 1
    assert [refused_request.error_type for refused_request in rum.refused] == ["ThrottlingException"]
    assert rum.batches == ()
