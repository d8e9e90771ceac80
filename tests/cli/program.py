"""The command, run as a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys

RUN = "from otel_rum_exporter.cli import main; main()"
OWN = "OTEL_EXPORTER_AWS_RUM_"


def run(*arguments: str, code: str = RUN, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command with an environment that has no settings but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AWS_"))}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=given,
        env={**kept, "PYTHONIOENCODING": "utf-8", "AWS_EC2_METADATA_DISABLED": "true", **variables},
        encoding="utf-8",
        capture_output=True,
        timeout=60,
        check=False,
    )
