"""Send 1,000 spans per second for ten minutes, with a fault each minute; print losses, and the growth of memory.

Run it with `make soak`. The local RUM is a process of its own, so that memory, threads and descriptors are those of an
application with the exporter. The exit code is 1 if spans were lost without a counted reason.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_rum_exporter import RumSpanExporter
from otel_rum_exporter.local import CAPTIVE_PORTAL, Fault, LocalRum, store

SPANS_PER_SECOND = 1000
SESSIONS = 50
MINUTE_SECONDS = 60.0
"""The time of a fault. It lasts half of it; the queue empties in the rest."""

SAMPLE_SECONDS = 10.0
WARM_UP_SECONDS = 300.0
"""The time in which the memory of traces, sessions and queues fills its bounds, with each fault once."""

LONGEST_SECONDS = 120.0
"""The time of the first fault, an outage. No later one leaves as many events."""

_MONITOR = "00000000-aaaa-4bbb-8ccc-000000000001"

FAULTS: dict[str, list[dict[str, Any]]] = {
    "503 to everything": [{"status": 503}],
    "429 with Retry-After": [{"status": 429, "retry_after": 2}],
    "reset after accepting": [{"cut": "before_answer", "taken": True, "probability": 0.5}],
    "response after 2 s": [{"latency_seconds": 2.0}],
    "a captive portal": [{"content": CAPTIVE_PORTAL}],
    "500 to 30 %": [{"status": 500, "probability": 0.3}],
    "reset while sending": [{"cut": "before_reading", "probability": 0.5}],
    "endless response": [{"endless_seconds": 20.0, "probability": 0.2}],
}


class Sample(NamedTuple):
    """The resources of the process at one time."""

    seconds: float
    rss_mib: float
    threads: int
    descriptors: int


def serve() -> None:
    """Run a local RUM. A line on stdin is a list of faults, or `report`, which prints the counts of events."""
    store._MAX_COUNTED_EVENTS = sys.maxsize  # noqa: SLF001 - it forgets the oldest, which this test would count as lost.
    with LocalRum(max_events=1000) as rum:
        print(rum.url, flush=True)
        for line in sys.stdin:
            if line.strip() == "report":
                counts = rum.event_counts
                print(json.dumps([len(counts), sum(counts.values()), len(rum.refused)]), flush=True)
            else:
                rum.faults = [Fault(**fault) for fault in json.loads(line)]


def sample(seconds: float) -> Sample:
    """Measure this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    mib = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return Sample(seconds, mib, threading.active_count(), len(list(Path("/proc/self/fd").iterdir())))


def slope_per_hour(samples: list[Sample]) -> float:
    """Return the growth of memory in MiB per hour, by least squares after the first five minutes."""
    warm = [one for one in samples if one.seconds >= WARM_UP_SECONDS] or samples
    mean_x = sum(one.seconds for one in warm) / len(warm)
    mean_y = sum(one.rss_mib for one in warm) / len(warm)
    variance = sum((one.seconds - mean_x) ** 2 for one in warm) or 1.0
    return 3600 * sum((one.seconds - mean_x) * (one.rss_mib - mean_y) for one in warm) / variance


def schedule() -> Iterator[tuple[str, list[dict[str, Any]], float]]:
    """Yield each fault with its time.

    The warm-up has each of them and the largest backlog, because memory grows when they occur first.
    """
    others_seconds = (WARM_UP_SECONDS - LONGEST_SECONDS) / (len(FAULTS) - 1)
    for number, (name, fault) in enumerate(FAULTS.items()):
        yield name, fault, others_seconds if number else LONGEST_SECONDS
    for name, fault in cycle(FAULTS.items()):
        yield name, fault, MINUTE_SECONDS


def soak(seconds: float, exporter: RumSpanExporter, server: subprocess.Popen[str]) -> tuple[int, list[Sample]]:
    """End spans at a steady rate while faults start and end; return their number, and the samples."""
    assert server.stdin is not None
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=8192, schedule_delay_millis=1000))
    tracer = provider.get_tracer("soak")
    samples, ended, faults = [sample(0.0)], 0, schedule()
    begun = time.monotonic()
    fault_ends, next_fault, is_failing = 0.0, 0.0, False
    while (now := time.monotonic() - begun) < seconds:
        if now >= next_fault:
            name, fault, fault_seconds = next(faults)
            print(f"{now:5.0f} s  {samples[-1].rss_mib:4.0f} MiB  {name:22} {exporter.ledger}", flush=True)
            print(json.dumps(fault), file=server.stdin, flush=True)
            is_failing, fault_ends, next_fault = True, now + fault_seconds / 2, now + fault_seconds
        elif is_failing and now >= fault_ends:
            print("[]", file=server.stdin, flush=True)
            is_failing = False
        if now - samples[-1].seconds >= SAMPLE_SECONDS:
            samples.append(sample(now))
        for _ in range(int(now * SPANS_PER_SECOND) - ended):
            tracer.start_span("work", attributes={"session.id": f"s{ended % SESSIONS}", "n": ended}).end()
            ended += 1
        time.sleep(0.01)
    print("[]", file=server.stdin, flush=True)
    provider.force_flush()
    exporter.force_flush(120_000)
    provider.shutdown()
    return ended, samples


def main() -> int:
    """Run the test, and print its result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--memory", action="store_true", help="keep the queue in memory, not in a spool")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return 0
    command = [sys.executable, __file__, "--serve"]
    with (
        tempfile.TemporaryDirectory() as directory,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        exporter = RumSpanExporter(
            app_monitor_id=_MONITOR,
            endpoint=server.stdout.readline().strip(),
            signing="none",
            spool_directory=None if options.memory else directory,
        )
        ended, samples = soak(60 * options.minutes, exporter, server)
        print("report", file=server.stdin, flush=True)
        received, requests, rejected = json.loads(server.stdout.readline())
        server.communicate()
    ledger, last = exporter.ledger, samples[-1]
    counted = sum(ledger.dropped.values())
    lost = ledger.accepted - received - counted
    before = ended + SESSIONS - ledger.accepted  # Each session has a start event.
    print(f"spans ended {ended:,}; dropped by the BatchSpanProcessor before the exporter: {before:,}")
    print(f"{ledger!r}\nreceived by RUM {received:,}, repeated {requests - received:,}, requests rejected {rejected:,}")
    print(f"lost without a counted reason: {lost:,}")
    slope = f"{slope_per_hour(samples):+.1f} MiB per hour after five minutes"
    print(f"memory {samples[0].rss_mib:.0f} -> {last.rss_mib:.0f} MiB, {slope}")
    print(f"threads, at most {max(one.threads for one in samples)}, at the end {last.threads}")
    print(f"descriptors, at most {max(one.descriptors for one in samples)}, at the end {last.descriptors}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
