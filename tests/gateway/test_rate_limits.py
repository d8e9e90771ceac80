"""Rate limits, with a clock that is passed in."""

from __future__ import annotations

import pytest

from otel_rum_exporter.gateway import rate_limits
from otel_rum_exporter.gateway.error_response import Reason, RequestError
from otel_rum_exporter.gateway.rate_limits import RateLimits


def _retry_after(limits: RateLimits, key: str, tokens: int, now_seconds: float) -> int | None:
    """Return the retry delay; None if the tokens were taken."""
    try:
        limits.take(key, tokens, now_seconds)
    except RequestError as error:
        return error.retry_after_seconds if error.reason is Reason.THROTTLED else -1
    return None


def test_tokens_of_one_second_are_available_at_once() -> None:
    """Later ones follow at the rate. Keys are independent."""
    limits = RateLimits(2, "requests")
    assert [_retry_after(limits, "a", 1, now) for now in (0, 0, 0, 0.5, 0.6, 1.0)] == [None, None, 1, None, 1, None]
    assert _retry_after(limits, "b", 1, 0) is None


def test_full_bucket_gives_more_tokens_than_it_has() -> None:
    """The next request waits for the difference, and succeeds after the returned delay."""
    limits = RateLimits(10, "bytes")
    assert _retry_after(limits, "a", 100, 0) is None
    wait = _retry_after(limits, "a", 5, 0)
    assert wait == 10
    assert _retry_after(limits, "a", 5, wait) is None


def test_idle_bucket_collects_tokens_of_at_most_one_second() -> None:
    """A clock that goes back changes nothing."""
    limits = RateLimits(1, "requests")
    assert [_retry_after(limits, "a", 1, now) for now in (1000, 2000, 2000, 1000)] == [None, None, 1, 1]


def test_tokens_of_several_keys_are_taken_from_all_or_none() -> None:
    """A request of two app monitors that is rejected because of one does not use up the rate of the other."""
    limits = RateLimits(2, "records")
    limits.take("a", 2, 0)
    for _ in range(10):
        with pytest.raises(RequestError):
            limits.take_all({"b": 1, "a": 2}, 0)
    limits.take_all({"a": 2, "b": 2}, 1)
    assert [_retry_after(limits, key, 1, 1) for key in "ab"] == [1, 1]


def test_rate_of_0_is_no_limit() -> None:
    """Any number of tokens is available."""
    assert _retry_after(RateLimits(0, "bytes"), "a", 10**12, 0) is None


def test_number_of_keys_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key that is idle for longest is removed, and starts again with a full bucket."""
    monkeypatch.setattr(rate_limits, "MAX_CLIENTS", 2)
    limits = RateLimits(1, "requests")
    for name in ("a", "b", "c"):
        limits.take(name, 1, 0)
    assert [_retry_after(limits, name, 1, 0) for name in ("c", "b", "a")] == [1, 1, None]
