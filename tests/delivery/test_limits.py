"""The limits of delivery, each with the last size within it and the first beyond it, in written numbers."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.delivery.app_monitor_queue import QueuedBatch
from otel_rum_exporter.delivery.in_flight import InFlight
from otel_rum_exporter.delivery.queue import EventQueue
from otel_rum_exporter.delivery.result import Result
from otel_rum_exporter.delivery.retry import backoff_seconds
from otel_rum_exporter.delivery.spool.directory import Spool
from otel_rum_exporter.delivery.spool.record import encode_record
from otel_rum_exporter.delivery.storage import QueuedEvents
from otel_rum_exporter.rum.errors import Disposition, Outcome
from tests.delivery.queued import batch_key, event, queued
from tests.delivery.test_state import make_state, send

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


def test_a_batch_that_fails_five_times_lets_another_go_first() -> None:
    """And after its tenth failure again."""
    queue = EventQueue(max_events_per_request=10)
    queue.add([queued("failing", 1)], 0.0)
    failing = queue.take(0.0)
    order: list[QueuedBatch] = []
    queue.add([queued("second", 2)], 0.0)
    queue.add([queued("third", 3)], 0.0)
    while len(order) < 12:
        queue.put_back(failing.after_failure(), 0.0)
        order.append(queue.take(0.0))
        failing = order[-1] if order[-1].key.session_id == "failing" else queue.take(0.0)
        order += [failing] * (failing is not order[-1])
    assert [batch.key.session_id for batch in order[:12]] == [*["failing"] * 5, "second", *["failing"] * 5, "third"]


@pytest.mark.parametrize(("failures", "is_outage"), [(1, False), (2, True)])
def test_an_export_does_not_wait_after_two_failures(failures: int, *, is_outage: bool) -> None:
    """One may be by chance."""
    state = make_state()
    state.enqueue([queued("a", 1)], 0.0)
    for number in range(failures):
        send(state, Disposition.RETRY, 10.0 * number)
    assert state.is_outage(2.0, 100.0) == is_outage


def test_the_final_flush_takes_a_second_after_a_long_outage() -> None:
    """Or as long as the application gives it, if that is shorter."""
    state = make_state()
    state.enqueue([queued("a", 1)], 0.0)
    for timeout_seconds, expected in ((10.0, 1.0), (0.5, 0.5)):
        state.prepare_final_flush(500.0, timeout_seconds)
        assert state.final_flush_deadline == 500.0 + expected


def test_the_final_flush_takes_a_tenth_of_its_time_if_rum_was_never_reached() -> None:
    """At most a second. Eight exporters at exit have an eighth of the time each."""
    state = make_state()
    state.enqueue([queued("a", 1)], 0.0)
    batch = state.take(0.0)
    state.apply(batch, Result(Outcome(Disposition.RETRY, "EndpointConnectionError"), batch), 0.0, 0.0)
    for timeout_seconds, expected in ((30.0, 1.0), (10.0, 1.0), (1.25, 0.125)):
        state.prepare_final_flush(500.0, timeout_seconds)
        assert state.final_flush_deadline == 500.0 + expected


class Disk:
    """A spool in a directory, with a chosen number of free bytes."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch, max_bytes: int, free: int = 2**50) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
        self._directory = directory
        self.spool = Spool(str(directory), destination="shop in eu", max_bytes=max_bytes, log=RateLimitedLog())

    def put(self, size: int) -> QueuedEvents:
        """Store an event with details of this many characters."""
        stored = QueuedEvents.of(batch_key(), [event("a", size)], 0)
        self.spool.replace((), [stored])
        return stored

    def fill(self, size: int) -> QueuedEvents:
        """Store an event so that the only segment has this many bytes."""
        fitting = (chars for chars in range(size - 4400, size - 4300) if _segment_bytes(chars) == size)
        stored = self.put(next(fitting))
        assert [path.stat().st_size for path in self.segments] == [size]
        return stored

    @property
    def segments(self) -> list[Path]:
        """The files of the segments."""
        return list(self._directory.rglob("*.spool1"))


def _segment_bytes(chars: int) -> int:
    """Return the size of a segment whose only event has details of this many characters."""
    one = QueuedEvents.of(batch_key(), [event("a", 1)], 0)
    assert one.events
    one.size_bytes += chars - 1
    return 4096 + len(encode_record(1, 0, (), one, one.events.encode())) + chars - 1


@pytest.mark.parametrize("excess", [0, 1])
@pytest.mark.parametrize(
    ("max_mib", "free_mib", "segment_kib"),
    [(1, 10**6, 64), (4, 10**6, 128), (4, 8, 64), (4, 12, 96), (1024, 10**6, 16 * KIB)],
)
def test_a_segment_has_a_share_of_the_spool_and_of_the_free_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_mib: int, free_mib: int, segment_kib: int, excess: int
) -> None:
    """1/32 of the spool, 1/128 of the free disk, from 64 KiB to 16 MiB: events go to a new one beyond that."""
    disk = Disk(tmp_path, monkeypatch, max_mib * KIB * KIB, free_mib * KIB * KIB)
    disk.fill(segment_kib * KIB + excess)
    disk.put(1)
    assert len(disk.segments) == 1 + excess
    disk.spool.close()


@pytest.mark.parametrize("excess", [0, 1])
def test_an_empty_segment_is_reused_up_to_a_mebibyte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, excess: int
) -> None:
    """A larger one is deleted."""
    disk = Disk(tmp_path, monkeypatch, 64 * KIB * KIB)
    disk.spool.remove([disk.fill(KIB * KIB + excess)])
    assert len(disk.segments) == 1 - excess
    disk.spool.close()


@pytest.mark.parametrize(("factor", "is_copied"), [(3.9, False), (4.1, True)])
def test_a_segment_is_copied_if_its_events_are_less_than_a_quarter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float, *, is_copied: bool
) -> None:
    """The next call that looks for work does it."""
    disk = Disk(tmp_path, monkeypatch, 128 * KIB * KIB)
    disk.put(400_000)
    disk.spool.remove([disk.put(int(400_000 * (factor - 1)))])
    before = disk.segments
    disk.spool.recover()
    assert (disk.segments != before) == is_copied
    disk.spool.close()


def test_a_spool_has_a_mebibyte_at_least(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the files of other processes could leave no room."""
    disk = Disk(tmp_path, monkeypatch, 1)
    disk.spool.recover()
    assert disk.spool.disk_limit_bytes() == KIB * KIB
    disk.spool.close()


def test_a_segment_has_the_format_that_other_versions_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block with header and destination, then records whose checksum covers all that follows it up to the content."""
    disk = Disk(tmp_path, monkeypatch, KIB * KIB)
    disk.put(1)
    (path,) = disk.segments
    written = path.read_bytes()
    disk.spool.close()
    assert (written[:8], written[512:523]) == (b"RUMSPOOL", b"shop in eu\0")
    magic, checksum, number, before, events, label, content, of_content = struct.unpack_from(">4sI2Q4I", written, 4096)
    start = 4096 + 40 + label
    assert (magic, number, before, events) == (b"\xffRS\x01", 1, 0, 1)
    assert checksum == zlib.crc32(written[4096 + 8 : start])
    assert of_content == zlib.crc32(written[start : start + content])
