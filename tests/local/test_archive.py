"""The archive file: content, permissions and failures."""

from __future__ import annotations

import logging
import re
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter.local import ArchiveError, LocalRum
from otel_rum_exporter.local.archive import Archive
from otel_rum_exporter.local.record import Batch, Decision, Dropped, Event, RefusedRequest, Removed
from otel_rum_exporter.local.store import Store

Make = Callable[..., Any]
SHOP = "11111111-1111-4111-8111-111111111111"
EVENT = Event("e", 1.0, "checkout", {"text": "\ud800 é"}, {}, "s", None, "m", "b")
DECISION = Decision("e", "checkout", "accepted")
BATCH = Batch(
    "m",
    {},
    "b",
    None,
    "s",
    None,
    {},
    (EVENT,),
    1.0,
    {},
    signed=False,
    body_bytes=2,
    raw={"a": [1]},
    decisions=(DECISION,),
)
DROPPED = Dropped(EVENT, "too large")
REMOVED = Removed("e", "checkout", "key", [1], "no")
REFUSED = RefusedRequest(
    400, "ValidationException", "no", "/", 1.0, raw=[1], decisions=(replace(DECISION, outcome="refused"),)
)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Open a new archive."""
    made = Archive(tmp_path / "rum.db", max_events=50)
    made.open()
    yield made
    made.close()


def test_restart_restores_all_records(tmp_path: Path, body: Make, event: Make, post_to: Make) -> None:
    """Also app monitors; later requests are appended."""
    sent = [
        body(event("good", metadata={"not a key": 1}), AppMonitorDetails={"name": "shop"}),
        body(event(details={"text": "x" * 7000})),
        body(BatchId="1"),
    ]
    file = tmp_path / "rum.db"
    with LocalRum(data=file) as first:
        for one in sent:
            post_to(first, SHOP, one)
    with LocalRum(data=file) as second:
        assert second.batches == first.batches
        assert (second.refused, second.dropped, second.removed) == (first.refused, first.dropped, first.removed)
        assert second.decisions == first.decisions
        assert [one.name for one in second.app_monitors] == ["shop"]
        post_to(second, SHOP, sent[0])
        assert len(second.events) == 2
    with LocalRum(data=file) as third:
        assert len(third.events) == 2


def test_stopped_server_continues_after_start(tmp_path: Path, body: Make, post_to: Make) -> None:
    """No event is lost or repeated."""
    rum = LocalRum(data=tmp_path / "rum.db")
    for n in range(1, 3):
        with rum:
            post_to(rum, SHOP, body())
        assert len(rum.events) == n


def test_read_returns_equal_records(archive: Archive) -> None:
    """Lone surrogates too, which UTF-8 cannot encode."""
    archive.add((BATCH, (DROPPED,), (REMOVED,)))
    archive.add(REFUSED)
    archive.close()
    archive.open()
    assert list(archive.read()) == [(BATCH, (DROPPED,), (REMOVED,)), REFUSED]


def test_file_size_is_limited(archive: Archive) -> None:
    """The oldest records are deleted, the latest stay."""
    batch = replace(BATCH, events=(EVENT,) * 5)
    for n in range(400):
        archive.add((replace(batch, received_at=float(n)), (), ()))
    kept = [one[0].received_at for one in archive.read() if not isinstance(one, RefusedRequest)]
    assert len(kept) < 250
    assert kept[-10:] == [float(n) for n in range(390, 400)]


def test_clear_empties_the_file(archive: Archive) -> None:
    """Cleared records do not return after a restart."""
    store = Store(archive=archive)
    store.accept(BATCH)
    store.clear()
    assert list(archive.read()) == []


def test_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """Also an existing file, and the files beside it."""
    file = tmp_path / "rum.db"
    file.touch(mode=0o644)
    with LocalRum(data=file):
        modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()}
    assert modes == {"rum.db": 0o600, "rum.db-wal": 0o600}


def _text_file(file: Path) -> None:
    file.write_text("not a database " * 100, encoding="utf-8")


def _other_database(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE bookmark (url TEXT)")
    connection.close()


def _previous_version(file: Path) -> None:
    _in_use(file).close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version=1")
    connection.close()


def _in_use(file: Path) -> Archive:
    archive = Archive(file, 1)
    archive.open()
    return archive


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_text_file, "not a database"),
        (_other_database, "another program"),
        (_previous_version, "another program or version"),
        (Path.mkdir, "Is a directory"),
        (_in_use, "locked"),
        (lambda file: file.symlink_to("/nowhere/at/all"), "No such file"),
    ],
)
def test_unusable_file_raises_and_stays_unchanged(tmp_path: Path, make: Callable[[Path], Any], why: str) -> None:
    """The error has the path, the cause and the fix."""
    file = tmp_path / "some.db"
    in_use = make(file)
    before = file.read_bytes() if file.is_file() else None
    with pytest.raises(
        ArchiveError, match=rf"cannot store received requests in .*some\.db: .*{why}.*To fix: name a new file"
    ):
        LocalRum(data=file).start()
    assert (file.read_bytes() if file.is_file() else None) == before
    assert in_use is None or in_use.close() is None


class FullDisk(sqlite3.Connection):
    """A connection that cannot insert."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql.startswith("INSERT"):
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(sql, *values)


def test_write_error_is_logged_once_and_memory_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server continues in memory."""
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=FullDisk))
    archive = Archive(tmp_path / "rum.db", max_events=50)
    archive.open()
    store = Store(archive=archive)
    with caplog.at_level(logging.WARNING):
        store.accept(BATCH)
        store.accept(BATCH)
    assert len(store.events) == 2
    (record,) = caplog.records
    assert re.search(
        r"writing to .* failed \(.*\); received requests stay in memory only. To fix: ", record.getMessage()
    )
