"""`otel-rum send`: delivers all records of the files in spite of interruptions, and prints a ledger."""

from __future__ import annotations

import gzip
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter.config import PREFIX
from otel_rum_exporter.local import Fault, LocalRum
from tests.cli.program import CODE, TIMEOUT_SECONDS, error_line, run, start
from tests.otlp.files import ONE_LOG_RECORD, TWO_SPANS, framed
from tests.waiting import wait_until

MONITOR_ID = "00000000-1111-4222-8333-444444444444"


def line(number: int, spans: int = 1, **span: Any) -> str:
    """Return one line of the Collector's file exporter. Ten numbers share a session."""
    session = f"00000000-0000-4000-8000-{number // 10:012}"
    spans_json = [
        {
            "traceId": f"{number + 1:032x}",
            "spanId": f"{index + 1:016x}",
            "name": f"work{number}",
            "startTimeUnixNano": "1795000000000000000",
            "endTimeUnixNano": "1795000000120000000",
            "attributes": [{"key": "session.id", "value": {"stringValue": session}}],
            **span,
        }
        for index in range(spans)
    ]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans_json}]}]}) + "\n"


@pytest.fixture
def variables(rum: LocalRum, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a run that sends to `rum`."""
    return {
        f"{PREFIX}ENDPOINT": rum.url,
        f"{PREFIX}SIGNING": "none",
        f"{PREFIX}APP_MONITOR_ID": MONITOR_ID,
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a file to send."""
    return tmp_path / "traces.json"


@pytest.fixture
def _accepts_all(rum: LocalRum) -> Iterator[None]:
    """Fail a test if RUM rejects a request or drops an event."""
    yield
    assert (rum.refused, rum.dropped) == ((), ())


@pytest.mark.usefixtures("_accepts_all")
@pytest.mark.parametrize(
    ("name", "content", "events"),
    [
        ("traces.json", (line(1) + line(2) + line(3)).encode(), 3),
        ("traces.json.gz", gzip.compress((line(1) + line(2)).encode()), 2),
        ("traces.binpb", framed(TWO_SPANS, ONE_LOG_RECORD), 3),
        ("request.json", json.dumps(json.loads(line(1)), indent=2).encode(), 1),
    ],
)
def test_send_delivers_files_of_every_format_once(
    rum: LocalRum, variables: dict[str, str], tmp_path: Path, name: str, content: bytes, events: int
) -> None:
    """The ledger counts the events. A second run sends nothing, and a run with `--again` sends them again."""
    file = tmp_path / name
    file.write_bytes(content)
    for again in (False, False, True):
        sent_before = len(rum.events)
        ended = run("send", "--json", str(file), *(["--again"] if again else []), **variables)
        ledger = json.loads(ended.stdout)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ledger["delivered"] == len(rum.events) - sent_before
        assert (ledger["dropped"], ledger["unsent"], ledger["unread"], ledger["problems"]) == ({}, 0, 0, [])
    ids = [event.id for event in rum.events if event.type != "com.amazon.rum.session_start_event"]
    assert (len(ids), len(set(ids))) == (2 * events, events)


@pytest.mark.usefixtures("_accepts_all")
def test_send_of_a_file_that_grew_sends_the_new_lines(rum: LocalRum, variables: dict[str, str], file: Path) -> None:
    """An incomplete line is sent by the next run."""
    file.write_text(line(1) + line(2)[:50])
    ended = run("send", str(file), **variables)
    assert ended.returncode == 0
    assert f"  note: the line at byte {len(line(1))} is incomplete; the next run sends it\n" in ended.stdout
    file.write_text(line(1) + line(2) + line(3))
    ended = run("send", str(file), **variables)
    assert f"{file}: 2 records in 2 requests, starting at byte {len(line(1))}\n" in ended.stdout
    assert [event.type for event in rum.events] == ["work1", "work2", "work3"]


def test_send_reads_standard_input_without_a_checkpoint(rum: LocalRum, variables: dict[str, str]) -> None:
    """A pipe has no name, so the next run sends everything again."""
    assert run("send", "-", stdin=line(1), **variables).returncode == 0
    assert run("send", "-", stdin=line(1), **variables).returncode == 0
    assert [event.type for event in rum.events] == ["work1", "work1"]


def test_send_of_an_empty_file_succeeds(variables: dict[str, str], file: Path) -> None:
    """The Collector creates one when it starts, and when it rotates its files."""
    file.touch()
    ended = run("send", str(file), **variables)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "0 not read" in ended.stdout


def test_send_reports_unreadable_records_and_delivers_the_others(
    rum: LocalRum, variables: dict[str, str], file: Path
) -> None:
    """The exit code is the one for dropped records."""
    file.write_text(line(1) + "oops\n" + line(2, traceId="zz") + line(3))
    ended = run("send", str(file), **variables)
    assert ended.returncode == 3
    assert f"  note: the line at byte {len(line(1))} is not JSON" in ended.stdout
    assert "events: 2 delivered, 0 dropped, 0 unsent; records: 0 left out, 2 not read\n" in ended.stdout
    assert [event.type for event in rum.events] == ["work1", "work3"]


def test_send_reports_a_missing_file_and_sends_the_others(rum: LocalRum, variables: dict[str, str], file: Path) -> None:
    """In one line, without a traceback."""
    file.write_text(line(1))
    missing = file.with_name("none.json")
    ended = run("send", str(missing), str(file), **variables)
    assert ended.returncode == 3
    assert error_line(ended) == f"cannot read {missing}: No such file or directory"
    assert len(rum.events) == 1


def test_send_with_wrong_settings_exits_with_2(file: Path) -> None:
    """The file, which does not exist, is not read."""
    ended = run("send", str(file))
    assert ended.returncode == 2
    assert "APP_MONITOR_ID is not set" in ended.stderr


def test_send_counts_an_event_that_rum_rejects_as_dropped(rum: LocalRum, variables: dict[str, str], file: Path) -> None:
    """The exit code is the one for dropped events."""
    file.write_text(line(1))
    rum.faults = [Fault(status=400, error_type="ValidationException", times=1)]
    ended = run("send", "--json", str(file), **variables)
    assert ended.returncode == 3
    assert json.loads(ended.stdout)["dropped"] == {"RUM refused the event": 1}


def test_send_stops_after_its_patience_and_the_next_run_resumes(
    rum: LocalRum, variables: dict[str, str], file: Path
) -> None:
    """The first run prints the reason, and loses nothing."""
    file.write_text("".join(line(number) for number in range(30)))
    rum.faults = [Fault(status=503)]
    # A process of its own: delivery gives up with its end.
    ended = run("send", "--json", "--patience", "1", str(file), code=CODE, **variables)
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["unsent"] == 30
    assert "otel-rum: RUM accepted no events for 1 s\n" in ended.stderr
    assert "lost" not in ended.stderr
    rum.faults = []
    assert run("send", str(file), **variables).returncode == 0
    assert {event.type for event in rum.events} == {f"work{number}" for number in range(30)}


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send these signals to a child")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_send_that_is_killed_loses_nothing(
    rum: LocalRum, variables: dict[str, str], file: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run resumes. An event that is sent twice has the same id."""
    # A signal that arrives while coverage holds its lock leaves it locked for ever.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    # 150 lines, of which five share a session.
    file.write_text("".join(line(2 * each, spans=5) for each in range(150)))
    # The first 105 events take at most 21 requests, and then a checkpoint is saved. All 750 take at least 30.
    rum.faults = [Fault(latency_seconds=0.001, times=25), Fault(status=503)]
    code = f"from otel_rum_exporter.cli import replay; replay.MAX_STORED_EVENTS = 100; {CODE}"
    with start("send", str(file), code=code, **variables) as process:
        wait_until(lambda: any(request.status == 503 for request in rum.requests))
        process.send_signal(number)
        rum.faults = []
        _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert "Traceback" not in errors
    assert 0 < len({event.id for event in rum.events}) < 750
    ended = run("send", str(file), **variables)
    assert ended.returncode == 0, ended.stderr
    assert "starting at byte" in ended.stdout
    assert len({event.id for event in rum.events}) == 750


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such terminals")
def test_send_shows_its_progress_on_a_terminal(variables: dict[str, str], file: Path) -> None:
    """On stderr, so that stdout contains only the ledger."""
    file.write_text("".join(line(number) for number in range(10)))
    terminal, other_end = os.openpty()
    with start("send", str(file), stderr=other_end, **variables) as process:
        output, _ = process.communicate(timeout=60)
    printed = os.read(terminal, 100_000)
    os.close(terminal)
    os.close(other_end)
    assert process.returncode == 0
    assert b"100%" in printed
    assert "%" not in output


def test_send_without_a_writable_state_directory_delivers_and_prints_a_note(
    rum: LocalRum, variables: dict[str, str], file: Path, tmp_path: Path
) -> None:
    """Only the checkpoint is missing."""
    file.write_text(line(1))
    (tmp_path / "state").write_text("not a directory")
    ended = run("send", str(file), **variables)
    assert ended.returncode == 0
    assert f"  note: cannot write to {tmp_path / 'state' / 'otel-rum'}" in ended.stdout
    assert len(rum.events) == 1


def test_send_takes_the_session_of_a_parent_in_a_later_file(
    tmp_path: Path, variables: dict[str, str], rum: LocalRum
) -> None:
    """All files of a command go through one pipeline."""
    child = line(1, spanId="00000000000000aa", parentSpanId="00000000000000bb", attributes=[], name="child")
    parent = line(1, spanId="00000000000000bb", name="parent")
    (tmp_path / "1.json").write_text(child)
    (tmp_path / "2.json").write_text(parent)
    assert run("send", str(tmp_path / "1.json"), str(tmp_path / "2.json"), **variables).returncode == 0
    assert {event.session_id for event in rum.events} == {"00000000-0000-4000-8000-000000000000"}


def test_send_with_dry_run_prints_the_events_and_their_price_and_sends_nothing(
    rum: LocalRum, variables: dict[str, str], file: Path, tmp_path: Path
) -> None:
    """Of all files together, without a checkpoint."""
    file.write_text("".join(line(number, name="work") for number in range(30)))
    other = tmp_path / "other.json"
    other.write_text(line(99, name="work", attributes=[]))
    ended = run("send", "--dry-run", str(file), str(other), **variables)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert lines[0].split() == ["31", "0.00031", "USD", "work"]
    assert lines[-1].startswith("0.0003")
    assert lines[-1].endswith("; nothing was sent")
    output = json.loads(run("send", "--dry-run", "--json", str(file), **variables).stdout)
    assert output["events"]["work"] == 30
    assert output["usd"] == pytest.approx(sum(output["events"].values()) / 100_000)
    assert rum.events == ()
    assert not (tmp_path / "state").exists()


def test_send_with_dry_run_needs_no_app_monitor(file: Path) -> None:
    """As `otel-rum explain`, it sends nothing. Other settings are checked."""
    file.write_text(line(1, name="work"))
    ended = run("send", "--dry-run", str(file))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[0].split()[-1] == "work"
    assert run("send", "--dry-run", "--page-views", "some", str(file)).returncode == 2
    assert run("send", str(file)).returncode == 2
