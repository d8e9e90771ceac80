"""The `otel-rum` command, run as a program of its own."""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import RUN, run

Make = Callable[..., Any]

SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "name": "shop \u2192 cart",
    "startTimeUnixNano": "1795000000000000000",
    "endTimeUnixNano": "1795000000120000000",
    "attributes": [{"key": "session.id", "value": {"stringValue": "33d38e21-7c0a-4c1e-9c58-2f6d1b0a9e44"}}],
}
BODY = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]})


@pytest.fixture
def serving() -> Iterator[Make]:
    """Start the stand-in on a free port; end it when the test has not."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, "local", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_the_version_is_told() -> None:
    """`--version` names the program and its version."""
    assert re.fullmatch(r"otel-rum, version \S+\n", run("--version").stdout)


def test_help_tells_where_to_begin() -> None:
    """A first-time user is shown the command to try."""
    shown = run("--help")
    assert shown.returncode == 0
    assert "Start with `otel-rum local`" in shown.stdout


def test_help_of_local_shows_the_defaults() -> None:
    """The address served by default is documented."""
    shown = run("local", "--help").stdout
    assert "127.0.0.1" in shown
    assert "8787" in shown


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send these signals to a child")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_local_serves_until_it_is_told_to_stop(serving: Make, number: signal.Signals) -> None:
    """The printed URL answers, and either signal ends the program without complaint."""
    process = serving()
    lines = [process.stdout.readline().strip() for _ in range(6)]
    url = lines[0].rpartition(" ")[2]
    with urllib.request.urlopen(url, timeout=10) as response:
        assert response.status == 200
    assert lines[2:] == [
        f"OTEL_EXPORTER_AWS_RUM_ENDPOINT={url.rstrip('/')}",
        "OTEL_EXPORTER_AWS_RUM_SIGNING=none",
        "OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID=00000000-1111-4222-8333-444444444444",
        "OTEL_TRACES_EXPORTER=aws_rum",
    ]
    for _ in range(30):  # as an impatient person presses Ctrl-C
        process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def test_local_tells_machines_where_it_is(serving: Make) -> None:
    """One line of JSON."""
    told = json.loads(serving("--json").stdout.readline())
    assert {"signing": "none", "app_monitor_id": "00000000-1111-4222-8333-444444444444"}.items() <= told.items()
    with urllib.request.urlopen(told["url"], timeout=10) as response:
        assert response.status == 200


def test_a_host_others_can_reach_is_warned_of(serving: Make) -> None:
    """Whoever opens the stand-in to the network is told what that means."""
    process = serving("--host", "0.0.0.0")
    assert process.stderr.readline() == "whoever can reach 0.0.0.0 can send to this server and read its page\n"


def test_a_taken_port_is_one_clear_line() -> None:
    """The message tells what to do, and there is no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("local", "--port", str(port))
    assert ended.returncode == 1
    assert ended.stderr == (
        f"otel-rum: port {port} of 127.0.0.1 is in use; stop the program that uses it, or choose another with --port\n"
    )


def test_an_address_that_is_not_ours_is_one_clear_line() -> None:
    """Any other failure to listen is told in the words of the system."""
    ended = run("local", "--host", "192.0.2.1", "--port", "0")
    assert ended.returncode == 1
    assert ended.stderr.startswith("otel-rum: cannot listen on port 0 of 192.0.2.1: ")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("package", ["click", "starlette", "uvicorn", "jsonschema"])
def test_a_missing_extra_is_named_in_one_line(package: str) -> None:
    """The base install tells the command that adds what is missing."""
    ended = run("local", code=f"import sys; sys.modules[{package!r}] = None; {RUN}")
    assert ended.returncode == 2
    assert ended.stderr.endswith("pip install 'otel-rum-exporter[local]'\n")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(("command", "extra"), [("explain", "cli"), ("gateway", "gateway"), ("demo", "demo")])
def test_without_click_the_extra_of_the_command_is_named(command: str, extra: str) -> None:
    """Most commands need no more than the extra of the command line."""
    ended = run(command, code=f"import sys; sys.modules['click'] = None; {RUN}")
    assert (ended.returncode, ended.stderr) == (
        2,
        f"otel-rum: click is not installed: pip install 'otel-rum-exporter[{extra}]'\n",
    )


@pytest.mark.parametrize("command", ["demo", "local", "explain", "send", "doctor", "gateway", "config"])
def test_each_command_has_examples_in_its_help(command: str) -> None:
    """They stand on lines of their own."""
    ended = run(command, "--help")
    assert "  Examples:\n    " in ended.stdout
    assert "\\b" not in ended.stdout
    assert ended.returncode == 0


def test_explain_needs_no_extra_but_its_own() -> None:
    """What the stand-in needs may be missing."""
    missing = "".join(f"sys.modules[{name!r}] = None; " for name in ("starlette", "uvicorn", "jsonschema"))
    ended = run("explain", "-", code=f"import sys; {missing}{RUN}", given=BODY)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("name", ["spans.json", "spans.json.gz", "-"])
def test_explain_reads_files_compressed_or_not_and_standard_input(tmp_path: Path, name: str) -> None:
    """All of them say the same."""
    path = tmp_path / name
    if name != "-":
        path.write_bytes(gzip.compress(BODY.encode()) if name.endswith(".gz") else BODY.encode())
    ended = run("explain", name if name == "-" else str(path), given=BODY)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[:2] == [
        "INTERNAL shop \u2192 cart: anything else",
        "    session 33d38e21-7c0a-4c1e-9c58-2f6d1b0a9e44, no user, no page",
    ]
    assert "1 span and 0 log records: 1 event, 0 left out, 0 not read" in ended.stdout


def test_explain_prints_json_for_machines() -> None:
    """It is one object."""
    told = json.loads(run("explain", "-", "--json", given=f"{BODY}\n{BODY}\n").stdout)
    assert [record["rule"] for record in told["records"]] == ["anything else"] * 2


def test_explain_follows_the_settings_of_the_environment() -> None:
    """What is explained is what an exporter started here would do."""
    ended = run("explain", "-", given=BODY, OTEL_EXPORTER_AWS_RUM_CUSTOM_EVENTS="false")
    assert "    left out: the settings exclude it\n" in ended.stdout


def test_explain_prints_on_any_terminal() -> None:
    """What a terminal cannot show is escaped."""
    ended = run("explain", "-", given=BODY, PYTHONIOENCODING="cp1252")
    assert ended.returncode == 0
    assert ended.stdout.startswith("INTERNAL shop \\u2192 cart: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read {path}: No such file or directory"),
        (b"hello", "{path} is no OTLP: neither JSON (not JSON: "),
        (
            b'{"a": 1}',
            "{path} is no OTLP: neither JSON (JSON, but not OTLP: it has neither resourceSpans nor resourceLogs",
        ),
        (gzip.compress(b"{}", mtime=0)[:-9], "cannot read {path}: "),
        (b"\x1f\x8bno", "cannot read {path}: "),
    ],
)
def test_explain_says_in_one_line_what_it_cannot_read(tmp_path: Path, content: bytes | None, message: str) -> None:
    """The file is named, and there is no traceback."""
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    ended = run("explain", str(path))
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"otel-rum: {message.format(path=path)}")
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""


def test_explain_says_which_setting_is_wrong() -> None:
    """The variable is named with its value."""
    ended = run("explain", "-", given=BODY, OTEL_EXPORTER_AWS_RUM_PAGE_VIEWS="some")
    assert ended.returncode == 2
    assert ended.stderr == "otel-rum: OTEL_EXPORTER_AWS_RUM_PAGE_VIEWS='some' is not one of auto, all, none\n"
