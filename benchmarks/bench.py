"""Measure exporters side by side: one table, and one plot.

Each measurement is a process of its own. All exporters are measured in each round, in turn, and the order is turned
round with every round, so that what else the machine does meets all of them alike. A ratio is the median of the ratios
within the rounds.
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
TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Run:
    """One measurement of some exporters; `more` are parameters for single ones."""

    scenario: str
    exporters: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One figure of a run; `against` is the exporter that the target is a multiple of, if it is one.

    `is_least` takes the least of the rounds in place of the median: where the rest is what else the machine does.
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
    "10 more attributes": Run("steady", (OURS,), {"count": 10_240, "extra_attributes": 10}, UNLIMITED),
    "100 more attributes": Run("steady", (OURS,), {"count": 10_240, "extra_attributes": 100}, UNLIMITED),
}
CPU, BYTES = "cpu_micros_per_span", "bytes_per_span"
ROWS = (
    Row("1. one session: CPU a span, µs", "one session", CPU, 0.35, OTLP),
    Row("1. one session: bytes a span on the wire", "one session", BYTES, 1.3, OTLP),
    Row("1. one session: requests for 1000 spans", "one session", "requests_per_thousand_spans", math.inf),
    Row("2. 1000 sessions, 2000 spans/s: CPU a span, µs", "1000 sessions", CPU, 2, OTLP),
    Row("2. … 10.2 s of feeding take, s", "1000 sessions", "feed_seconds", 12),
    Row("2. … until all is delivered after that, s", "1000 sessions", "drain_seconds", 15),
    Row("2. … memory at most, MiB", "1000 sessions", "memory_mebibytes", math.inf),
    Row("3. nothing can coalesce: CPU a request, µs", "one by one", "cpu_micros_per_request", 0.5, NAIVE),
    Row("3. 30 ms away: spans/s", "30 ms", "spans_per_second", 8, NAIVE, is_at_least=True),
    Row("4. beside 1000 spans/s: exporter, % of a core", "beside 1k", "exporter_core_percent", 0.35, OTLP),
    Row("4. … the application's longest stall, ms", "beside 1k", "longest_stall_millis", 1, OTLP, is_least=True),
    Row("4. … steps of the application a second", "beside 1k", "application_work", math.inf),
    Row("4. beside 5000 spans/s: exporter, % of a core", "beside 5k", "exporter_core_percent", 0.35, OTLP),
    Row("4. … the application's longest stall, ms", "beside 5k", "longest_stall_millis", 1, OTLP, is_least=True),
    Row("4. … steps of the application a second", "beside 5k", "application_work", math.inf),
    Row("5. import and construct, ms of CPU", "cold", "start_millis", 15),
    Row("5. import and construct, MiB", "cold", "start_mebibytes", 3),
    Row("5. first export, with the import of boto3, ms of CPU", "cold", "first_export_millis", 1.1, NAIVE),
    Row("6. events/s accepted on disk", "spool", "accepted_events_per_second", 20_000, is_at_least=True),
    Row("6. events/s delivered from disk", "spool", "drained_events_per_second", 5_000, is_at_least=True),
    Row("7. 1,024 spans: CPU a span, µs", "1k spans", CPU, math.inf),
    Row("7. 10,240 spans: CPU a span, µs", "10k spans", CPU, math.inf),
    Row("7. 102,400 spans: CPU a span, µs", "100k spans", CPU, math.inf),
    Row("7. with 10 more attributes: CPU a span, µs", "10 more attributes", CPU, math.inf),
    Row("7. with 100 more attributes: CPU a span, µs", "100 more attributes", CPU, math.inf),
)

Round = dict[str, dict[str, float]]


def main() -> None:
    """Measure, print the table, and draw."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--only", default="", help="measure only runs whose name contains this")
    arguments.add_argument("--plot", help="file to draw the first run into")
    arguments.add_argument("--json", help="file to write all measurements into")
    told = arguments.parse_args()
    wanted = {name: run for name, run in RUNS.items() if told.only in name}
    rounds: dict[str, list[Round]] = {name: [] for name in wanted}
    for number in range(told.rounds):
        for name, run in wanted.items():
            print(f"round {number + 1} of {told.rounds}: {name}", file=sys.stderr, flush=True)
            rounds[name].append(_round(run, is_reversed=number % 2 == 1))
        if told.json:
            Path(told.json).write_text(json.dumps(rounds, indent=1))
    print(table(rounds))
    if told.plot and "one session" in rounds:
        from .plot import draw

        draw(rounds["one session"], told.plot)


def _round(run: Run, *, is_reversed: bool) -> Round:
    found: Round = {}
    for exporter in reversed(run.exporters) if is_reversed else run.exporters:
        parameters = json.dumps({**run.parameters, **run.more.get(exporter, {})})
        command = [sys.executable, "-m", "benchmarks.measure", run.scenario, exporter, parameters]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_SECONDS, check=False)
        if done.returncode:
            print(f"{exporter} cannot be measured here", file=sys.stderr)
        else:
            found[exporter] = json.loads(done.stdout)
    return found


def table(rounds: Mapping[str, Sequence[Round]]) -> str:
    """Return the rows that were measured, as Markdown: medians, and the ratio that the target is about."""
    lines = [
        f"| | {' | '.join(NAMES.values())} | ratio | target |",
        f"|---|{'---|' * (len(NAMES) + 2)}",
    ]
    for row in ROWS:
        if row.run in rounds:
            measured = rounds[row.run]
            cells = [_shown(_middle(measured, name, row)) for name in NAMES]
            lines.append(f"| {row.claim} | {' | '.join(cells)} | {_shown(_ratio(measured, row))} | {_target(row)} |")
    return "\n".join(lines)


def _middle(measured: Sequence[Round], exporter: str, row: Row) -> float:
    found = [one[exporter][row.figure] for one in measured if exporter in one]
    return (min if row.is_least else median)(found) if found else math.nan


def _ratio(measured: Sequence[Round], row: Row) -> float:
    if not row.against:
        return math.nan
    if row.is_least:
        return _middle(measured, OURS, row) / _middle(measured, row.against, row)
    pairs = [(one[OURS], one[row.against]) for one in measured if {OURS, row.against} <= one.keys()]
    return median(ours[row.figure] / theirs[row.figure] for ours, theirs in pairs) if pairs else math.nan


def _target(row: Row) -> str:
    if row.target == math.inf:
        return ""
    bound = f"{'≥' if row.is_at_least else '≤'} {row.target:,g}"
    return f"{bound} × {NAMES[row.against]}" if row.against else bound


def _shown(value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    main()
