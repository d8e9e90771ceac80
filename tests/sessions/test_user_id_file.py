"""The file with the user id of an application."""

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


def ids(*values: str) -> Callable[[], str]:
    """Return a function that returns these ids, one at each call."""
    remaining = iter(values)
    return lambda: next(remaining)


def test_user_id_is_the_same_after_a_restart(tmp_path: Path) -> None:
    """Missing directories are created."""
    directory = tmp_path / "state" / "kiosk"
    assert remembered_user_id(directory, ids(A)) == A
    assert remembered_user_id(str(directory), ids(B)) == A
    assert [path.name for path in directory.iterdir()] == [USER_ID_FILE]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_file_is_readable_only_by_its_owner(tmp_path: Path) -> None:
    """The directory has mode 0700, the file 0600."""
    remembered_user_id(tmp_path / "state", ids(A))
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state", tmp_path / "state" / USER_ID_FILE)]
    assert modes == [0o700, 0o600]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\x00", A.encode()[:20], A.encode() * 1000])
def test_file_without_an_id_is_replaced(tmp_path: Path, content: bytes) -> None:
    """The next start reads the new id."""
    (tmp_path / USER_ID_FILE).write_bytes(content)
    assert remembered_user_id(tmp_path, ids(B)) == B
    assert remembered_user_id(tmp_path, ids(A)) == B


def test_unwritable_directory_gives_an_id_for_one_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The path of the directory is a file, that of the file is a directory, or the path is invalid."""
    (tmp_path / "file").write_text("")
    (tmp_path / "full" / USER_ID_FILE).mkdir(parents=True)
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        for directory in (tmp_path / "file" / "state", tmp_path / "full", tmp_path / "\0"):
            assert remembered_user_id(directory, ids(A, B)) in {A, B}
    assert ["writ" in record.message for record in caplog.records] == [True, True, True]
    assert not list((tmp_path / "full").glob(".*"))


def test_concurrent_starts_leave_one_complete_file(tmp_path: Path) -> None:
    """It contains one of their ids."""
    user_ids = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(32)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda user_id: remembered_user_id(tmp_path, ids(user_id)), user_ids))
    assert remembered_user_id(tmp_path, ids("none of them")) in user_ids
