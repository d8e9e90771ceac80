"""Wrong input of every kind ends with lines for the user: what is wrong, where it was given, and the fix."""

from __future__ import annotations

import errno
import gzip
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from otel_rum_exporter.cli import EXIT_CODES, FAILED, LOST, MISUSED
from otel_rum_exporter.cli.addresses import why_not_listening
from otel_rum_exporter.cli.program import otel_rum, run
from otel_rum_exporter.config import PREFIX, table
from tests.cli.program import CODE, error_line
from tests.cli.program import run as run_command
from tests.spans import APP_MONITOR_ID

INTERNAL = re.compile(
    r"Traceback|\[Errno|invalid literal|float range|integer range|<class|Exception|\bNone\b|unexpected [A-Z]"
)
"""Words of Python and of libraries that mean nothing to a user."""

HOST_FIX = "[^(]+[.] To fix: choose an address of this computer with --host$"

FILES = {
    "text.json": b"hello",
    "empty.json": b"",
    "binary.json": bytes(range(256)) * 20,
    "latin1.json": '{"resourceSpans": ["\u00e9"]}'.encode("latin-1"),
    "list.json": b"[1, 2]",
    "deep.json": b"[" * 100_000,
    "cut.json.gz": gzip.compress(b"{}" * 1000)[:-9],
    "damaged.json.gz": b"\x1f\x8bno",
    "spans.jsonl": b'{"resourceSpans": []}\n',
}


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    lines: list[str]
    """Of stderr, without the name of the command."""
    stdout: str


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Ended]]:
    """Run a command in a folder with files of all kinds, without settings in the environment."""
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    for name in [name for name in os.environ if name.startswith(("OTEL_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call_one(*arguments: str, **variables: str) -> Ended:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["otel-rum", *arguments])
        with pytest.raises(SystemExit) as ended:
            run()
        output = capfd.readouterr()
        lines = output.err.splitlines()
        assert all(line.startswith("otel-rum: ") for line in lines), lines
        return Ended(int(ended.value.code or 0), [line.removeprefix("otel-rum: ") for line in lines], output.out)

    yield call_one
    for number, handler in handlers.items():
        signal.signal(number, handler)


SEND = ("send", "--app-monitor-id", APP_MONITOR_ID, "--endpoint", "http://127.0.0.1:1", "--signing", "none")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("bogus",), MISUSED, "'bogus' is not a command; use one of demo, local, record, "),
        (("confi",), MISUSED, "'confi' is not a command; did you mean config[.?] To fix: see otel-rum --help"),
        (("--bogus",), MISUSED, "no such option '--bogus'. To fix: see otel-rum --help"),
        (("config", "--bogus"), MISUSED, "no such option '--bogus'"),
        (("config", "--app-monitor-i", "x"), MISUSED, "no such option .*'--app-monitor-id'.* see otel-rum config"),
        (("config", "--app-monitor-id"), MISUSED, "option '--app-monitor-id' requires an argument"),
        (("config", "--app-monitor-id", "shop"), MISUSED, "--app-monitor-id='shop' is not a UUID; copy the app"),
        (("config", "--app-monitor-id", ""), MISUSED, "--app-monitor-id='' is not a UUID"),
        (("config", "--region", ""), MISUSED, "--region='' is empty; leave it out, or give a value"),
        (("config", "--custom-events", "some"), MISUSED, "--custom-events='some' is not one of application, all, none"),
        (("config", "--endpoint", "localhost:1"), MISUSED, "--endpoint='localhost:1' is not an http.s. URL; use for"),
        (("config", "--timeout-millis", "ten"), MISUSED, "--timeout-millis='ten' is not a whole number of at least 1"),
        (("config", "--session-sample-rate", "2"), MISUSED, "--session-sample-rate='2' is not a number from 0 to 1"),
        (("config", "--session-sample-rate", "nan"), MISUSED, "--session-sample-rate='nan' is not a number from 0"),
        (("config", "--xray-events", "maybe"), MISUSED, "--xray-events='maybe' is neither true nor false"),
        (("config", "more"), MISUSED, "got unexpected extra argument"),
        (("explain",), MISUSED, "missing argument 'FILE'. To fix: see otel-rum explain --help"),
        (("explain", "none.json"), LOST, "cannot read none.json: No such file or directory"),
        (("explain", "folder"), LOST, "cannot read folder: Is a directory"),
        (("explain", "x" * 300), LOST, "cannot read x{300}: File name too long"),
        (("explain", "text.json"), LOST, "text.json is not OTLP: neither JSON"),
        (("explain", "empty.json"), LOST, "empty.json is not OTLP: it is empty"),
        (("explain", "binary.json"), LOST, "binary.json is not OTLP: neither JSON .*not text in UTF-8"),
        (("explain", "latin1.json"), LOST, "latin1.json is not OTLP: .*not text in UTF-8"),
        (("explain", "list.json"), LOST, "list.json is not OTLP: "),
        (("explain", "deep.json"), LOST, "deep.json is not OTLP: "),
        (("explain", "cut.json.gz"), LOST, "cannot read cut.json.gz: its gzip data is damaged or incomplete"),
        (("explain", "damaged.json.gz"), LOST, "cannot read damaged.json.gz: its gzip data is damaged or incomplete"),
        (("send",), MISUSED, "missing argument 'FILE...'"),
        (("send", "none.json"), MISUSED, f"{PREFIX}APP_MONITOR_ID is not set.* or give --app-monitor-id"),
        (("send", "--guest-role-arn", "x", "spans.jsonl"), MISUSED, "--guest-role-arn='x' is not the ARN of a role"),
        ((*SEND, "none.json"), LOST, "cannot read none.json: No such file or directory"),
        ((*SEND, "folder"), LOST, "cannot read folder: Is a directory"),
        ((*SEND, "cut.json.gz"), LOST, "cannot read cut.json.gz: its gzip data is damaged"),
        (("explain", ""), LOST, "cannot read '': Is a directory"),
        ((*SEND, "--dry-run", "folder"), LOST, "cannot read folder: Is a directory"),
        ((*SEND, "--patience", "x", "spans.jsonl"), MISUSED, "--patience='x' is not a number of at least 0"),
        ((*SEND, "--patience", "-1", "spans.jsonl"), MISUSED, "--patience='-1' is not a number of at least 0"),
        ((*SEND, "--patience", "nan", "spans.jsonl"), MISUSED, "--patience='nan' is not a number of at least 0"),
        ((*SEND, "--state-dir", "text.json", "spans.jsonl"), MISUSED, "--state-dir: directory 'text.json' is a f"),
        (("local", "--port", "x"), MISUSED, "--port='x' is not a whole number from 0 to 65535; use for example 8787"),
        (("local", "--port", "99999"), MISUSED, "--port='99999' is not a whole number from 0 to 65535"),
        (("local", "--host", "", "--port", "0"), MISUSED, "--host='' is empty"),
        (
            ("local", "--host", "none.invalid", "--port", "0"),
            FAILED,
            f"cannot listen on port 0 of none.invalid: {HOST_FIX}",
        ),
        (("local", "--host", "192.0.2.1", "--port", "0"), FAILED, f"cannot listen on port 0 of 192.0.2.1: {HOST_FIX}"),
        (("local", "--domain", "", "--port", "0"), MISUSED, "--domain='' is empty; leave it out, or give a value"),
        (("local", "--app-monitor", "shop"), MISUSED, "--app-monitor: an app monitor's id must be a UUID, is 'shop'"),
        (
            ("local", "--app-monitor", f"{APP_MONITOR_ID}=a b"),
            MISUSED,
            "--app-monitor: an app monitor's name must be .* is 'a b'",
        ),
        (("local", "--fault", "x"), MISUSED, "--fault: 'x' has the unknown fault field 'x'; use status, "),
        (("local", "--fault", ""), MISUSED, "--fault: '' has the unknown fault field ''; use status, "),
        (
            ("local", "--fault", "status=abc"),
            MISUSED,
            "--fault: 'status=abc' is not a valid fault: .*'abc' is not a whole",
        ),
        (("local", "--fault", "taken=perhaps"), MISUSED, ".*taken='perhaps' is not true or false"),
        (("local", "--fault", "cut=now"), MISUSED, ".*cut='now'; use one of before_reading, before_answer, in_answer"),
        (("local", "--fault", "probability=2"), MISUSED, ".*probability=2.0; use a number from 0 to 1"),
        (("local", "--fault", "latency_seconds=nan"), MISUSED, ".*nan; use a number of at least 0"),
        (("local", "--requests-per-second", "nan"), MISUSED, "--requests-per-second='nan' is not a number of at"),
        (("local", "--max-events", "0"), MISUSED, "--max-events='0' is not a whole number of at least 1"),
        (("local", "--access-key", "x"), MISUSED, "--access-key and --secret-key need each other"),
        (("local", "--data", "folder"), MISUSED, "--data: file 'folder' is a directory"),
        (("local", "--data", "text.json", "--port", "0"), FAILED, "cannot store .* in text.json: file is not a data"),
        (("local", "--data", "none/x.db", "--port", "0"), FAILED, "cannot store .* in none/x.db: No such file or dir"),
        (("gateway", "--http-port", "x"), MISUSED, "--http-port='x' is not a whole number from 0 to 65535"),
        (("gateway", "--workers", "0"), MISUSED, "--workers='0' is not a whole number of at least 1"),
        (("gateway", "--keep-user-agent", "maybe"), MISUSED, "--keep-user-agent='maybe' is neither true nor false"),
        (("gateway", "--host", ""), MISUSED, "--host='' is empty"),
        (("gateway",), MISUSED, f"{PREFIX}APP_MONITOR_ID is not set[^-]*set it to the app monitor's ID$"),
        (("explain", "a\x1b[31m"), LOST, r"cannot read a\\x1b\[31m: No such file"),
        (("probe", "--region", "us east", "--app-monitor-id", APP_MONITOR_ID), FAILED, "no app mo.*[^.][.] To fix: "),
        (("probe", "--wait-seconds", "x"), MISUSED, "--wait-seconds='x' is not a number of at least 0"),
        (("probe",), FAILED, "no app monitor can be read: there are no credentials.* To fix: give the process AWS cr"),
        (("record",), MISUSED, "missing argument 'COMMAND...'"),
        (("record", "no-such-program"), MISUSED, "no-such-program is not a program. To fix: "),
        (("record", "--", "folder"), MISUSED, "folder is not a program"),
        (("record", "--output", "none/x", "--", "true"), FAILED, "cannot write none/x: No such file or directory"),
        (("record", "--output", "folder", "--", "true"), MISUSED, "--output: file 'folder' is a directory"),
        (("demo", "--bogus"), MISUSED, "no such option '--bogus'"),
    ],
)
def test_wrong_input_ends_with_its_own_line(
    call: Callable[..., Ended], arguments: tuple[str, ...], code: int, message: str
) -> None:
    """Each line is for the user, and the exit code is one that the help lists."""
    ended = call(*arguments)
    assert ended.code == code
    assert code in EXIT_CODES
    assert any(re.match(message, line) for line in ended.lines), ended.lines
    assert not [line for line in ended.lines if INTERNAL.search(line)]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_gateway_on_a_host_that_does_not_exist_is_one_line(workers: str) -> None:
    """In a process of its own, whose end closes what the gateway opened."""
    options = ("--host", "none.invalid", "--http-port", "0", "--app-monitors", APP_MONITOR_ID)
    ended = run_command("gateway", *options, "--workers", workers, code=CODE)
    assert ended.returncode == FAILED
    assert re.fullmatch(rf"cannot listen( on port 0 of none.invalid)?: {HOST_FIX}", error_line(ended))


@pytest.mark.parametrize("command", ["config", "send", "gateway"])
def test_wrong_variable_is_named_as_the_variable(call: Callable[..., Ended], command: str) -> None:
    """An option is not named where none was used."""
    files = ["spans.jsonl"] if command == "send" else []
    variables = {f"{PREFIX}APP_MONITOR_ID": "shop", f"{PREFIX}CUSTOM_EVENTS": "some"}
    ended = call(command, *files, **variables)
    assert ended.code == MISUSED
    faults = "".join(ended.lines)
    assert f"{PREFIX}APP_MONITOR_ID='shop' is not a UUID" in faults
    assert f"{PREFIX}CUSTOM_EVENTS='some' is not one of application, all, none" in faults


def test_completion_for_another_shell_names_the_shells(call: Callable[..., Ended]) -> None:
    """Without the line, the script would be empty."""
    ended = call(_OTEL_RUM_COMPLETE="tcsh_source")
    assert ended.code == MISUSED
    assert ended.lines == ["_OTEL_RUM_COMPLETE: there is no completion for tcsh; use bash, zsh or fish"]


def test_misspelt_variable_has_the_right_name(call: Callable[..., Ended]) -> None:
    """With the settings that are right."""
    ended = call("config", "--app-monitor-id", APP_MONITOR_ID, **{f"{PREFIX}ENDPOIN": "http://127.0.0.1:1"})
    assert ended.code == MISUSED
    assert ended.lines == [f"'{PREFIX}ENDPOIN' is not a setting; the most similar is '{PREFIX}ENDPOINT'"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything is readable")
def test_file_without_permission_is_named(call: Callable[..., Ended], tmp_path: Path) -> None:
    """As a missing file is."""
    (tmp_path / "text.json").chmod(0)
    assert call("explain", "text.json").lines == ["cannot read text.json: Permission denied"]


def test_unexpected_error_is_one_line_with_the_way_to_report_it(
    call: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug, too, has no traceback unless one is asked for, and no secret."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("http://me:swordfish@example.com")

    monkeypatch.setattr("otel_rum_exporter.config.readings", broken)
    ended = call("config")
    assert ended.code == FAILED
    fix = "report it with the output of OTEL_RUM_TRACEBACK=1 otel-rum ..."
    assert ended.lines == [f"unexpected RuntimeError: http://example.com. To fix: {fix}"]
    monkeypatch.setenv("OTEL_RUM_TRACEBACK", "1")
    with pytest.raises(RuntimeError):
        run()


@pytest.mark.parametrize("command", sorted(otel_rum.commands))
def test_help_of_each_command_has_examples_and_the_words_of_each_choice(
    call: Callable[..., Ended], command: str
) -> None:
    """Each example is a line of its own."""
    ended = call(command, "--help")
    assert ended.code == 0
    assert f"  Examples:\n    otel-rum {command}" in ended.stdout or f" otel-rum {command}" in ended.stdout
    assert "\\b" not in ended.stdout
    assert "](" not in ended.stdout
    if command in {"config", "send", "doctor", "probe"}:
        for name, setting in table().items():
            if not setting.secret:
                assert f"--{name.replace('_', '-')} {setting.parse.form}" in ended.stdout


def test_help_names_the_pages_that_the_settings_refer_to(call: Callable[..., Ended]) -> None:
    """A terminal has no links."""
    printed = " ".join(call("send", "--help").stdout.split())
    assert "See docs/cost.md." in printed
    assert "See docs/privacy.md." in printed


def test_help_lists_every_exit_code(call: Callable[..., Ended]) -> None:
    """With its meaning."""
    output = call("--help").stdout
    assert all(f"{code:<3}  {meaning}" in output for code, meaning in EXIT_CODES.items())


def test_a_port_of_the_system_names_the_fix() -> None:
    """Tests that run as root cannot provoke it."""
    error = PermissionError(errno.EACCES, "Permission denied (while attempting to bind on address ('127.0.0.1', 80))")
    fix = "To fix: choose a port above 1023 with --port"
    assert why_not_listening(error, "--port") == f"cannot listen on port 80 of 127.0.0.1: Permission denied. {fix}"
