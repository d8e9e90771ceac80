"""Outages: nothing is lost, delivery resumes by itself and is no storm, and nothing is left behind."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter.delivery import retry, worker
from otel_rum_exporter.ledger import DropReason
from otel_rum_exporter.local import Fault, LocalRum
from tests.faults.account import Account, session_id, taken
from tests.faults.conftest import IN_MEMORY, LONG

Make = Callable[..., Any]
RESUME_SECONDS = 5.0
"""The promise: so soon after recovery delivery resumes, with no new span."""

OUTAGE = Fault(status=503)
STORM = (
    Fault(cut="in_answer", times=2),
    Fault(status=503, times=2),
    Fault(cut="before_reading", times=2),
    Fault(status=500, endless_seconds=5, times=1),
)
REQUESTS_PER_SECOND = 50
SPANS_PER_SECOND = 95


@pytest.mark.usefixtures("real_pauses")
@pytest.mark.parametrize("outage_seconds", [3, pytest.param(30, marks=LONG)])
def test_an_outage_under_load_loses_nothing(
    outage_seconds: int, rum: LocalRum, account: Account, exporter: Make
) -> None:
    """Delivery resumes within five seconds of recovery, with no new span, and within the rate."""
    one = exporter()
    one.export(account.spans(5))
    rum.faults = [OUTAGE]
    sessions = [session_id() for _ in range(40)]
    begun = time.monotonic()
    while time.monotonic() - begun < outage_seconds:
        one.export(account.spans(19, sessions[len(account.given) // 19 % 40]))
        time.sleep(19 / SPANS_PER_SECOND)
    before = len(rum.requests)
    assert before <= 3 * (time.monotonic() - begun) + 10, "an outage is not hammered at"
    recovered = time.time()
    rum.faults = []
    account.wait_until_all_are_taken()
    after = [batch.received_at for batch in rum.batches if batch.received_at >= recovered]
    assert after[0] - recovered <= RESUME_SECONDS
    assert len(rum.requests) - before <= REQUESTS_PER_SECOND * (1 + after[-1] - recovered), "recovery is no storm"
    assert one.force_flush()
    account.assert_balanced(one.ledger)


@pytest.mark.usefixtures("real_pauses", "hasty")
def test_delivery_resumes_within_five_seconds_however_long_the_outage(
    rum: LocalRum, account: Account, exporter: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day of failures, whose pauses are a thousandth, makes the next pause no longer than four seconds."""
    rum.faults = [OUTAGE]
    real = retry.backoff_seconds
    pauses: list[float] = []

    def accelerated(failures: int, fraction: float) -> float:
        pauses.append(real(failures, fraction))
        return pauses[-1] / 1000

    with monkeypatch.context() as patch:
        patch.setattr(retry, "backoff_seconds", accelerated)
        one = exporter()
        for _ in range(4):
            one.export(account.spans(3, session_id()))
        deadline = time.monotonic() + 60
        while len(pauses) < 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert max(pauses) <= retry.MAX_BACKOFF_SECONDS
    time.sleep(0.1)  # the pauses from now on are real ones
    recovered = time.time()
    rum.faults = []
    account.wait_until_all_are_taken()
    assert min(batch.received_at for batch in rum.batches) - recovered <= RESUME_SECONDS
    assert one.force_flush()
    account.assert_balanced(one.ledger)


@pytest.mark.usefixtures("real_pauses")
def test_an_outage_does_not_slow_an_application_that_exports_each_span(
    rum: LocalRum, account: Account, exporter: Make
) -> None:
    """All of its exports take less time than one of them waits for RUM; when it is back, they wait for it again."""
    rum.faults = [OUTAGE]
    one = exporter()
    one.export([account.span()])
    begun = time.monotonic()
    for _ in range(10):
        one.export([account.span()])
    assert time.monotonic() - begun < worker.PATIENCE_SECONDS
    rum.faults = []
    account.wait_until_all_are_taken()
    assert one.force_flush()
    one.export([account.span()])
    assert account.taken().keys() == account.given
    account.assert_balanced(one.ledger)


@pytest.mark.usefixtures("hasty")
@IN_MEMORY
def test_the_memory_bound_holds_in_an_outage_and_each_event_beyond_it_is_counted(
    rum: LocalRum, account: Account, exporter: Make
) -> None:
    """The oldest leave; what is delivered, stored and dropped is all there was."""
    rum.faults = [OUTAGE]
    one = exporter(max_memory_bytes=1024 * 1024)
    for _ in range(30):
        one.export(account.spans(100, session_id()))
    assert one._shared.pipeline._delivery.stored_bytes <= 1024 * 1024
    dropped = one.ledger.dropped[DropReason.QUEUE_FULL]
    assert dropped > 0
    rum.faults = []
    assert one.force_flush(60_000)
    account.assert_balanced(one.ledger, {DropReason.QUEUE_FULL: dropped})
    assert max(account.taken()) == len(account.given) - 1


@pytest.mark.usefixtures("hasty")
@IN_MEMORY
def test_the_spool_bound_holds_in_an_outage_and_each_event_beyond_it_is_counted(
    rum: LocalRum, account: Account, exporter: Make, tmp_path: Path
) -> None:
    """On disk as in memory."""
    rum.faults = [OUTAGE]
    one = exporter(spool_directory=str(tmp_path / "small"), spool_max_bytes=1024 * 1024)
    for _ in range(30):
        one.export(account.spans(100, session_id()))
    dropped = one.ledger.dropped[DropReason.SPOOL_FULL]
    assert dropped > 0
    rum.faults = []
    assert one.force_flush(60_000)
    account.assert_balanced(one.ledger, {DropReason.SPOOL_FULL: dropped})


def descriptors() -> int:
    """Count the open descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.usefixtures("hasty")
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")
def test_storms_leave_neither_threads_nor_descriptors(
    exporter: Make, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """Not of an exporter that lives on, and none at all of one that was shut down."""
    # At DEBUG, which an earlier test may have left, botocore logs exceptions, and pytest keeps them with their sockets.
    caplog.set_level(logging.WARNING)

    def storm() -> None:
        with LocalRum() as rum:
            # Other tests' servers may send for as long as all tests run.
            others = set(threading.enumerate())
            one = exporter(endpoint=rum.url)
            for fault in STORM:
                rum.faults = [fault]
                for _ in range(4):
                    one.export([account.span(session_id())])
            assert one.force_flush(60_000)
            threads = [thread for thread in threading.enumerate() if "otel-rum-delivery" in thread.name]
            threads = [thread for thread in threads if thread not in others]
            assert 0 < len(threads) <= worker.MAX_IN_FLIGHT
            one.shutdown()
            for thread in threads:
                thread.join(10)
            assert not any(thread.is_alive() for thread in threads)
            assert len(taken(rum)) == 16
        gc.collect()

    storm()
    before = descriptors()
    for _ in range(4):
        storm()
    assert descriptors() <= before + 2
