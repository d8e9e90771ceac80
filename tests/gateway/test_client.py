"""How much may come from one address, on a clock that the tests hold."""

from __future__ import annotations

import pytest

from otel_rum_exporter.gateway import client
from otel_rum_exporter.gateway.client import ClientRates
from otel_rum_exporter.gateway.error_response import Reason, RequestError


def _retry_after(buckets: ClientRates, name: str, permits: int, now_seconds: float) -> int | None:
    """Return the retry delay; None if the permits were granted."""
    try:
        buckets.take(name, permits, now_seconds)
    except RequestError as error:
        return error.retry_after_seconds if error.reason is Reason.THROTTLED else -1
    return None


def test_the_permits_of_a_second_are_available_at_once() -> None:
    """Then one at a time at the rate; names are independent."""
    buckets = ClientRates(2, "requests")
    assert [_retry_after(buckets, "a", 1, now) for now in (0, 0, 0, 0.5, 0.6, 1.0)] == [None, None, 1, None, 1, None]
    assert _retry_after(buckets, "b", 1, 0) is None


def test_more_permits_than_the_bucket_holds_are_granted_when_it_is_full() -> None:
    """The next request waits, and the returned wait is sufficient."""
    buckets = ClientRates(10, "bytes")
    assert _retry_after(buckets, "a", 100, 0) is None
    wait = _retry_after(buckets, "a", 5, 0)
    assert wait == 10
    assert _retry_after(buckets, "a", 5, wait) is None


def test_an_idle_bucket_collects_at_most_one_second() -> None:
    """A clock that goes back changes nothing."""
    buckets = ClientRates(1, "requests")
    assert [_retry_after(buckets, "a", 1, now) for now in (1000, 2000, 2000, 1000)] == [None, None, 1, 1]


def test_a_rate_of_0_is_no_limit() -> None:
    """Any number of permits is granted."""
    assert _retry_after(ClientRates(0, "bytes"), "a", 10**12, 0) is None


def test_the_number_of_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name idle for longest is removed, and starts with a full bucket."""
    monkeypatch.setattr(client, "MAX_CLIENTS", 2)
    buckets = ClientRates(1, "requests")
    for name in ("a", "b", "c"):
        buckets.take(name, 1, 0)
    assert [_retry_after(buckets, name, 1, 0) for name in ("c", "b", "a")] == [1, 1, None]
