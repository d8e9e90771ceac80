"""Measure exporters side by side, and print a table.

Each measurement is a process of its own. Each round measures all exporters, and every second round reverses their
order, so that other load on the machine affects all of them equally. A ratio is the median of the ratios of the rounds.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

OURS, OTLP, OTLP_JSON, NAIVE, AZURE, NONE = "aws_rum", "otlp", "otlp_json", "naive", "azure", "none"
NAMES = {
    OURS: "this exporter",
    OTLP: "OTLP/HTTP protobuf, gzip",
    OTLP_JSON: "OTLP/HTTP JSON, gzip",
    NAIVE: "boto3 and json",
    AZURE: "Azure Monitor",
    NONE: "no exporter",
}
TIMEOUT_SECONDS = 1200


@dataclass(frozen=True)
class Run:
    """One scenario, measured for some exporters. `more` has parameters for single exporters.

    `is_once` measures it in the first round only: it takes long, or hardly varies.
    """

    scenario: str
    exporters: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    is_once: bool = False


@dataclass(frozen=True)
class Row:
    """A row of the table: one figure of a run.

    If `against` names an exporter, the target is a multiple of its figure. `is_least` uses the least of the rounds and
    not the median, because other load on the machine only adds to that figure.
    """

    claim: str
    run: str
    figure: str
    target: float
    against: str = ""
    is_at_least: bool = False
    is_least: bool = False


UNLIMITED = {OURS: {"max_requests_per_second": 0}}
RUNS = {
    "instructions": Run("instructions", (OURS, OTLP), is_once=True),
    "single request": Run("request_instructions", (OURS, NAIVE), is_once=True),
    "one session": Run("steady", (OURS, OTLP, OTLP_JSON, NAIVE, AZURE)),
    "1000 sessions": Run("paced", (OURS, OTLP)),
    "one by one": Run("one_by_one", (OURS, NAIVE), more=UNLIMITED),
    "30 ms": Run("far_away", (OURS, NAIVE), {}, {OURS: {"count": 10_240, **UNLIMITED[OURS]}, NAIVE: {"count": 256}}),
    "beside 1k": Run("beside", (OURS, OTLP, NONE), {"per_second": 1000}),
    "beside 5k": Run("beside", (OURS, OTLP, NONE), {"per_second": 5000}),
    "cold": Run("cold", (OURS, OTLP, NAIVE)),
    "spool": Run("spooled", (OURS,)),
    "1k spans": Run("steady", (OURS,), {"count": 1024}, UNLIMITED),
    "10k spans": Run("steady", (OURS,), {"count": 10_240}, UNLIMITED),
    "100k spans": Run("steady", (OURS,), {"count": 102_400, "max_memory_bytes": 2**30}, UNLIMITED),
    "1M spans": Run("steady", (OURS,), {"count": 1_024_000, "max_memory_bytes": 2**30}, UNLIMITED, is_once=True),
    "10k sessions": Run("steady", (OURS,), {"count": 20_480, "sessions": 10_000}, UNLIMITED, is_once=True),
    "100k sessions": Run("steady", (OURS,), {"count": 204_800, "sessions": 100_000}, UNLIMITED, is_once=True),
    "10 more attributes": Run("steady", (OURS,), {"count": 10_240, "extra_attributes": 10}, UNLIMITED),
    "100 more attributes": Run("steady", (OURS,), {"count": 10_240, "extra_attributes": 100}, UNLIMITED),
}
CPU, BYTES, MEMORY = "cpu_micros_per_span", "bytes_per_span", "memory_mebibytes"
CORE, STALL = "exporter_core_percent", "longest_stall_millis"
ROWS = (
    Row("1. one session: instructions per span", "instructions", "instructions_per_span", 0.45, OTLP),
    Row("1. one session: CPU per span, µs", "one session", CPU, 0.6, OTLP),
    Row("1. one session: bytes per span on the wire", "one session", BYTES, 1.2, OTLP),
    Row("1. one session: requests per 1000 spans", "one session", "requests_per_thousand_spans", math.inf),
    Row("1. one session: peak memory growth, MiB", "one session", MEMORY, 8),
    Row("2. 1000 sessions, 2000 spans/s: CPU per span, µs", "1000 sessions", CPU, 1.5, OTLP),
    Row("2. … time to accept 10.2 s of spans, s", "1000 sessions", "feed_seconds", 12),
    Row("2. … time until all is delivered after that, s", "1000 sessions", "drain_seconds", math.inf),
    Row("2. … peak memory growth, MiB", "1000 sessions", MEMORY, 45),
    Row("3. single requests: instructions per request", "single request", "instructions_per_request", 0.65, NAIVE),
    Row("3. single requests: CPU per request, µs", "one by one", "cpu_micros_per_request", 0.65, NAIVE),
    Row("3. 30 ms latency: spans/s", "30 ms", "spans_per_second", math.inf, NAIVE, is_at_least=True),
    Row("4. beside an application, 1000 spans/s: exporter, % of a core", "beside 1k", CORE, 0.7, OTLP),
    Row("4. … the application's longest stall, ms", "beside 1k", STALL, 1, OTLP, is_least=True),
    Row("4. … application steps per second", "beside 1k", "application_work", math.inf),
    Row("4. beside an application, 5000 spans/s: exporter, % of a core", "beside 5k", CORE, 0.7, OTLP),
    Row("4. … the application's longest stall, ms", "beside 5k", STALL, 1, OTLP, is_least=True),
    Row("4. … application steps per second", "beside 5k", "application_work", math.inf),
    Row("5. import and construct, ms of CPU", "cold", "start_millis", math.inf),
    Row("5. import and construct, MiB", "cold", "start_mebibytes", math.inf),
    Row("5. first export, including boto3's import, ms of CPU", "cold", "first_export_millis", 1.15, NAIVE),
    Row("6. events/s accepted on disk", "spool", "accepted_events_per_second", 25_000, is_at_least=True),
    Row("6. events/s delivered from disk", "spool", "drained_events_per_second", 20_000, is_at_least=True),
    Row("7. 1,024 spans: CPU per span, µs", "1k spans", CPU, math.inf),
    Row("7. 10,240 spans: CPU per span, µs", "10k spans", CPU, math.inf),
    Row("7. 102,400 spans: CPU per span, µs", "100k spans", CPU, math.inf),
    Row("7. 1,024,000 spans: CPU per span, µs", "1M spans", CPU, math.inf),
    Row("7. … peak memory growth, MiB", "1M spans", MEMORY, math.inf),
    Row("7. 10,000 sessions, 2 spans each: CPU per span, µs", "10k sessions", CPU, math.inf),
    Row("7. 100,000 sessions, 2 spans each: CPU per span, µs", "100k sessions", CPU, math.inf),
    Row("7. … peak memory growth, MiB", "100k sessions", MEMORY, math.inf),
    Row("7. with 10 more attributes: CPU per span, µs", "10 more attributes", CPU, math.inf),
    Row("7. with 100 more attributes: CPU per span, µs", "100 more attributes", CPU, math.inf),
)

Round = dict[str, dict[str, float]]


def main() -> None:
    """Measure, print the table, and draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="measure only the runs with this text in their name")
    parser.add_argument("--plot", help="file for the plot of the first run")
    parser.add_argument("--json", help="file for all measurements")
    options = parser.parse_args()
    wanted = {name: run for name, run in RUNS.items() if options.only in name}
    rounds: dict[str, list[Round]] = {name: [] for name in wanted}
    for number in range(options.rounds):
        for name, run in wanted.items():
            if number and run.is_once:
                continue
            print(f"round {number + 1} of {options.rounds}: {name}", file=sys.stderr, flush=True)
            rounds[name].append(_round(run, is_reversed=number % 2 == 1))
        if options.json:
            Path(options.json).write_text(json.dumps(rounds, indent=1))
    print(table(rounds))
    if options.plot and "one session" in rounds:
        from .plot import draw

        draw(rounds["one session"], options.plot)


def _round(run: Run, *, is_reversed: bool) -> Round:
    found: Round = {}
    for exporter in reversed(run.exporters) if is_reversed else run.exporters:
        parameters = json.dumps({**run.parameters, **run.more.get(exporter, {})})
        command = [sys.executable, "-m", "benchmarks.measure", run.scenario, exporter, parameters]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_SECONDS, check=False)
        if done.returncode:
            print(f"{exporter} cannot be measured on this machine", file=sys.stderr)
        else:
            found[exporter] = json.loads(done.stdout)
    return found


def table(rounds: Mapping[str, Sequence[Round]]) -> str:
    """Return the measured rows as Markdown: the figure of each exporter, the ratio and the target."""
    lines = [
        f"| | {' | '.join(NAMES.values())} | ratio | target |",
        f"|---|{'---|' * (len(NAMES) + 2)}",
    ]
    for row in ROWS:
        if row.run in rounds:
            measured = rounds[row.run]
            cells = [_format(_figure(measured, name, row)) for name in NAMES]
            lines.append(f"| {row.claim} | {' | '.join(cells)} | {_format(_ratio(measured, row))} | {_target(row)} |")
    return "\n".join(lines)


def _figure(measured: Sequence[Round], exporter: str, row: Row) -> float:
    found = [one[exporter][row.figure] for one in measured if exporter in one]
    return (min if row.is_least else median)(found) if found else math.nan


def _ratio(measured: Sequence[Round], row: Row) -> float:
    if not row.against:
        return math.nan
    if row.is_least:
        return _figure(measured, OURS, row) / _figure(measured, row.against, row)
    pairs = [(one[OURS], one[row.against]) for one in measured if {OURS, row.against} <= one.keys()]
    return median(ours[row.figure] / theirs[row.figure] for ours, theirs in pairs) if pairs else math.nan


def _target(row: Row) -> str:
    if row.target == math.inf:
        return ""
    bound = f"{'≥' if row.is_at_least else '≤'} {row.target:,g}"
    return f"{bound} × {NAMES[row.against]}" if row.against else bound


def _format(value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    main()
