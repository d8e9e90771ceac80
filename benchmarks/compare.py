"""Count the spans that exporters lose under the same faults: this one, OTLP over HTTP, and Azure Monitor's.

Run it with `make compare`. Each program uses the SDK with a BatchSpanProcessor. A span is lost if it ended, and no
request with a 200 response contained it. A program is killed three seconds after its last span, which is 15 times the
delay of its BatchSpanProcessor, so that the spans in question are the exporter's.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.failing_sink import Sink

SPANS_PER_SECOND = 95
OUTAGE_SECONDS = 30
SPANS, SPANS_AFTER_RESTART = 2000, 100
AFTER_RESTART_PER_SECOND = 1
"""The rate after the restart. It is low, because Azure's exporter leases its files for a minute."""

DAMAGE_BYTES = 512
DELIVERY_SECONDS = 5
EXPORTERS = ("ours, memory", "ours, spool", "OTLP/HTTP", "Azure Monitor")
_MODULES = {
    "OTLP/HTTP": "opentelemetry.exporter.otlp.proto.http",
    "Azure Monitor": "azure.monitor.opentelemetry.exporter",
}
_MONITOR = "00000000-aaaa-4bbb-8ccc-000000000001"
_KEY = "00000000-0000-0000-0000-000000000001"


class Loss(NamedTuple):
    """The spans of one program. `counted` are losses that the exporter reports, `repeated` arrived more than once."""

    ended: int
    lost: int
    repeated: int
    counted: int


def exporter_of(name: str, url: str, directory: str) -> Any:
    """Return an exporter."""
    if name.startswith("ours"):
        from otel_rum_exporter import RumSpanExporter

        spool = directory if name == "ours, spool" else None
        return RumSpanExporter(app_monitor_id=_MONITOR, endpoint=url, signing="none", spool_directory=spool)
    if name == "OTLP/HTTP":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(f"{url}/v1/traces")
    from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter

    connection = f"InstrumentationKey={_KEY};IngestionEndpoint={url}/"
    return AzureMonitorTraceExporter(connection_string=connection, storage_directory=directory)


def program(name: str, url: str, directory: str, first: int, count: int, rest_seconds: float) -> None:
    """End spans at a steady rate, wait, and exit normally."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = exporter_of(name, url, directory)
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=200))
    tracer = provider.get_tracer("compare")
    rate = AFTER_RESTART_PER_SECOND if count == SPANS_AFTER_RESTART else SPANS_PER_SECOND
    begun = time.monotonic()
    for number in range(count):
        tracer.start_span(
            "work", attributes={"session.id": f"s{number % 20}", "number": f"span-{first + number:07}"}
        ).end()
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
    print("ended", flush=True)
    time.sleep(rest_seconds)
    provider.shutdown()
    if name.startswith("ours"):
        print(sum(exporter.ledger.dropped.values()), flush=True)
    else:
        print(0, flush=True)


def start(name: str, sink: Sink, directory: Path, first: int, count: int, rest_seconds: float) -> subprocess.Popen[str]:
    """Start `program` as a process."""
    arguments = [name, sink.url, str(directory), str(first), str(count), str(rest_seconds)]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "AWS_"))}
    env["APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL"] = "true"
    command = [sys.executable, "-m", __spec__.name, "--program", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)


def outage(name: str, sink: Sink, directory: Path) -> Loss:
    """Fail all requests for 30 of 50 seconds, and restart the program after its end."""
    count = SPANS_PER_SECOND * (OUTAGE_SECONDS + 20)
    process = start(name, sink, directory, 0, count, 5)
    time.sleep(7)
    sink.set_failing(is_failing=True)
    time.sleep(OUTAGE_SECONDS)
    sink.set_failing(is_failing=False)
    output, _ = process.communicate(timeout=300)
    return restart(name, sink, directory, count, int(output.split()[-1]))


def killed(name: str, sink: Sink, directory: Path, damage: Callable[[Path], None] = lambda _: None) -> Loss:
    """Kill the program in an outage, and restart it after the outage."""
    sink.set_failing(is_failing=True)
    process = start(name, sink, directory, 0, SPANS, 600)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    damage(directory)
    sink.set_failing(is_failing=False)
    return restart(name, sink, directory, SPANS, 0)


def damaged(name: str, sink: Sink, directory: Path) -> Loss:
    """Kill the program in an outage, and damage 512 bytes in the middle of its largest file."""

    def damage(folder: Path) -> None:
        files = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
        if files:
            with files[-1].open("r+b") as file:
                file.seek(files[-1].stat().st_size // 2)
                file.write(random.Random(1).randbytes(DAMAGE_BYTES))

    return killed(name, sink, directory, damage)


def restart(name: str, sink: Sink, directory: Path, ended: int, counted: int) -> Loss:
    """Restart the program, whose exporter finds the files of the killed one, and count the lost spans."""
    process = start(name, sink, directory, ended, SPANS_AFTER_RESTART, DELIVERY_SECONDS)
    output, _ = process.communicate(timeout=300)
    received = sink.report()
    total, repeated = ended + SPANS_AFTER_RESTART, sum(received.values()) - len(received)
    return Loss(total, total - len(received), repeated, counted + int(output.split()[-1]))


FAULTS: dict[str, Callable[[str, Sink, Path], Loss]] = {
    "30 s outage": outage,
    "outage, SIGKILL": killed,
    "outage, SIGKILL, 512 bytes damaged": damaged,
}


def main() -> None:
    """Print a table of faults and exporters."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--program", nargs=6, help=argparse.SUPPRESS)
    parser.add_argument("--exporter", action="append", choices=EXPORTERS, help="only this exporter; repeatable")
    parser.add_argument("--fault", action="append", choices=tuple(FAULTS), help="only this fault; repeatable")
    options = parser.parse_args()
    if options.program:
        name, url, directory, first, count, rest_seconds = options.program
        program(name, url, directory, int(first), int(count), float(rest_seconds))
        return
    print("| fault | exporter | spans ended | lost | losses it reports | repeated |\n|---|---|---|---|---|---|")
    for fault in options.fault or FAULTS:
        for name in options.exporter or EXPORTERS:
            if name in _MODULES and not _is_installed(_MODULES[name]):
                print(f"| {fault} | {name} | not installed |")
                continue
            sink = Sink()
            with tempfile.TemporaryDirectory() as directory:
                found = FAULTS[fault](name, sink, Path(directory))
            sink.close()
            share = 100 * found.lost / found.ended
            counts = f"{found.lost:,} ({share:.1f} %) | {found.counted:,} | {found.repeated:,}"
            print(f"| {fault} | {name} | {found.ended:,} | {counts} |", flush=True)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


if __name__ == "__main__":
    main()
