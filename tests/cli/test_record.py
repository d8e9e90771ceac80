"""`otel-rum record` runs a real program instrumented, and `explain` and `send` read its file."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

from otel_rum_exporter.cli.commands.record import NEEDS
from otel_rum_exporter.local import LocalRum
from tests.cli.program import code_without_package, error_line, run
from tests.instrumentations import only
from tests.spans import APP_MONITOR_ID

PROGRAM = """
import logging, os, sys
from opentelemetry import trace

tracer = trace.get_tracer("shop")
with tracer.start_as_current_span("checkout"):
    logging.getLogger("shop").warning("a log record", extra={"event.name": "cart.emptied"})
process = os.fork() if hasattr(os, "fork") else 1
with tracer.start_as_current_span(f"in {'a child' if process == 0 else 'the parent'}"):
    pass
if process == 0:
    trace.get_tracer_provider().shutdown()
    os._exit(0)
if process > 1:
    os.waitpid(process, 0)
sys.exit(7)
"""


def record(folder: Path, program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Record a program, with its file in a folder."""
    (folder / "program.py").write_text(program)
    return run(
        *("record", "--output", str(folder / "spans.jsonl"), "--", sys.executable, str(folder / "program.py")),
        **{**only("logging"), **variables},
    )


def test_record_writes_the_spans_of_all_processes_for_explain_and_send(rum: LocalRum, tmp_path: Path) -> None:
    """It replaces an older file, needs no settings, and exits with the program's own code."""
    file = tmp_path / "spans.jsonl"
    file.write_text("older")
    ended = record(tmp_path, PROGRAM, OTEL_TRACES_SAMPLER="always_off", OTEL_SDK_DISABLED="true")
    assert ended.returncode == 7, ended.stderr
    assert f"recorded 3 spans and 1 log record in {file}" in ended.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    explained = run("explain", str(file))
    assert "-> checkout" in explained.stdout
    sent = run("send", str(file), "--app-monitor-id", APP_MONITOR_ID, "--endpoint", rum.url, "--signing", "none")
    assert sent.returncode == 0, sent.stderr
    assert {"checkout", "in_a_child", "in_the_parent"} <= {event.type for event in rum.events}


def test_record_of_a_program_without_spans_fails_with_the_fix(tmp_path: Path) -> None:
    """A success without a file to read would mislead."""
    ended = record(tmp_path, "")
    assert ended.returncode == 1
    assert "nothing was recorded. To fix: " in ended.stderr


def test_record_of_an_unknown_program_keeps_the_older_file(tmp_path: Path) -> None:
    """In one line."""
    (tmp_path / "spans.jsonl").write_text("older")
    ended = run("record", "--output", str(tmp_path / "spans.jsonl"), "--", "no-such-program")
    assert ended.returncode == 2
    assert error_line(ended).startswith("no-such-program is not a program. To fix: ")
    assert (tmp_path / "spans.jsonl").read_text() == "older"


def test_record_names_a_missing_package_and_the_extra() -> None:
    """In one line."""
    package = NEEDS[-1]
    ended = run("record", "--", "python", code=code_without_package(package))
    assert ended.returncode == 2
    assert error_line(ended) == f"{package} is not installed: pip install 'otel-rum-exporter[record]'"
