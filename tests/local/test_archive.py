"""The file: what it keeps, who may read it, and what happens when it cannot be used."""

from __future__ import annotations

import logging
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter.local import ArchiveError, LocalRum
from otel_rum_exporter.local.archive import Archive
from otel_rum_exporter.local.record import Batch, Dropped, Event, Refusal, Removed, Verdict
from otel_rum_exporter.local.store import Store

Make = Callable[..., Any]
SHOP = "11111111-1111-4111-8111-111111111111"
EVENT = Event("e", 1.0, "checkout", {"text": "\ud800 é"}, {}, "s", None, "m", "b")
VERDICT = Verdict("e", "checkout", "accepted")
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
    verdicts=(VERDICT,),
)
DROPPED = Dropped(EVENT, "too large")
REMOVED = Removed("e", "checkout", "key", [1], "no")
REFUSAL = Refusal(400, "ValidationException", "no", "/", 1.0, raw=[1], verdicts=(replace(VERDICT, outcome="refused"),))


def _archive(path: Path, max_events: int = 100) -> Archive:
    archive = Archive(path, max_events)
    archive.open()
    return archive


def test_what_was_received_is_there_after_a_restart(tmp_path: Path, body: Make, event: Make, post_to: Make) -> None:
    """Events, refusals, drops and app monitors, and later requests after them."""
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
        assert second.verdicts == first.verdicts
        assert [one.name for one in second.app_monitors] == ["shop"]
        post_to(second, SHOP, sent[0])
        assert len(second.events) == 2
    assert len(LocalRum(data=file).events) == 2


def test_a_stopped_stand_in_goes_on_where_it_was(tmp_path: Path, body: Make, post_to: Make) -> None:
    """Starting again neither loses nor repeats."""
    rum = LocalRum(data=tmp_path / "rum.db")
    for n in range(1, 3):
        with rum:
            post_to(rum, SHOP, body())
        assert len(rum.events) == n
    assert len(LocalRum(data=tmp_path / "rum.db").events) == 2


def test_every_value_comes_back_as_it_was(tmp_path: Path) -> None:
    """Lone surrogates too, which UTF-8 has no bytes for."""
    archive = _archive(tmp_path / "rum.db")
    archive.add((BATCH, (DROPPED,), (REMOVED,)))
    archive.add(REFUSAL)
    archive.close()
    assert list(_archive(tmp_path / "rum.db").read()) == [(BATCH, (DROPPED,), (REMOVED,)), REFUSAL]


def test_the_file_is_bounded(tmp_path: Path) -> None:
    """The oldest go, and the latest that the memory would keep stay."""
    archive = _archive(tmp_path / "rum.db", max_events=50)
    batch = replace(BATCH, events=(EVENT,) * 5)
    for n in range(400):
        archive.add((replace(batch, received_at=float(n)), (), ()))
    kept = [one[0].received_at for one in archive.read() if not isinstance(one, Refusal)]
    assert len(kept) < 250
    assert kept[-10:] == [float(n) for n in range(390, 400)]


def test_clearing_empties_the_file(tmp_path: Path) -> None:
    """What was forgotten does not come back."""
    archive = _archive(tmp_path / "rum.db")
    store = Store(archive=archive)
    store.accept(BATCH)
    store.clear()
    assert list(archive.read()) == []


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """Also when it was there before, and the files beside it."""
    file = tmp_path / "rum.db"
    file.touch(mode=0o644)
    archive = _archive(file)
    archive.add(REFUSAL)
    assert {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()} == {
        one.name: 0o600 for one in tmp_path.iterdir()
    }


def _text(file: Path) -> None:
    file.write_text("Dear diary, " * 100, encoding="utf-8")


def _foreign(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE bookmark (url TEXT)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_text, "not a database"),
        (_foreign, "another program"),
        (Path.mkdir, "Is a directory"),
        (_archive, "locked"),
        (lambda file: file.symlink_to("/nowhere/at/all"), "No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_left_alone(tmp_path: Path, make: Callable[[Path], Any], why: str) -> None:
    """The error names it and tells what to do."""
    file = tmp_path / "some.db"
    in_use = make(file)
    before = file.read_bytes() if file.is_file() else None
    with pytest.raises(ArchiveError, match=rf"cannot keep what is received in .*some\.db: .*{why}.*; name a new file"):
        LocalRum(data=file)
    assert (file.read_bytes() if file.is_file() else None) == before
    assert in_use is None or in_use.close() is None


def test_a_file_that_stops_working_costs_only_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The stand-in goes on in memory, and says so once."""
    archive = _archive(tmp_path / "rum.db")
    store = Store(archive=archive)
    assert archive._connection is not None
    archive._connection.execute("PRAGMA query_only=ON")
    with caplog.at_level(logging.WARNING):
        store.accept(BATCH)
        store.accept(BATCH)
    assert len(store.events) == 2
    assert [record.getMessage()[:45] for record in caplog.records] == [
        "what is received is no longer kept in " + str(tmp_path)[:7]
    ]
