"""The look of all commands: on terminals of any width, in pipes, and at their end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_rum_exporter.cli import INTERRUPTED, PIPE_CLOSED
from otel_rum_exporter.local import AppMonitor, LocalRum
from tests.cli.program import CODE, TIMEOUT_SECONDS, environment, run, start
from tests.spans import APP_MONITOR_ID

STYLE = re.compile(r"\x1b\[[\d;]*m")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such terminals")
SETTINGS = ("--app-monitor-id", APP_MONITOR_ID, "--endpoint", "http://127.0.0.1:1", "--signing", "none")


@pytest.fixture
def spans(tmp_path: Path) -> str:
    """Return the path of a file with a span."""
    span = {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "name": "checkout",
        "startTimeUnixNano": "1795000000000000000",
        "endTimeUnixNano": "1795000000120000000",
    }
    file = tmp_path / "spans.json"
    file.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}))
    return str(file)


@pytest.fixture
def shop() -> Iterator[LocalRum]:
    """Serve RUM with one app monitor."""
    with LocalRum(app_monitors=[AppMonitor(id=APP_MONITOR_ID, name="shop")]) as rum:
        yield rum


def on_terminal(*arguments: str, **variables: str) -> str:
    """Return what a command prints on a terminal."""
    terminal, other_end = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments],
        env=environment(**{"TERM": "xterm-256color", "COLUMNS": "80", **variables}),
        stdin=subprocess.DEVNULL,
        stdout=other_end,
        stderr=other_end,
    ) as process:
        os.close(other_end)
        output = b"".join(iter(lambda: _read(terminal), b""))
        process.wait(TIMEOUT_SECONDS)
    os.close(terminal)
    return output.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 100_000)
    except OSError:  # Linux reports the end so
        return b""


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_table_fits_the_terminal_and_keeps_every_value(columns: int) -> None:
    """A cell that does not fit is on a line of its own."""
    output = on_terminal("config", *SETTINGS, COLUMNS=str(columns))
    lines = STYLE.sub("", output).splitlines()
    assert (lines[0].split() == ["Setting", "Value", "Source"]) == (columns > 40)
    assert max(map(len, lines)) <= columns
    words = STYLE.sub("", output).split()
    assert {"app_monitor_id", APP_MONITOR_ID, "--app-monitor-id", "OTEL_EXPORTER_AWS_RUM_SESSION_START"} <= set(words)


def test_no_color_has_the_table_without_styles() -> None:
    """Also in errors."""
    output = on_terminal("config", "--alias", "front", NO_COLOR="1")
    assert output.startswith("Setting ")
    assert "otel-rum: OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID is not set" in output
    assert "\x1b" not in output


def test_force_color_has_the_look_of_a_terminal_in_a_pipe() -> None:
    """As CI services show it. NO_COLOR is stronger."""
    ended = run("config", FORCE_COLOR="1", COLUMNS="80")
    assert STYLE.search(ended.stdout)
    assert STYLE.search(ended.stderr)
    ended = run("config", FORCE_COLOR="1", NO_COLOR="1", COLUMNS="80")
    assert "\x1b" not in ended.stdout + ended.stderr


def test_each_command_has_styles_on_a_terminal_and_none_in_a_pipe(spans: str) -> None:
    """The words are the same."""
    for arguments in (("explain", spans), ("--help",), ("send", "--bogus")):
        piped = run(*arguments, COLUMNS="80")
        assert "\x1b" not in piped.stdout + piped.stderr
        shown = on_terminal(*arguments)
        assert STYLE.search(shown), arguments
        assert set((piped.stdout + piped.stderr).split()) - set(STYLE.sub("", shown).split()) == set(), arguments


def test_doctor_on_a_narrow_terminal_has_details_on_lines_of_their_own(shop: LocalRum) -> None:
    """Beside their labels, they would have no room."""
    settings = ("--app-monitor-id", APP_MONITOR_ID, "--endpoint", shop.url, "--signing", "none")
    lines = STYLE.sub("", on_terminal("doctor", "--no-send", *settings, COLUMNS="40")).splitlines()
    number = next(number for number, line in enumerate(lines) if line.split() == ["ok", "settings"])
    assert lines[number + 1].startswith("    ")


@pytest.mark.parametrize("arguments", [("--help",), ("config",), ("config", "--json"), ("send", "--help")])
def test_closed_pipe_ends_a_command_quietly(arguments: tuple[str, ...]) -> None:
    """As `| head` does."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-c", CODE, *arguments],
        env=environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (PIPE_CLOSED, b"")


def test_full_disk_is_one_line() -> None:
    """The output is not lost silently."""
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-c", CODE, "config", *SETTINGS],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == b"otel-rum: cannot use the output: No space left on device\n"


def test_ctrl_c_at_a_question_ends_quietly(shop: LocalRum, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent."""
    # A signal that arrives while coverage holds its lock leaves it locked for ever.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    command = [sys.executable, "-c", CODE, "probe", "--app-monitor-id", APP_MONITOR_ID, "--endpoint", shop.url]
    with subprocess.Popen(
        [*command, "--signing", "none"],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr
        shown = b""
        while b"Continue?" not in shown:
            shown += process.stderr.read(1)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        # Python can miss a signal that arrives just before it reads. The end of standard input is another answer.
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
        output, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == INTERRUPTED, errors
    assert (output, errors.strip().removeprefix(b"[y/N]:").strip()) == (b"", b"")
    assert shop.events == ()


def completions(shell: str, code: str, **variables: str) -> list[str]:
    """Return what a shell prints that has read the completion script."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ended = subprocess.run(
        [shell, "-c", code],
        env=environment(PATH=path, **variables),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("con", ["config"]),
        ("send --custom-ev", ["--custom-events"]),
        ("send --custom-events a", ["application", "all"]),
        ("gateway --grpc = f", ["false"]),
    ],
)
def test_bash_completes_commands_options_and_values(words: str, expected: list[str]) -> None:
    """With the script of the docs. bash passes the `=` of `--grpc=f` as a word."""
    typed = words.split()
    code = f"""
eval "$(_OTEL_RUM_COMPLETE=bash_source otel-rum)"
COMP_WORDS=(otel-rum {words}) COMP_CWORD={len(typed)}
_otel_rum_completion otel-rum
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    assert completions("bash", code) == expected


# zsh completes in a terminal only; here it prints what the script's function would add.
ZSH = """
autoload -Uz compinit && compinit -D -u
. {script}
compadd() { print -l -- ${(P)argv[-1]} }
words=(otel-rum send --custom-events a) CURRENT=4
$_comps[otel-rum]
words=(otel-rum send --custom-events=a) CURRENT=3
$_comps[otel-rum]
"""
FISH = """
source {script}
complete -C "otel-rum send --custom-events a"
complete -C "otel-rum send --custom-events=a"
"""


@pytest.mark.parametrize(("shell", "code"), [("zsh", ZSH), ("fish", FISH)])
def test_other_shells_complete_values(shell: str, code: str, tmp_path: Path) -> None:
    """The script of the docs asks the command for the values. These shells replace the whole word."""
    script = run(_OTEL_RUM_COMPLETE=f"{shell}_source").stdout
    assert f"_OTEL_RUM_COMPLETE={shell}_complete" in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(script)
    found = completions(shell, code.replace("{script}", str(tmp_path / "script")), HOME=str(tmp_path))
    values = ["application", "all"]
    assert sorted(found) == sorted([*values, *(f"--custom-events={value}" for value in values)])


def test_files_are_completed_as_files() -> None:
    """The shell completes their names."""
    ended = run(_OTEL_RUM_COMPLETE="bash_complete", COMP_WORDS="otel-rum explain sp", COMP_CWORD="2")
    assert ended.stdout == "file,sp\n"


def test_output_of_a_process_without_standard_streams_fails_quietly() -> None:
    """As of a service without a console."""
    with start("config", *SETTINGS, code=f"import os; os.close(0); os.close(1); {CODE}") as process:
        _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert "Traceback" not in errors
