"""Make one measurement, and print it as JSON: `python -m benchmarks.measure SCENARIO EXPORTER [PARAMETERS]`.

CPU is the time of all threads of the process (`getrusage`). On a busy machine it is steadier than elapsed time.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from .corpus import Maker, spans, tracer_of
from .exporters import ENVIRONMENT, exporter
from .sink import Sink

BATCH = 512
"""The number of spans in a batch of the SDK's BatchSpanProcessor."""

Figures = dict[str, float]


def steady(name: str, *, count: int = 10_240, sessions: int = 1, extra_attributes: int = 0, **settings: Any) -> Figures:
    """Export batches one after another, and wait until all events are delivered."""
    made = _frozen(count + 2 * BATCH, sessions=sessions, extra_attributes=extra_attributes)
    with Sink() as sink:
        measured = exporter(name, sink.endpoint, **settings)
        _feed(measured, made[: 2 * BATCH])
        _freeze()
        resident, cpu, begun = _resident_bytes(), _cpu_seconds(), time.perf_counter()
        _feed(measured, made[2 * BATCH :])
        figures = {
            "memory_mebibytes": (_peak_bytes() - resident) / 2**20,
            "cpu_micros_per_span": (_cpu_seconds() - cpu) / count * 1e6,
            "spans_per_second": count / (time.perf_counter() - begun),
        }
        measured.shutdown()
    return {
        **figures,
        "bytes_per_span": sink.body_bytes / len(made),
        "requests_per_thousand_spans": sink.requests / len(made) * 1000,
    }


def counted(name: str, *, count: int, made: int, **settings: Any) -> Figures:
    """Export some of the spans that were made, one delivered batch after another, so that requests do not vary."""
    frozen = _frozen(made)
    with Sink() as sink:
        measured = exporter(name, sink.endpoint, **settings)
        for start in range(0, count, BATCH):
            _feed(measured, frozen[start : start + BATCH])
        measured.shutdown()
    return {"requests": sink.requests}


def instructions(name: str) -> Figures:
    """Count the CPU instructions of the exporter for each span."""
    from .instructions import per_span

    return {"instructions_per_span": per_span(name)}


def single(name: str, *, count: int) -> Figures:
    """Send the same request of one event a number of times, as `aws_rum` or with `boto3`."""
    from .single import sender

    os.environ.update(ENVIRONMENT)
    with Sink() as sink, sender(name, sink.endpoint) as send:
        for _ in range(count):
            send()
    return {"requests": sink.requests}


def request_instructions(name: str) -> Figures:
    """Count the CPU instructions of a request of one event."""
    from .instructions import per_request

    return {"instructions_per_request": per_request(name)}


def one_by_one(name: str, *, count: int = 2048, sessions: int = 1000, **settings: Any) -> Figures:
    """Export each batch after the delivery of the previous one, so that no two batches share a request."""
    made = _frozen(count, sessions=sessions)
    with Sink() as sink:
        measured = exporter(name, sink.endpoint, **settings)
        _feed(measured, made[:BATCH])
        _freeze()
        cpu = _cpu_seconds()
        for start in range(BATCH, count, BATCH):
            _feed(measured, made[start : start + BATCH])
        cpu = _cpu_seconds() - cpu
        measured.shutdown()
    return {"cpu_micros_per_request": cpu / (sink.requests * (count - BATCH) / count) * 1e6}


def far_away(name: str, *, count: int, sessions: int = 1000, delay_millis: int = 30, **settings: Any) -> Figures:
    """Export as fast as possible to a service with latency."""
    made = _frozen(count, sessions=sessions)
    with Sink(delay_millis=delay_millis) as sink:
        measured = exporter(name, sink.endpoint, **settings)
        begun = time.perf_counter()
        _feed(measured, made)
        seconds = time.perf_counter() - begun
        measured.shutdown()
    return {"spans_per_second": count / seconds}


def paced(name: str, *, per_second: int = 2000, seconds: float = 10.2, sessions: int = 1000) -> Figures:
    """Export batches at the rate of an application, and measure how long the rest takes.

    The first export is measured by `cold`: half of what it takes is the import of boto3.
    """
    count = int(per_second * seconds)
    first, *made = _frozen(1 + count, sessions=sessions)
    with Sink() as sink:
        measured = exporter(name, sink.endpoint)
        _feed(measured, [first])
        _freeze()
        resident, cpu, begun = _resident_bytes(), _cpu_seconds(), time.perf_counter()
        for start in range(0, count, BATCH):
            time.sleep(max(0.0, begun + (start + BATCH) / per_second - time.perf_counter()))
            measured.export(made[start : start + BATCH])
        fed = time.perf_counter()
        measured.force_flush(120_000)
        figures = {
            "cpu_micros_per_span": (_cpu_seconds() - cpu) / count * 1e6,
            "feed_seconds": fed - begun,
            "drain_seconds": time.perf_counter() - fed,
            "memory_mebibytes": (_peak_bytes() - resident) / 2**20,
        }
        measured.shutdown()
    return {**figures, "requests_per_thousand_spans": sink.requests / count * 1000}


def beside(name: str, *, per_second: int, seconds: float = 5.0) -> Figures:
    """Measure how a BatchSpanProcessor with the exporter slows an application down."""
    with Sink() as sink:
        measured = exporter(name, sink.endpoint)
        processor = BatchSpanProcessor(measured)
        source = _SpanSource(Maker(tracer_of(processor)), per_second)
        source.start()
        time.sleep(3)
        _freeze()
        cpu, own, fed = _cpu_seconds(), time.thread_time(), source.cpu_seconds()
        work, longest_seconds = _compute(seconds)
        own, fed = time.thread_time() - own, source.cpu_seconds() - fed
        cpu = _cpu_seconds() - cpu
        source.stop()
        processor.force_flush()
        measured.shutdown()
    return {
        "exporter_core_percent": (cpu - own - fed) / seconds * 100,
        "longest_stall_millis": longest_seconds * 1000,
        "application_work": work / seconds,
    }


def _compute(seconds: float) -> tuple[int, float]:
    """Compute in small steps; return their number, and the longest time of one step."""
    now = begun = time.perf_counter()
    done, longest, number = 0, 0.0, 1
    while now - begun < seconds:
        for _ in range(200):
            number = number * 1_103_515_245 % 2_147_483_647
        before, now = now, time.perf_counter()
        longest = max(longest, now - before)
        done += 1
    return done, longest


class _SpanSource(threading.Thread):
    """A thread that makes spans at a steady rate."""

    def __init__(self, maker: Maker, per_second: int) -> None:
        super().__init__(daemon=True)
        self._maker = maker
        self._per_second = per_second
        self._is_stopped = False

    def run(self) -> None:
        begun, made = time.perf_counter(), 0
        while not self._is_stopped:
            due = int((time.perf_counter() - begun) * self._per_second)
            for _ in range(due - made):
                self._maker.make()
            made = max(made, due)
            time.sleep(0.005)

    def cpu_seconds(self) -> float:
        assert self.ident is not None
        return time.clock_gettime(time.pthread_getcpuclockid(self.ident))

    def stop(self) -> None:
        self._is_stopped = True
        self.join()


def cold(name: str) -> Figures:
    """Import and construct the exporter in a process that has imported the SDK; then export once."""
    made = spans(BATCH)
    gc.collect()
    with Sink() as sink:
        resident, cpu = _resident_bytes(), _cpu_seconds()
        measured = exporter(name, sink.endpoint)
        figures = {
            "start_millis": (_cpu_seconds() - cpu) * 1000,
            "start_mebibytes": (_resident_bytes() - resident) / 2**20,
        }
        has_boto3 = "boto3" in sys.modules
        cpu = _cpu_seconds()
        _feed(measured, made[:1])
        figures["first_export_millis"] = (_cpu_seconds() - cpu) * 1000 + has_boto3 * figures["start_millis"]
        measured.shutdown()
    return figures


def spooled(name: str, *, count: int = 10_240, sessions: int = 1) -> Figures:
    """Accept events on disk during an outage, and deliver them after it."""
    made = _frozen(count, sessions=sessions)
    with tempfile.TemporaryDirectory(dir=".") as directory:
        settings: dict[str, Any] = {"spool_directory": directory, "max_requests_per_second": 0}
        with socket.create_server(("127.0.0.1", 0)) as unused:
            endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        measured: Any = exporter(name, endpoint, **settings)
        measured.export(made[:1])
        before, begun = measured.ledger.accepted, time.perf_counter()
        for start in range(1, count, BATCH):
            measured.export(made[start : start + BATCH])
        events, accepted_seconds = measured.ledger.accepted - before, time.perf_counter() - begun
        with Sink(port=int(endpoint.rpartition(":")[2])) as sink:
            deadline = time.perf_counter() + 60
            # The delay before the next retry is random, up to four seconds.
            while not measured.ledger.delivered and time.perf_counter() < deadline:
                time.sleep(0.001)
            stored, begun = measured.ledger.stored, time.perf_counter()
            while measured.ledger.stored and time.perf_counter() < deadline:
                time.sleep(0.01)
            drained_seconds = time.perf_counter() - begun
            measured.shutdown()
    return {
        "accepted_events_per_second": events / accepted_seconds,
        "drained_events_per_second": stored / drained_seconds,
        "requests": sink.requests,
    }


def _feed(measured: SpanExporter, made: Sequence[ReadableSpan]) -> None:
    for start in range(0, len(made), BATCH):
        measured.export(made[start : start + BATCH])
    measured.force_flush(120_000)


def _frozen(count: int, **corpus: Any) -> list[ReadableSpan]:
    """Return a corpus that the garbage collector ignores, because an application does not keep its spans."""
    made = spans(count, **corpus)
    _freeze()
    return made


def _freeze() -> None:
    """Let the garbage collector ignore all objects that exist. The first requests import modules with many objects."""
    gc.collect()
    gc.freeze()


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


SCENARIOS: dict[str, Callable[..., Figures]] = {
    scenario.__name__: scenario
    for scenario in (
        *(steady, counted, instructions, single, request_instructions),
        *(one_by_one, far_away, paced, beside, cold, spooled),
    )
}

if __name__ == "__main__":
    parameters = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    print(json.dumps(SCENARIOS[sys.argv[1]](sys.argv[2], **parameters)))
