"""Count the CPU instructions of an exporter for each span, with callgrind: `python -m benchmarks.instructions`.

A count is the difference of two runs that differ only by the exported spans, so start-up and the making of spans do not
count. Unlike times, counts hardly depend on what else the machine does.
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
TIMEOUT_SECONDS = 1200
DEFAULT = ("aws_rum", "otlp")


def per_span(name: str) -> float:
    """Return the instructions of an exporter for one span."""
    few, many = (_count(name, count) for count in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def _count(name: str, count: int) -> int:
    parameters = {"count": count, "made": MANY, **({"max_requests_per_second": 0} if name == "aws_rum" else {})}
    done = subprocess.run(
        [
            *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable),
            *("-m", "benchmarks.measure", "counted", name, json.dumps(parameters)),
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
    parser.add_argument("names", nargs="*", default=DEFAULT, help="exporters")
    parser.add_argument("--max-ratio", type=float, default=math.inf, help="fail above this multiple of OTLP's count")
    options = parser.parse_args()
    found = {name: per_span(name) for name in options.names}
    for name, count in found.items():
        print(f"{name}: {count:,.0f} instructions for each span")
    if not set(DEFAULT) <= found.keys():
        return 0
    ratio = found["aws_rum"] / found["otlp"]
    print(f"ratio: {ratio:.3f}")
    return int(ratio > options.max_ratio)


if __name__ == "__main__":
    sys.exit(main())
