"""The `otel-rum` command, run as a program of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Make = Callable[..., Any]

RUN = "from otel_rum_exporter.cli import main; main()"


def _run(*arguments: str, code: str = RUN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


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
    assert re.fullmatch(r"otel-rum, version \S+\n", _run("--version").stdout)


def test_help_tells_where_to_begin() -> None:
    """A first-time user is shown the command to try."""
    shown = _run("--help")
    assert shown.returncode == 0
    assert "Start with `otel-rum local`" in shown.stdout


def test_help_of_local_shows_the_defaults() -> None:
    """The address served by default is documented."""
    shown = _run("local", "--help").stdout
    assert "127.0.0.1" in shown
    assert "8787" in shown


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send these signals to a child")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_local_serves_until_it_is_told_to_stop(serving: Make, number: signal.Signals) -> None:
    """The printed URL answers, and either signal ends the program without complaint."""
    process = serving()
    lines = [process.stdout.readline().strip() for _ in range(4)]
    url = lines[0].rpartition(" ")[2]
    with urllib.request.urlopen(url, timeout=10) as response:
        assert response.status == 200
    assert lines[2:] == [
        f"OTEL_EXPORTER_AWS_RUM_ENDPOINT={url.rstrip('/')}",
        "OTEL_EXPORTER_AWS_RUM_SIGNING=none",
    ]
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def test_a_host_others_can_reach_is_warned_of(serving: Make) -> None:
    """Whoever opens the stand-in to the network is told what that means."""
    process = serving("--host", "0.0.0.0")
    assert process.stderr.readline() == (
        "warning: whoever can reach 0.0.0.0 can send to this server and read its page.\n"
    )


def test_a_taken_port_is_one_clear_line() -> None:
    """The message tells what to do, and there is no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = _run("local", "--port", str(port))
    assert ended.returncode == 1
    assert ended.stderr == (
        f"otel-rum: port {port} of 127.0.0.1 is in use; stop the program that uses it, or choose another with --port\n"
    )


def test_an_address_that_is_not_ours_is_one_clear_line() -> None:
    """Any other failure to listen is told in the words of the system."""
    ended = _run("local", "--host", "192.0.2.1", "--port", "0")
    assert ended.returncode == 1
    assert ended.stderr.startswith("otel-rum: cannot listen on port 0 of 192.0.2.1: ")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("package", ["click", "starlette", "uvicorn", "jsonschema"])
def test_a_missing_extra_is_named_in_one_line(package: str) -> None:
    """The base install tells the command that adds what is missing."""
    ended = _run("local", code=f"import sys; sys.modules[{package!r}] = None; {RUN}")
    assert ended.returncode == 2
    assert ended.stderr.endswith("pip install 'otel-rum-exporter[local]'\n")
    assert ended.stderr.count("\n") == 1
