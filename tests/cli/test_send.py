"""`otel-rum send`: everything in the files arrives, whatever interrupts it, and the ledger says so."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter.local import Fault, LocalRum
from tests.cli.program import OWN, RUN, run
from tests.otlp.test_file import LOGS, SPANS, _framed

MONITOR_ID = "00000000-1111-4222-8333-444444444444"


def line(number: int, spans: int = 1, **span: Any) -> str:
    """Return one body as the Collector's file exporter writes it; every tenth begins another session."""
    session = f"00000000-0000-4000-8000-{number // 10:012}"
    made = [
        {
            "traceId": f"{number + 1:032x}",
            "spanId": f"{index + 1:016x}",
            "name": f"work {number}",
            "startTimeUnixNano": "1795000000000000000",
            "endTimeUnixNano": "1795000000120000000",
            "attributes": [{"key": "session.id", "value": {"stringValue": session}}],
            **span,
        }
        for index in range(spans)
    ]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": made}]}]}) + "\n"


@pytest.fixture
def variables(rum: LocalRum, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a run that sends to `rum`."""
    return {
        f"{OWN}ENDPOINT": rum.url,
        f"{OWN}SIGNING": "none",
        f"{OWN}APP_MONITOR_ID": MONITOR_ID,
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


@pytest.fixture
def roomy_rum() -> Iterator[LocalRum]:
    """Serve a data plane that has room for what comes twice."""
    with LocalRum(max_events=50_000) as rum:
        yield rum


@pytest.fixture
def _kept(rum: LocalRum) -> Iterator[None]:
    """Nothing may be refused or dropped by RUM."""
    yield
    assert (rum.refused, rum.dropped) == ((), ())


@pytest.mark.usefixtures("_kept")
@pytest.mark.parametrize(
    ("name", "content", "events"),
    [
        ("traces.json", (line(1) + line(2) + line(3)).encode(), 3),
        ("traces.json.gz", gzip.compress((line(1) + line(2)).encode()), 2),
        ("traces.binpb", _framed(SPANS, LOGS), 3),
        ("request.json", json.dumps(json.loads(line(1)), indent=2).encode(), 1),
    ],
)
def test_files_of_every_kind_arrive(
    rum: LocalRum, variables: dict[str, str], tmp_path: Path, name: str, content: bytes, events: int
) -> None:
    """And the ledger counts them; a second run sends nothing, unless it is told to."""
    file = tmp_path / name
    file.write_bytes(content)
    for again in (False, False, True):
        sent_before = len(rum.events)
        ended = run("send", "--json", str(file), *(["--again"] if again else []), **variables)
        told = json.loads(ended.stdout)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert told["delivered"] == len(rum.events) - sent_before
        assert (told["dropped"], told["unsent"], told["unread"], told["problems"]) == ({}, 0, 0, [])
    ids = [event.id for event in rum.events if event.type != "com.amazon.rum.session_start_event"]
    assert (len(ids), len(set(ids))) == (2 * events, events)


@pytest.mark.usefixtures("_kept")
def test_what_a_file_has_grown_by_is_sent(rum: LocalRum, variables: dict[str, str], tmp_path: Path) -> None:
    """What is not complete yet waits for the next time."""
    file = tmp_path / "traces.json"
    file.write_text(line(1) + line(2)[:50])
    ended = run("send", str(file), **variables)
    assert ended.returncode == 0
    assert f"  note: the line at byte {len(line(1))} is not complete yet, and left for the next time\n" in ended.stdout
    file.write_text(line(1) + line(2) + line(3))
    ended = run("send", str(file), **variables)
    assert f"{file}: 2 records in 2 requests, from byte {len(line(1))} on\n" in ended.stdout
    assert [event.type for event in rum.events] == ["work_1", "work_2", "work_3"]


def test_standard_input_is_read(rum: LocalRum, variables: dict[str, str]) -> None:
    """As a pipe has no name, nothing of it is remembered."""
    assert run("send", "-", given=line(1), **variables).returncode == 0
    assert run("send", "-", given=line(1), **variables).returncode == 0
    assert [event.type for event in rum.events] == ["work_1", "work_1"]


def test_an_empty_file_has_nothing_that_could_be_lost(variables: dict[str, str], tmp_path: Path) -> None:
    """The Collector makes one when it starts, and when it rotates."""
    empty = tmp_path / "empty.json"
    empty.touch()
    ended = run("send", str(empty), **variables)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "0 not read" in ended.stdout


def test_what_cannot_be_read_is_told_and_costs_nothing_else(
    rum: LocalRum, variables: dict[str, str], tmp_path: Path
) -> None:
    """The exit code says that something was dropped."""
    file = tmp_path / "traces.json"
    file.write_text(line(1) + "oops\n" + line(2, traceId="zz") + line(3))
    ended = run("send", str(file), **variables)
    assert ended.returncode == 3
    assert f"  note: the line at byte {len(line(1))} is not JSON" in ended.stdout
    assert "events: 2 delivered, 0 dropped, 0 unsent; records: 0 left out on purpose, 2 not read\n" in ended.stdout
    assert [event.type for event in rum.events] == ["work_1", "work_3"]


def test_a_file_that_is_not_there_is_told_and_the_others_are_sent(
    rum: LocalRum, variables: dict[str, str], tmp_path: Path
) -> None:
    """In one line, without a traceback."""
    file = tmp_path / "traces.json"
    file.write_text(line(1))
    ended = run("send", str(tmp_path / "none.json"), str(file), **variables)
    assert ended.returncode == 1
    assert ended.stderr == f"otel-rum: cannot read {tmp_path / 'none.json'}: No such file or directory\n"
    assert len(rum.events) == 1


def test_wrong_settings_end_with_2(tmp_path: Path) -> None:
    """Nothing is read."""
    ended = run("send", str(tmp_path / "none.json"))
    assert ended.returncode == 2
    assert "APP_MONITOR_ID is not set" in ended.stderr


def test_an_event_that_rum_refuses_is_dropped_and_counted(
    rum: LocalRum, variables: dict[str, str], tmp_path: Path
) -> None:
    """The exit code says so."""
    file = tmp_path / "traces.json"
    file.write_text(line(1))
    rum.faults = [Fault(status=400, error_type="ValidationException", times=1)]
    ended = run("send", "--json", str(file), **variables)
    assert ended.returncode == 3
    assert json.loads(ended.stdout)["dropped"] == {"RUM refused the event": 1}


def test_what_is_not_taken_stays_and_the_same_command_goes_on(
    rum: LocalRum, variables: dict[str, str], tmp_path: Path
) -> None:
    """It gives up when patience ends, says why, and a later run delivers."""
    file = tmp_path / "traces.json"
    file.write_text("".join(line(number) for number in range(30)))
    rum.faults = [Fault(status=503)]
    ended = run("send", "--json", "--patience", "1", str(file), **variables)
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["unsent"] == 30
    assert "otel-rum: RUM has taken nothing for 1 s\n" in ended.stderr
    assert "lost" not in ended.stderr
    rum.faults = []
    assert run("send", str(file), **variables).returncode == 0
    assert {event.type for event in rum.events} == {f"work_{number}" for number in range(30)}


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send these signals to a child")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_whatever_ends_it_nothing_is_lost(
    roomy_rum: LocalRum, variables: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    """The next run goes on; what comes twice has the same ids."""
    rum = roomy_rum
    variables[f"{OWN}ENDPOINT"] = rum.url
    file = tmp_path / "traces.json"
    file.write_text("".join(line(each, spans=20) for each in range(500)))
    rum.faults = [Fault(latency_seconds=0.02)]
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "AWS_"))}, **variables}
    with subprocess.Popen(
        [sys.executable, "-c", RUN, "send", str(file)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 30
        while len(rum.events) < 4500 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert b"Traceback" not in errors
    assert 4500 <= len({event.id for event in rum.events}) < 10_000
    rum.faults = []
    ended = run("send", str(file), **variables)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "from byte" in ended.stdout
    assert len({event.id for event in rum.events}) == 10_000


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such terminals")
def test_a_terminal_is_shown_how_far_it_is(variables: dict[str, str], tmp_path: Path) -> None:
    """On the error stream, so that the ledger can be piped."""
    file = tmp_path / "traces.json"
    file.write_text("".join(line(number) for number in range(10)))
    terminal, other_end = os.openpty()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AWS_"))}
    ended = subprocess.run(
        [sys.executable, "-c", RUN, "send", str(file)],
        env={**kept, **variables},
        stdout=subprocess.PIPE,
        stderr=other_end,
        timeout=60,
        check=False,
    )
    shown = os.read(terminal, 100_000)
    os.close(terminal)
    os.close(other_end)
    assert ended.returncode == 0
    assert b"100%" in shown
    assert b"%" not in ended.stdout


def test_a_state_directory_that_cannot_be_written_is_told(
    rum: LocalRum, variables: dict[str, str], tmp_path: Path
) -> None:
    """The events are delivered all the same."""
    file = tmp_path / "traces.json"
    file.write_text(line(1))
    (tmp_path / "state").write_text("not a directory")
    ended = run("send", str(file), **variables)
    assert ended.returncode == 0
    assert "it cannot be remembered in" in ended.stdout
    assert len(rum.events) == 1


def test_a_parent_of_a_later_file_gives_its_session(tmp_path: Path, variables: dict[str, str], rum: LocalRum) -> None:
    """Files are one stream: what is in one may be above what is in another."""
    child = line(1, spanId="00000000000000aa", parentSpanId="00000000000000bb", attributes=[], name="child")
    parent = line(1, spanId="00000000000000bb", name="parent")
    (tmp_path / "1.json").write_text(child)
    (tmp_path / "2.json").write_text(parent)
    assert run("send", str(tmp_path / "1.json"), str(tmp_path / "2.json"), **variables).returncode == 0
    assert {event.session_id for event in rum.events} == {"00000000-0000-4000-8000-000000000000"}
