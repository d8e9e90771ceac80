"""The `otel-rum` command, in this process or in one of its own."""

from __future__ import annotations

import io
import logging
import os
import signal
import subprocess
import sys
from typing import Any
from unittest.mock import patch

from otel_rum_exporter.cli import main

CODE = "from otel_rum_exporter.cli import main; main()"
TIMEOUT_SECONDS = 120


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment with these variables, and without settings of its own.

    Sessions that tests name are not started.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AWS_"))}
    fixed = {"PYTHONIOENCODING": "utf-8", "AWS_EC2_METADATA_DISABLED": "true"}
    return {**inherited, **fixed, "OTEL_EXPORTER_AWS_RUM_SESSION_START": "minted", **variables}


def run(
    *arguments: str, code: str | None = None, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command until it ends: in this process, or with `code` in one of its own, which costs half a second."""
    if code is None:
        return _run_here(arguments, stdin, environment(**variables))
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=stdin,
        env=environment(**variables),
        encoding="utf-8",
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def _run_here(arguments: tuple[str, ...], stdin: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="", write_through=True) for _ in range(2))
    terminates = signal.getsignal(signal.SIGTERM)
    status: Any = 0
    with (
        patch.dict(os.environ, variables, clear=True),
        patch.object(sys, "argv", ["otel-rum", *arguments]),
        patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")),
        patch.object(sys, "stdout", output),
        patch.object(sys, "stderr", errors),
        patch.object(logging.getLogger(), "handlers", []),  # pytest's; without any, log lines go to stderr
    ):
        try:
            main()
        except SystemExit as ended:
            status = ended.code or 0
        finally:
            signal.signal(signal.SIGTERM, terminates)
    texts = [stream.buffer.getvalue().decode() for stream in (output, errors)]
    return subprocess.CompletedProcess(list(arguments), status, *texts)


def start(*arguments: str, code: str = CODE, stderr: Any = subprocess.PIPE, **variables: str) -> subprocess.Popen[str]:
    """Start a command, and return its process; use it as a context manager."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=environment(**variables),
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=stderr,
    )


def code_without(*modules: str) -> str:
    """Return the code of the command with an environment where some modules are not installed."""
    return f"import sys; sys.modules.update(dict.fromkeys({modules!r})); {CODE}"


def code_without_package(package: str) -> str:
    """Return the code of the command with an environment where a package is not installed."""
    return (
        "from importlib import metadata; version = metadata.version\n"
        "def version_without(name):\n"
        f"    if name == {package!r}: raise metadata.PackageNotFoundError(name)\n"
        "    return version(name)\n"
        f"metadata.version = version_without\n{CODE}"
    )


def error_line(ended: subprocess.CompletedProcess[str]) -> str:
    """Return the single line that a failed command prints to stderr, without the name of the command."""
    assert ended.stderr.startswith("otel-rum: ")
    assert ended.stderr.count("\n") == 1
    return ended.stderr.removeprefix("otel-rum: ").rstrip("\n")
