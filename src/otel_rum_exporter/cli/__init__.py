"""The `otel-rum` command. Each module in `commands` defines the options and the output of one command."""

from __future__ import annotations

import sys
from typing import NoReturn

FAILED, MISUSED, LOST, INTERRUPTED, PIPE_CLOSED = 1, 2, 3, 130, 141
EXIT_CODES = {
    0: "success",
    FAILED: "the command failed, or a check failed; the same command may succeed later",
    MISUSED: "wrong options or settings, or a missing package",
    LOST: "something was dropped, or a file or a part of it could not be read",
    INTERRUPTED: "stopped by Ctrl-C, or by a signal",
    PIPE_CLOSED: "the reader of the output ended, as `| head` does",
}

_EXTRAS = {"local": "local", "demo": "demo", "gateway": "gateway", "kafka": "kafka", "record": "record"}
"""The extra that a command needs. All other commands need `cli`."""


def main() -> None:
    """Run the command line; the entry point of `otel-rum`."""
    try:
        from .program import run
    except ModuleNotFoundError as error:
        sys.stderr.write(f"otel-rum: {not_installed(error.name)}\n")
        raise SystemExit(MISUSED) from None
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    run()


def not_installed(package: str | None, extra: str | None = None) -> str:
    """Return the message for a missing package, with the extra of the command that runs."""
    extra = extra or _EXTRAS.get("".join(sys.argv[1:2]), "cli")
    return f"{package} is not installed: pip install 'otel-rum-exporter[{extra}]'"


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Print the reason to stderr, and exit with a code."""
    from .output import report

    report(message)
    raise SystemExit(code)
