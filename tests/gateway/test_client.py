"""How much may come from one address, on a clock that the tests hold."""

from __future__ import annotations

import pytest

from otel_rum_exporter.gateway import client
from otel_rum_exporter.gateway.client import ClientRates
from otel_rum_exporter.gateway.error_response import Reason, RequestError


def _retry_after(buckets: ClientRates, name: str, permits: int, now_seconds: float) -> int | None:
    """Return when to come again; None where the permits were given."""
    try:
        buckets.take(name, permits, now_seconds)
    except RequestError as error:
        return error.retry_after_seconds if error.reason is Reason.THROTTLED else -1
    return None


def test_a_second_s_worth_may_come_at_once() -> None:
    """Then one at a time, as the rate allows; a name has no part in another's."""
    buckets = ClientRates(2, "requests")
    assert [_retry_after(buckets, "a", 1, now) for now in (0, 0, 0, 0.5, 0.6, 1.0)] == [None, None, 1, None, 1, None]
    assert _retry_after(buckets, "b", 1, 0) is None


def test_more_than_the_bucket_holds_is_taken_when_it_is_full() -> None:
    """What comes next waits for it; and the wait that is told is enough."""
    buckets = ClientRates(10, "bytes")
    assert _retry_after(buckets, "a", 100, 0) is None
    wait = _retry_after(buckets, "a", 5, 0)
    assert wait == 10
    assert _retry_after(buckets, "a", 5, wait) is None


def test_silence_saves_up_no_more_than_a_second() -> None:
    """A clock that goes back changes nothing."""
    buckets = ClientRates(1, "requests")
    assert [_retry_after(buckets, "a", 1, now) for now in (1000, 2000, 2000, 1000)] == [None, None, 1, 1]


def test_without_a_rate_everything_may_come() -> None:
    """A rate of 0 is none."""
    assert _retry_after(ClientRates(0, "bytes"), "a", 10**12, 0) is None


def test_names_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was silent for longest is forgotten, and its bucket is full when it comes again."""
    monkeypatch.setattr(client, "MAX_SENDERS", 2)
    buckets = ClientRates(1, "requests")
    for name in ("a", "b", "c"):
        buckets.take(name, 1, 0)
    assert [_retry_after(buckets, name, 1, 0) for name in ("c", "b", "a")] == [1, 1, None]
