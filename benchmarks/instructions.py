"""Count CPU instructions with callgrind: of an exporter for each span, or of a single request of one event.

`python -m benchmarks.instructions`, or `python -m benchmarks.instructions single`. A count is the difference of two
runs that differ only by the exported spans or requests, so start-up and the making of spans do not count. Unlike times,
counts hardly depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys

from .measure import BATCH

FEW, MANY = 8 * BATCH, 16 * BATCH
"""The first spans have all stacks of the corpus: an application that fails, fails repeatedly at the same places."""
FEW_REQUESTS, MANY_REQUESTS = 50, 250
TIMEOUT_SECONDS = 1200
DEFAULT = ("aws_rum", "otlp")
SINGLE = ("aws_rum", "boto3")


def per_span(name: str) -> float:
    """Return the instructions of an exporter for one span."""
    settings = {"made": MANY, **({"max_requests_per_second": 0} if name == "aws_rum" else {})}
    few, many = (_count("counted", name, count=count, **settings) for count in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def per_request(name: str) -> float:
    """Return the instructions of a request of one event, without the delivery around it."""
    few, many = (_count("single", name, count=count) for count in (FEW_REQUESTS, MANY_REQUESTS))
    return (many - few) / (MANY_REQUESTS - FEW_REQUESTS)


def _count(scenario: str, name: str, **parameters: int) -> int:
    done = subprocess.run(
        [
            *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable),
            *("-m", "benchmarks.measure", scenario, name, json.dumps(parameters)),
        ],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    counts = re.findall(r"Collected : (\d+)", done.stderr)
    return int(counts[-1])


def main() -> int:
    """Print the counts and their ratio; return 1 if it is above the maximum."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", default=DEFAULT, help="exporters, or 'single'")
    parser.add_argument("--max-ratio", type=float, default=math.inf, help="fail above this multiple of the other count")
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
    return int(ratio > options.max_ratio)


if __name__ == "__main__":
    sys.exit(main())
