"""`otel-rum explain`: reads files of any kind, and prints the events."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from otel_rum_exporter import RumSpanExporter
from otel_rum_exporter.local import LocalRum
from tests.cli.program import CODE, code_without, error_line, run
from tests.spans import APP_MONITOR_ID, make_span

SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "name": "shop \u2192 cart",
    "startTimeUnixNano": "1795000000000000000",
    "endTimeUnixNano": "1795000000120000000",
    "attributes": [{"key": "session.id", "value": {"stringValue": "33d38e21-7c0a-4c1e-9c58-2f6d1b0a9e44"}}],
}
VARIABLES = {"OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": APP_MONITOR_ID}
BODY = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]})


def test_explain_needs_only_the_extra_cli() -> None:
    """The packages of the extra `local` may be missing."""
    ended = run("explain", "-", code=code_without("starlette", "uvicorn", "jsonschema"), stdin=BODY)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("name", ["spans.json", "spans.json.gz", "-"])
def test_explain_reads_plain_and_compressed_files_and_standard_input(tmp_path: Path, name: str) -> None:
    """The output is the same."""
    path = tmp_path / name
    if name != "-":
        path.write_bytes(gzip.compress(BODY.encode()) if name.endswith(".gz") else BODY.encode())
    ended = run("explain", name if name == "-" else str(path), stdin=BODY)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[:2] == [
        "INTERNAL shop \u2192 cart: anything else",
        "    session 33d38e21-7c0a-4c1e-9c58-2f6d1b0a9e44, no user, no page",
    ]
    assert "1 span and 0 log records: 1 event, 0 left out, 0 not read" in ended.stdout


def test_explain_prints_one_json_object() -> None:
    """It has an entry for each record."""
    output = json.loads(run("explain", "-", "--json", stdin=f"{BODY}\n{BODY}\n").stdout)
    assert [record["rule"] for record in output["records"]] == ["anything else"] * 2


def test_explain_uses_the_settings_of_the_environment() -> None:
    """The explanation is what an exporter with the same environment does."""
    ended = run("explain", "-", stdin=BODY, OTEL_EXPORTER_AWS_RUM_CUSTOM_EVENTS="none")
    assert "    left out: the settings exclude it\n" in ended.stdout


def test_explain_escapes_characters_that_the_terminal_cannot_print() -> None:
    """An encoding without the arrow does not stop the command."""
    ended = run("explain", "-", code=CODE, stdin=BODY, PYTHONIOENCODING="cp1252")
    assert ended.returncode == 0
    assert ended.stdout.startswith("INTERNAL shop \\u2192 cart: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read {path}: No such file or directory"),
        (b"hello", "{path} is not OTLP: neither JSON (not JSON: "),
        (
            b'{"a": 1}',
            "{path} is not OTLP: neither JSON (JSON, but not OTLP: it has neither resourceSpans nor resourceLogs",
        ),
        (gzip.compress(b"{}", mtime=0)[:-9], "cannot read {path}: "),
        (b"\x1f\x8bno", "cannot read {path}: "),
    ],
)
def test_explain_prints_one_line_for_an_unreadable_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    """The line names the file, and there is no traceback."""
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    ended = run("explain", str(path))
    assert ended.returncode == 3
    assert error_line(ended).startswith(message.format(path=path))
    assert ended.stdout == ""


@pytest.mark.parametrize(
    "damaged",
    [{"attributes": {"session.id": "a"}}, {"links": [{}]}, {"droppedEventsCount": -1}, {"kind": "call"}],
    ids=str,
)
def test_a_part_that_is_not_read_is_counted_and_the_exit_code_says_so(tmp_path: Path, damaged: dict[str, Any]) -> None:
    """The record is kept, and no command says that all was read."""
    file = tmp_path / "file.json"
    file.write_text(
        json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{**SPAN, "name": "work1", **damaged}]}]}]})
    )
    explained, counted = run("explain", str(file)), run("send", "--dry-run", str(file), **VARIABLES)
    for ended in (explained, counted):
        assert ended.returncode == 3
        assert "1 not read" in ended.stdout
        assert "work1" in ended.stdout


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_explain_of_a_recording_of_the_local_rum_says_so(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    """The console loads it."""
    path = tmp_path / "recording"
    with LocalRum() as rum:
        exporter = RumSpanExporter(app_monitor_id=APP_MONITOR_ID, endpoint=rum.url, signing="none")
        exporter.export([make_span("work")])
        exporter.shutdown()
        with urlopen(f"{rum.url}/api/console/recording") as response:
            path.write_bytes(compress(response.read()))
    ended = run("explain", str(path))
    assert ended.returncode == 3
    assert error_line(ended) == (
        f"{path} is not OTLP: it is a recording of the local RUM. To fix: load it in the console of `otel-rum local`"
    )


def test_explain_names_a_wrong_setting_and_its_value() -> None:
    """The exit code is the one for wrong settings."""
    ended = run("explain", "-", stdin=BODY, OTEL_EXPORTER_AWS_RUM_PAGE_VIEWS="some")
    assert ended.returncode == 2
    assert error_line(ended) == "OTEL_EXPORTER_AWS_RUM_PAGE_VIEWS='some' is not one of auto, all, none"


@pytest.mark.parametrize(
    ("body", "expected", "lines"),
    [
        ({"resourceSpans": [{"scopeSpans": [{"spans": [{}]}]}]}, 3, "0 spans and 0 log records: .* 1 not read"),
        ({"resourceSpans": [{"spans": []}, {"traces": [{}]}]}, 3, "not read: resourceSpans.1..traces is not read"),
        ({"resourceMetrics": [{}]}, 3, "not read: resourceMetrics is not for RUM"),
        ({"resourceSpans": []}, 0, "0 spans and 0 log records"),
    ],
)
def test_explain_of_telemetry_that_is_not_read_does_not_succeed(body: object, expected: int, lines: str) -> None:
    """The exit code is the one for losses, and a line names the reason."""
    ended = run("explain", "-", stdin=json.dumps(body))
    assert ended.returncode == expected
    assert re.search(lines, ended.stdout)
