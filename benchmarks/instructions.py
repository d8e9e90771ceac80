"""Count CPU instructions with valgrind: of an exporter for each span, or of a single request of one event.

`python -m benchmarks.instructions`, or `python -m benchmarks.instructions single`. A count is the difference of two
runs that differ only by the exported spans or requests, so start-up and the making of spans do not count. Unlike times,
counts hardly depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from .measure import BATCH

FEW, MANY = 8 * BATCH, 16 * BATCH
"""The first spans have all stacks of the corpus: an application that fails, fails repeatedly at the same places."""
FEW_REQUESTS, MANY_REQUESTS = 50, 250
TIMEOUT_SECONDS = 1200
DEFAULT = ("aws_rum", "otlp")
SINGLE = ("aws_rum", "boto3")
MEASURED = {"span": 0.43, "request": 0.515}
"""The ratios of the last measurement, with Python 3.11."""
MARGIN = 1.05
"""`--check` fails above this multiple of what was measured."""


def per_span(name: str) -> float:
    """Return the instructions of an exporter for one span."""
    settings = {"made": MANY, **({"max_requests_per_second": 0} if name == "aws_rum" else {})}
    return _per_count("counted", name, FEW, MANY, settings)


def per_request(name: str) -> float:
    """Return the instructions of a request of one event, without the delivery around it."""
    return _per_count("single", name, FEW_REQUESTS, MANY_REQUESTS, {})


def _per_count(scenario: str, name: str, few: int, many: int, parameters: dict[str, int]) -> float:
    with ThreadPoolExecutor() as threads:
        least, most = threads.map(
            lambda count: _instructions(scenario, name, {**parameters, "count": count}), (few, many)
        )
    return (most - least) / (many - few)


def _instructions(scenario: str, name: str, parameters: dict[str, int]) -> int:
    done = subprocess.run(
        [
            *("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", sys.executable),
            *("-m", "benchmarks.measure", scenario, name, json.dumps(parameters)),
        ],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    (count,) = re.findall(r"I +refs: +([\d,]+)", done.stderr)
    return int(count.replace(",", ""))


def main() -> int:
    """Print the counts and their ratio; with `--check`, return 1 if the ratio is higher than measured before."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", default=DEFAULT, help="exporters, or 'single'")
    parser.add_argument("--check", action="store_true", help="fail if the ratio is higher than measured before")
    options = parser.parse_args()
    is_single = list(options.names) == ["single"]
    count, unit, pair = (per_request, "request", SINGLE) if is_single else (per_span, "span", DEFAULT)
    found = {name: count(name) for name in (pair if is_single else options.names)}
    for name, instructions in found.items():
        print(f"{name}: {instructions:,.0f} instructions for each {unit}")
    if not set(pair) <= found.keys():
        return 0
    ratio = found[pair[0]] / found[pair[1]]
    print(f"ratio: {ratio:.3f}")
    return int(options.check and ratio > MARGIN * MEASURED[unit])


if __name__ == "__main__":
    sys.exit(main())
