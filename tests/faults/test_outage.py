"""Outages lose nothing, delivery resumes without a burst of requests, and no threads or descriptors leak."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter.delivery import in_flight, retry, worker
from otel_rum_exporter.ledger import DropReason
from otel_rum_exporter.local import Fault, LocalRum
from tests.faults.conftest import BUSY_SECONDS, IN_MEMORY, LONG
from tests.faults.numbered_spans import NumberedSpans, received, session_id

Make = Callable[..., Any]
RESUME_SECONDS = 5.0
"""The promised time from recovery to the first delivery, without a new span."""

OUTAGE = Fault(status=503)
FAULTS = (
    Fault(cut="in_answer", times=2),
    Fault(status=503, times=2),
    Fault(cut="before_reading", times=2),
    Fault(status=500, endless_seconds=5, times=1),
)
REQUESTS_PER_SECOND = 50
SPANS_PER_SECOND = 95


@pytest.mark.usefixtures("real_delays")
@pytest.mark.parametrize("outage_seconds", [3, pytest.param(30, marks=LONG)])
def test_an_outage_under_load_loses_nothing(
    outage_seconds: int, rum: LocalRum, numbered: NumberedSpans, exporter: Make
) -> None:
    """Delivery resumes within five seconds of recovery, without a new span, and within the rate limit."""
    one = exporter()
    one.export(numbered.spans(5))
    rum.faults = [OUTAGE]
    sessions = [session_id() for _ in range(40)]
    begun = time.monotonic()
    while time.monotonic() - begun < outage_seconds:
        one.export(numbered.spans(19, sessions[len(numbered.exported) // 19 % 40]))
        time.sleep(19 / SPANS_PER_SECOND)
    before = len(rum.requests)
    assert before <= 3 * (time.monotonic() - begun) + 10, "few requests are made in an outage"
    recovered = time.time()
    rum.faults = []
    numbered.wait_until_received()
    after = [batch.received_at for batch in rum.batches if batch.received_at >= recovered]
    assert after[0] - recovered <= RESUME_SECONDS + BUSY_SECONDS
    assert len(rum.requests) - before <= REQUESTS_PER_SECOND * (1 + after[-1] - recovered), (
        "recovery keeps the rate limit"
    )
    assert one.force_flush()
    numbered.assert_counts(one.ledger)


@pytest.mark.usefixtures("real_delays", "short_export_wait")
def test_delivery_resumes_within_five_seconds_however_long_the_outage(
    rum: LocalRum, numbered: NumberedSpans, exporter: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a day of failures, with delays divided by 1000, the next delay is no longer than four seconds."""
    rum.faults = [OUTAGE]
    real = retry.backoff_seconds
    delays: list[float] = []

    def accelerated(failures: int, fraction: float) -> float:
        delays.append(real(failures, fraction))
        return delays[-1] / 1000

    with monkeypatch.context() as patch:
        patch.setattr(retry, "backoff_seconds", accelerated)
        one = exporter()
        for _ in range(4):
            one.export(numbered.spans(3, session_id()))
        deadline = time.monotonic() + 60
        while len(delays) < 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert max(delays) <= retry.MAX_BACKOFF_SECONDS
    time.sleep(0.1)  # delays are real from now on
    recovered = time.time()
    rum.faults = []
    numbered.wait_until_received()
    assert min(batch.received_at for batch in rum.batches) - recovered <= RESUME_SECONDS + BUSY_SECONDS
    assert one.force_flush()
    numbered.assert_counts(one.ledger)


@pytest.mark.usefixtures("real_delays")
def test_an_outage_does_not_slow_an_application_that_exports_each_span(
    rum: LocalRum, numbered: NumberedSpans, exporter: Make
) -> None:
    """Ten exports take less time than the maximum wait of one. After recovery, exports wait again."""
    rum.faults = [OUTAGE]
    one = exporter()
    one.export([numbered.span()])
    begun = time.monotonic()
    for _ in range(10):
        one.export([numbered.span()])
    assert time.monotonic() - begun < worker.MAX_EXPORT_WAIT_SECONDS
    rum.faults = []
    numbered.wait_until_received()
    assert one.force_flush()
    one.export([numbered.span()])
    assert numbered.received().keys() == numbered.exported
    numbered.assert_counts(one.ledger)


@pytest.mark.usefixtures("short_export_wait")
@IN_MEMORY
def test_events_above_the_memory_limit_are_counted_in_an_outage(
    rum: LocalRum, numbered: NumberedSpans, exporter: Make
) -> None:
    """The oldest are dropped; all events are delivered or counted."""
    rum.faults = [OUTAGE]
    one = exporter(max_memory_bytes=1024 * 1024)
    for _ in range(38):
        one.export(numbered.spans(100, session_id()))
    dropped = one.ledger.dropped[DropReason.QUEUE_FULL]
    assert dropped > 0
    rum.faults = []
    assert one.force_flush(60_000)
    numbered.assert_counts(one.ledger, {DropReason.QUEUE_FULL: dropped})
    assert max(numbered.received()) == len(numbered.exported) - 1


@pytest.mark.usefixtures("short_export_wait")
@IN_MEMORY
def test_events_above_the_spool_limit_are_counted_in_an_outage(
    rum: LocalRum, numbered: NumberedSpans, exporter: Make, tmp_path: Path
) -> None:
    """On disk as in memory."""
    rum.faults = [OUTAGE]
    one = exporter(spool_directory=str(tmp_path / "small"), spool_max_bytes=1024 * 1024)
    for _ in range(38):
        one.export(numbered.spans(100, session_id()))
    dropped = one.ledger.dropped[DropReason.SPOOL_FULL]
    assert dropped > 0
    rum.faults = []
    assert one.force_flush(60_000)
    numbered.assert_counts(one.ledger, {DropReason.SPOOL_FULL: dropped})


def descriptors() -> int:
    """Count the open descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.usefixtures("short_export_wait")
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")
def test_failures_leak_neither_threads_nor_descriptors(
    exporter: Make, numbered: NumberedSpans, caplog: pytest.LogCaptureFixture
) -> None:
    """A running exporter has few threads, and none after its shutdown."""
    # At DEBUG botocore logs exceptions, and pytest keeps them with their sockets.
    caplog.set_level(logging.WARNING)

    def cause_failures() -> None:
        with LocalRum() as rum:
            # Exporters of other tests may have threads.
            others = set(threading.enumerate())
            one = exporter(endpoint=rum.url)
            for fault in FAULTS:
                rum.faults = [fault]
                for _ in range(4):
                    one.export([numbered.span(session_id())])
            assert one.force_flush(60_000)
            threads = [thread for thread in threading.enumerate() if "otel-rum-delivery" in thread.name]
            threads = [thread for thread in threads if thread not in others]
            assert 0 < len(threads) <= in_flight.MAX_IN_FLIGHT
            one.shutdown()
            for thread in threads:
                thread.join(10)
            assert not any(thread.is_alive() for thread in threads)
            assert len(received(rum)) == 16
        gc.collect()

    cause_failures()
    before = descriptors()
    for _ in range(4):
        cause_failures()
    assert descriptors() <= before + 2
