"""The limits of delivery, each with the last size within it and the first beyond it, in written numbers."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.delivery.in_flight import InFlight
from otel_rum_exporter.delivery.queue import EventQueue
from otel_rum_exporter.delivery.retry import backoff_seconds
from otel_rum_exporter.delivery.spool.directory import Spool
from otel_rum_exporter.delivery.storage import QueuedEvents
from tests.delivery.queued import batch_key, event, queued

KIB = 1024


@pytest.mark.parametrize(("opened_seconds", "first"), [(5.0, "full"), (5.5, "open")])
def test_a_full_batch_is_first_unless_an_open_one_is_five_seconds_older(opened_seconds: float, first: str) -> None:
    """It saves requests, and the open one is not late."""
    queue = EventQueue(max_events_per_request=2)
    queue.add([queued("open", 1)], 0.0)
    queue.add([queued("full", 2, 3)], opened_seconds)
    assert queue.take(opened_seconds).key.session_id == first


@pytest.mark.parametrize(
    ("latency_seconds", "requests_per_second", "expected"),
    [(10.0, 1000, 8), (0.008, 1000, 8), (0.007, 1000, 7), (0.004, 0, 1), (0.004008, 0, 2)],
)
def test_at_most_eight_requests_are_in_flight(latency_seconds: float, requests_per_second: int, expected: int) -> None:
    """Without a rate limit, as many as 250 requests per second need."""
    in_flight = InFlight()
    in_flight.measured(latency_seconds)
    assert in_flight.limit(requests_per_second) == expected


def test_the_backoff_doubles_from_two_fifths_of_a_second_to_four_seconds() -> None:
    """With the greatest jitter."""
    assert [backoff_seconds(failures, 1.0) for failures in range(1, 7)] == [0.4, 0.8, 1.6, 3.2, 4.0, 4.0]


def test_queued_events_take_the_memory_of_their_json_and_of_an_object() -> None:
    """300 bytes, also while they are on disk."""
    one = QueuedEvents.of(batch_key(), [event(1)], 0)
    assert one.memory_bytes == one.size_bytes + 300
    one.events = None
    assert one.memory_bytes == 300


@pytest.mark.parametrize(
    ("max_mib", "free_mib", "segment_kib"), [(1, 10**6, 64), (4, 10**6, 128), (4, 8, 64), (4, 12, 96)]
)
def test_a_segment_has_a_share_of_the_spool_and_of_the_free_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_mib: int, free_mib: int, segment_kib: int
) -> None:
    """1/32 of the spool, 1/128 of the free disk, and at least 64 KiB: events go to a new one beyond that."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_mib * KIB * KIB))
    spool = Spool(str(tmp_path), destination="d", max_bytes=max_mib * KIB * KIB, log=RateLimitedLog())

    def put(size: int) -> None:
        spool.replace((), [QueuedEvents.of(batch_key(), [event("a", size)], 0)])

    def sizes() -> list[int]:
        return sorted(path.stat().st_size for path in tmp_path.rglob("*.spool1"))

    put(segment_kib * KIB - 6 * KIB)
    while sizes()[0] <= segment_kib * KIB:
        assert len(sizes()) == 1
        put(256)
    put(256)
    assert len(sizes()) == 2
    spool.close()
