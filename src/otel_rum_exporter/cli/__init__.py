"""The `otel-rum` command: each module is one command, what it takes and what it prints. The work is done elsewhere."""

from __future__ import annotations

import sys
from typing import NoReturn

LOST = 3
FAILED, MISUSED = 1, 2
EXIT_CODES = {
    0: "all is well",
    FAILED: "it could not be done, or a check failed",
    MISUSED: "wrong options or settings, or a package is missing",
    LOST: "it was done, but something was dropped",
}

_EXTRAS = {"local": "local", "demo": "demo", "gateway": "gateway"}
"""By command; for all others it is `cli`."""


def main() -> None:
    """Run the command line; the entry point of `otel-rum`."""
    try:
        from .program import otel_rum
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get("".join(sys.argv[1:2]), "cli")
        fail(f"{error.name} is not installed: pip install 'otel-rum-exporter[{extra}]'", MISUSED)
    otel_rum(prog_name="otel-rum")


def fail(message: str, code: int = FAILED) -> NoReturn:
    """End with one line that says why."""
    sys.stderr.write(f"otel-rum: {message}\n")
    raise SystemExit(code)
