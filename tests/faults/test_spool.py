"""A damaged, shared or deleted spool, strange files, a full disk: what can be kept is, and the rest is counted."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter.exporter import pipeline
from otel_rum_exporter.ledger import DropReason
from otel_rum_exporter.local import Fault, LocalRum
from tests.faults.conftest import ON_DISK
from tests.faults.numbered_spans import NumberedSpans, assert_same_ids, received, session_id
from tests.faults.test_disk import small_disk  # noqa: F401 - a fixture
from tests.waiting import join_delivery_threads, wait_until

Make = Callable[..., Any]
SPANS = 42
POOL = "eu-west-1:00000000-aaaa-4bbb-8ccc-00000000000"

pytestmark = [ON_DISK, pytest.mark.usefixtures("short_export_wait")]


@pytest.fixture(autouse=True)
def _recover_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "RECOVER_SECONDS", 0.1)


@pytest.fixture
def left(rum: LocalRum, numbered: NumberedSpans, exporter: Make, tmp_path: Path) -> Path:
    """Return the spool of a killed process, with 42 spans of 14 sessions."""
    rum.faults = [Fault(status=503)]
    one = exporter(spool_directory=str(tmp_path / "running"))
    for _ in range(SPANS // 3):
        one.export(numbered.spans(3, session_id()))
    shutil.copytree(tmp_path / "running", tmp_path / "killed")
    one.shutdown(0)
    join_delivery_threads()
    return tmp_path / "killed"


def files(spool: Path) -> list[Path]:
    """Return the largest files of a spool first."""
    return sorted(spool.glob("*/*"), key=lambda path: -path.stat().st_size)


@pytest.mark.parametrize("size_bytes", [1, 32, 512, 4096])
def test_damage_to_the_start_of_a_log_loses_nothing(
    size_bytes: int, left: Path, rum: LocalRum, numbered: NumberedSpans, exporter: Make
) -> None:
    """The records are found without the header."""
    rum.faults = []
    with files(left)[0].open("r+b") as log:
        log.write(b"\xa5" * size_bytes)
    one = exporter(spool_directory=str(left))
    numbered.wait_until_received()
    wait_until(lambda: one.ledger.stored == 0)
    assert (one.ledger.accepted, one.ledger.delivered, one.ledger.dropped) == (SPANS, SPANS, {})


def test_a_damaged_log_has_one_owner(left: Path, rum: LocalRum, exporter: Make) -> None:
    """Three processes start at once after damage: each event is delivered by one of them, or counted by one as lost."""
    log = files(left)[0]
    with log.open("r+b") as file:
        file.seek(log.stat().st_size // 2)
        file.write(os.urandom(512))
    rum.faults = [Fault(latency_seconds=0.01)]
    # Different time-outs, so that they do not share a pipeline.
    ones = [exporter(spool_directory=str(left), timeout_millis=10_000 + number) for number in range(3)]
    wait_until(lambda: not files(left))
    assert all(one.force_flush() for one in ones)
    lost = sum(one.ledger.dropped[DropReason.DAMAGED] for one in ones)
    assert 1 <= lost <= 9
    assert sum(one.ledger.accepted for one in ones) == SPANS
    assert sum(one.ledger.delivered for one in ones) == SPANS - lost == len(received(rum))
    assert {number: ids for number, ids in received(rum).items() if len(ids) != 1} == {}


def test_strange_files_block_nothing(left: Path, rum: LocalRum, numbered: NumberedSpans, exporter: Make) -> None:
    """Links that lead nowhere or to themselves, pipes, directories, and content of unknown versions."""
    rum.faults = []
    (directory,) = left.iterdir()
    log = files(left)[0]
    for number, suffix in enumerate((".db", log.suffix)):
        name = f"0000000000000000-000000000000000{number}"
        for kind in range(6):
            path = directory / f"{name}{kind}{suffix}"
            if kind == 0:
                path.symlink_to(directory / "nowhere")
            elif kind == 1:
                path.symlink_to(path)
            elif kind == 2:
                path.mkdir()
            elif kind == 3:
                os.mkfifo(path)
            elif kind == 4:
                path.touch()
            else:
                path.symlink_to(log)
    one = exporter(spool_directory=str(left))
    numbered.wait_until_received()
    wait_until(lambda: one.ledger.stored == 0)
    assert (one.ledger.delivered, one.ledger.dropped) == (SPANS, {})
    assert_same_ids(received(rum))


def test_events_are_durable_again_after_the_log_was_deleted(
    rum: LocalRum, numbered: NumberedSpans, exporter: Make, tmp_path: Path
) -> None:
    """By another program, with or without its directory; also what was accepted before."""
    rum.faults = [Fault(status=503)]
    spool = tmp_path / "spool"
    one = exporter(spool_directory=str(spool))
    for is_whole in (False, True):
        one.export(numbered.spans(3))
        for path in [spool] if is_whole else files(spool):
            # In one step: the exporter may write another file at any time.
            shutil.rmtree(path.rename(tmp_path / "gone")) if is_whole else path.unlink()
        one.export(numbered.spans(3))
    shutil.copytree(spool, tmp_path / "killed")
    rum.faults = []
    assert one.force_flush()
    rum.clear()
    exporter(spool_directory=str(tmp_path / "killed"))
    numbered.wait_until_received()


def test_events_accepted_while_the_disk_was_full_are_written_when_it_is_not(
    rum: LocalRum,
    numbered: NumberedSpans,
    exporter: Make,
    small_disk: Path,  # noqa: F811 - a fixture
) -> None:
    """Without further events. The memory that they used counts as free again."""
    rum.faults = [Fault(status=503)]
    filler = small_disk / "filler"
    filler.write_bytes(bytes(1024 * 1000))
    one = exporter(spool_directory=str(small_disk / "spool"))
    for _ in range(5):
        one.export(numbered.spans(100, session_id()))
    delivery = one._shared.pipeline._delivery
    wait_until(lambda: delivery._queue.disk_bytes < delivery._queue.memory_bytes)
    filler.unlink()
    wait_until(lambda: delivery._queue.disk_bytes > 4 * delivery._queue.memory_bytes)
    one.shutdown(0)
    join_delivery_threads()
    assert (one.ledger.stored, one.ledger.dropped) == (500, {})
    rum.faults = []
    second = exporter(spool_directory=str(small_disk / "spool"))
    numbered.wait_until_received()
    assert second.force_flush()
    assert second.ledger.recovered == 500


@pytest.mark.parametrize("small_disk", ["256k"], indirect=True)
def test_a_spool_works_on_a_disk_of_a_quarter_of_a_megabyte(
    rum: LocalRum,
    numbered: NumberedSpans,
    exporter: Make,
    small_disk: Path,  # noqa: F811 - a fixture
) -> None:
    """Space of delivered events is used again, while other events stay."""
    one = exporter(spool_directory=str(small_disk / "spool"), max_requests_per_second=0)
    for _ in range(15):
        one.export(numbered.spans(100, session_id()))
        assert one.force_flush()
    rum.faults = [Fault(status=503)]
    one.export(numbered.spans(100, session_id()))
    one.shutdown(0)
    assert (one.ledger.stored, one.ledger.dropped) == (100, {})


@pytest.mark.parametrize(
    "other",
    [
        {"identity_pool_id": f"{POOL}2"},
        {"app_monitor_id": str(uuid.uuid4())},
        {"region": "eu-west-1"},
    ],
)
def test_events_for_another_destination_stay_for_it_and_are_logged_once(
    other: dict[str, Any],
    left: Path,
    rum: LocalRum,
    numbered: NumberedSpans,
    exporter: Make,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A process with the credentials of another account could neither send nor return them."""
    rum.faults = []
    one = exporter(spool_directory=str(left), **other)
    one.export(numbered.spans(1)[:0])
    wait_until(lambda: any("42 events for app monitor" in line for line in caplog.messages))
    assert one.ledger.accepted == 0
    assert len([line for line in caplog.messages if "events for" in line]) == 1
    assert f"are still in {left}, not sent by this process" in caplog.text
    exporter(spool_directory=str(left))
    wait_until(lambda: len(received(rum)) == SPANS)


@pytest.mark.parametrize("second", ["ASIAQNZGKIQY56JQ7WML", None])
def test_processes_with_credentials_of_two_accounts_keep_their_events_apart(
    second: str | None,
    rum: LocalRum,
    numbered: NumberedSpans,
    exporter: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also if only the environment differs. Other keys of the same account deliver the events."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    for name, value in (("AWS_CONFIG_FILE", os.devnull), ("AWS_EC2_METADATA_DISABLED", "true")):
        monkeypatch.setenv(name, value)
    settings = {"signing": "sigv4", "region": "eu-west-1", "spool_directory": str(tmp_path / "spool")}

    def start(key_id: str | None) -> Any:
        if key_id:
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", key_id)
        else:
            monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        one = exporter(**settings)
        one.export(numbered.spans(1)[:0])
        return one

    rum.faults = [Fault(status=503)]
    first = start("ASIAY34FZKBOKMUTVV7A")
    first.export(numbered.spans(SPANS))
    first.shutdown(0)
    join_delivery_threads()
    rum.faults = []
    other = start(second)
    wait_until(lambda: any("events for app monitor" in line for line in caplog.messages))
    assert "of account 609629065308 are still in" in caplog.text
    assert (other.ledger.accepted, received(rum)) == (0, {})
    other.shutdown(0)  # Exporters with the same settings share a pipeline in one process.
    start("AKIAY34FZKBOAAAAAAAA")
    wait_until(lambda: len(received(rum)) == SPANS)
    content = b"".join(path.read_bytes() for path in (tmp_path / "spool").rglob("*") if path.is_file())
    assert b"ASIA" not in content


def test_events_that_this_process_may_not_send_expire_and_are_counted(
    left: Path, rum: LocalRum, exporter: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They are adopted, refused because of the credentials, and too old at last."""
    rum.faults = [Fault(status=403, error_type="AccessDeniedException")]
    one = exporter(spool_directory=str(left))
    wait_until(lambda: "AccessDeniedException" in caplog.text)
    monkeypatch.setattr(one._shared.pipeline, "_max_age_ns", 0)
    wait_until(lambda: one.ledger.dropped.get(DropReason.APP_MONITOR_REFUSED) == SPANS)
    wait_until(lambda: not files(left))
    assert (one.ledger.accepted, one.ledger.stored) == (SPANS, 0)
