"""The page on troubleshooting has each log line, error and reason, and is generated from them."""

from __future__ import annotations

import ast
import re
import socket
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

import otel_rum_exporter
from docs.generate import log_lines, troubleshooting
from otel_rum_exporter import DropReason, RumSpanExporter
from tests.spans import APP_MONITOR_ID
from tests.waiting import wait_until

PAGE = Path(__file__).parents[1] / "docs" / "troubleshooting.md"
ANY_TARGET = re.compile(r"(?:log|logger|getLogger\(.*\)|warnings)$", re.IGNORECASE)
ANY_METHOD = {"add", "warn", "warning", "error", "exception", "critical", "info", "log", "debug"}


@pytest.mark.parametrize("make", [troubleshooting.lines, troubleshooting.errors, troubleshooting.drops])
def test_the_page_is_up_to_date(make: object) -> None:
    """`make docs` writes it."""
    assert callable(make)
    assert make() in PAGE.read_text(encoding="utf-8")


def test_every_log_line_has_a_row_and_every_row_a_line() -> None:
    """A row of a line that was removed is an error too."""
    starts = [troubleshooting.start_of(line) for line in log_lines.log_lines()]
    assert sorted(starts) == sorted(troubleshooting.LINES)


def test_a_log_line_without_a_row_is_an_error() -> None:
    """`make lint` fails then."""
    with pytest.raises(LookupError, match="write one"):
        troubleshooting.start_of("something new happened. To fix: nothing.")


def test_a_new_log_line_is_found_in_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is logged: by a logger, by the rate-limited log, as a constant or a table."""
    source = tmp_path / "_version.py"
    source.write_text(
        "def f():\n"
        "    LOGGER.warning('CloudWatch RUM: one %s', 1)\n"
        "    logging.getLogger('x').exception('two')\n"
        "    self._log.add('kind', 'three %d', 3)\n"
        "    log_line(logging.ERROR, 'four')\n"
        "    log.add('kind', VERSION)\n"
        "    names.add('kind')\n"
    )
    monkeypatch.setattr(log_lines, "ROOT", tmp_path)
    assert log_lines.log_lines() == ["one …", "two", "three …", "four", otel_rum_exporter.__version__]


def test_no_line_is_logged_in_another_way() -> None:
    """The search knows all ways in which the package logs; only `_log` itself passes lines of others on."""
    unknown = [
        f"{path.name}:{node.lineno}"
        for path in sorted(log_lines.ROOT.rglob("*.py"))
        if path != log_lines.FORWARDING
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ANY_METHOD
        and ANY_TARGET.search(ast.unparse(node.func.value))
        and log_lines.message_of(node) is None
    ]
    assert not unknown


def test_every_reason_has_a_fix() -> None:
    """The reasons are a closed list."""
    assert troubleshooting.DROPS.keys() == set(DropReason)


def test_lines_of_real_faults_are_found_on_the_page(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader searches for the words of the line."""
    (tmp_path / "file").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("OTEL_EXPORTER_AWS_RUM_TIMEOUT_MILIS", "1000")
    exporter = RumSpanExporter(
        app_monitor_id=APP_MONITOR_ID,
        region="eu-west-1",
        endpoint=endpoint,
        signing="none",
        spool_directory=str(tmp_path / "file"),
    )
    provider = TracerProvider()
    span = provider.get_tracer("shop").start_span("work")
    span.end()
    exporter.export([span])  # type: ignore[list-item]
    wait_until(lambda: any("PutRumEvents failed" in line for line in caplog.messages))
    exporter.shutdown()
    provider.shutdown()
    monkeypatch.setenv("OTEL_EXPORTER_AWS_RUM_TIMEOUT_MILLIS", "soon")
    RumSpanExporter()
    rows = [_pattern(row) for row in re.findall(r"^\| `(.*?)` \|", troubleshooting.lines(), re.MULTILINE)]
    lines = [record.getMessage() for record in caplog.records if record.name == "otel_rum_exporter"]
    lost = [line for line in lines if "events dropped" in line]
    others = [line.removeprefix("CloudWatch RUM: ") for line in lines if line not in lost]
    assert {number for line in others for number, row in enumerate(rows) if row.match(line)} >= set(range(4)), others
    assert all(any(row.match(line) for row in rows) for line in others), others
    assert DropReason.SHUTDOWN.value in lost[0]


def _pattern(row: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, row.split("…"))))
