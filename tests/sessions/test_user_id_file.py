"""The user id that a program remembers."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otel_rum_exporter.sessions.user_id_file import USER_ID_FILE, remembered_user_id

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"


def giving(*ids: str) -> Callable[[], str]:
    """Return a source of these ids."""
    rest = iter(ids)
    return lambda: next(rest)


def test_the_user_is_the_same_at_the_next_start(tmp_path: Path) -> None:
    """Directories that are missing are made."""
    directory = tmp_path / "state" / "kiosk"
    assert remembered_user_id(directory, giving(A)) == A
    assert remembered_user_id(str(directory), giving(B)) == A
    assert [path.name for path in directory.iterdir()] == [USER_ID_FILE]


@pytest.mark.skipif(os.name == "nt", reason="no such permissions")
def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    """The directory is made with 0700, the file with 0600."""
    remembered_user_id(tmp_path / "state", giving(A))
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state", tmp_path / "state" / USER_ID_FILE)]
    assert modes == [0o700, 0o600]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\x00", A.encode()[:20], A.encode() * 1000])
def test_a_file_that_holds_no_id_is_replaced(tmp_path: Path, content: bytes) -> None:
    """A new id, which is then remembered."""
    (tmp_path / USER_ID_FILE).write_bytes(content)
    assert remembered_user_id(tmp_path, giving(B)) == B
    assert remembered_user_id(tmp_path, giving(A)) == B


def test_an_id_that_cannot_be_kept_is_good_for_one_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file stands where the directory should, or a directory where the file should."""
    (tmp_path / "file").write_text("")
    (tmp_path / "full" / USER_ID_FILE).mkdir(parents=True)
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        for directory in (tmp_path / "file" / "state", tmp_path / "full", tmp_path / "\0"):
            assert remembered_user_id(directory, giving(A, B)) in {A, B}
    assert ["writ" in record.message for record in caplog.records] == [True, True, True]
    assert not list((tmp_path / "full").glob(".*"))


def test_programs_that_start_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    """Whichever came last has written all of it."""
    ids = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(32)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda user_id: remembered_user_id(tmp_path, giving(user_id)), ids))
    assert remembered_user_id(tmp_path, giving("none of them")) in ids
