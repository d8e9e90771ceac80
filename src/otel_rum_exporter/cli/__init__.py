"""The `otel-rum` command. Each module in `commands` defines the options and the output of one command."""

from __future__ import annotations

import sys
from typing import NoReturn

FAILED, MISUSED, LOST = 1, 2, 3
EXIT_CODES = {
    0: "success",
    FAILED: "the command failed, or a check failed",
    MISUSED: "wrong options or settings, or a missing package",
    LOST: "the command dropped something, or could not read something",
}

_EXTRAS = {"local": "local", "demo": "demo", "gateway": "gateway", "record": "record"}
"""The extra that a command needs. All other commands need `cli`."""


def main() -> None:
    """Run the command line; the entry point of `otel-rum`."""
    try:
        from .program import otel_rum
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get("".join(sys.argv[1:2]), "cli")
        fail(f"{error.name} is not installed: pip install 'otel-rum-exporter[{extra}]'", MISUSED)
    otel_rum(prog_name="otel-rum")


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Print the reason to stderr, and exit with a code."""
    sys.stderr.write(f"otel-rum: {message}\n")
    raise SystemExit(code)
