"""The `otel-rum` command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

CODE = "from otel_rum_exporter.cli import main; main()"
TIMEOUT_SECONDS = 120


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment with these variables, and without settings of its own.

    Sessions that tests name are not started.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AWS_"))}
    fixed = {"PYTHONIOENCODING": "utf-8", "AWS_EC2_METADATA_DISABLED": "true"}
    return {**inherited, **fixed, "OTEL_EXPORTER_AWS_RUM_SESSION_START": "minted", **variables}


def run(*arguments: str, code: str = CODE, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command until it ends."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=stdin,
        env=environment(**variables),
        encoding="utf-8",
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


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
