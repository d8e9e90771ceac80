"""The check of the spool."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.cli.doctor import Context, Result, Status
from otel_rum_exporter.cli.doctor.spool import spool
from otel_rum_exporter.config import PREFIX
from otel_rum_exporter.delivery.spool.directory import Spool
from otel_rum_exporter.delivery.spool.folder import directory_of
from otel_rum_exporter.delivery.spool.locked_file import LockedFile
from otel_rum_exporter.delivery.spool.record import first_block
from otel_rum_exporter.local import LocalRum
from tests.aws import REGION
from tests.cli.doctor.diagnosis import MONITOR_ID, Diagnose
from tests.delivery.queued import queued


def leave_events(directory: Path, destination: str, count: int) -> None:
    """Leave events for a destination in a spool."""
    spool = Spool(str(directory), destination=destination, max_bytes=10**9, log=RateLimitedLog())
    delivered = queued("a", "delivered")
    spool.replace((), [delivered, *(queued("a", number) for number in range(count))])
    spool.remove([delivered])
    spool.close()


def test_events_for_other_settings_are_a_warning(diagnose: Diagnose, shop: LocalRum, tmp_path: Path) -> None:
    """With their number and destination; those for these settings are not."""
    settings = {f"{PREFIX}SPOOL_DIRECTORY": str(tmp_path)}
    assert diagnose(shop.url, **settings)["spool"] == Result(Status.OK, f"{tmp_path} is writable; 0 events are waiting")
    leave_events(tmp_path, f"app monitor {MONITOR_ID} in {REGION} at {shop.url}", 4)
    assert diagnose(shop.url, **settings)["spool"].message == f"{tmp_path} is writable; 4 events are waiting"
    leave_events(tmp_path, "app monitor other", 21)
    assert diagnose(shop.url, **settings)["spool"] == Result(
        Status.WARNING,
        f"21 events for app monitor other are still in {tmp_path}",
        "start a process with these settings, or delete the events",
    )


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (b"\0" * 32, "app monitor other"),
        (first_block("app monitor other")[:32], "app monitor other"),
        (b"\xa5" * 4096, f"unknown settings ({directory_of(Path(), 'app monitor other')})"),
    ],
    ids=["header", "header of an empty file", "first block"],
)
def test_events_in_a_damaged_file_are_counted(damage: bytes, name: str, tmp_path: Path) -> None:
    """A power loss may leave an old header. The directory shows whether the name of the settings is damaged."""
    for count in (1, 20):
        leave_events(tmp_path, "app monitor other", count)
    for path in tmp_path.glob("*/*"):
        with path.open("r+b") as file:
            file.write(damage)
    assert check(tmp_path).message == f"21 events for {name} are still in {tmp_path}"
    leave_events(tmp_path, "app monitor third", 1)
    assert f"1 event for app monitor third is still in {tmp_path}" in check(tmp_path).message


def test_events_of_these_settings_are_not_for_others_if_the_file_is_damaged(tmp_path: Path) -> None:
    """The directory of these settings is known."""
    leave_events(tmp_path, "", 1)
    (path,) = tmp_path.glob("*/*")
    with path.open("r+b") as file:
        file.write(b"\xa5" * 4096)
    assert check(tmp_path) == Result(Status.OK, f"{tmp_path} is writable; 1 event is waiting")


def test_without_a_spool_no_events_wait_for_other_settings(diagnose: Diagnose, shop: LocalRum) -> None:
    """They are in memory."""
    assert diagnose(shop.url)["spool"] == Result(Status.OK, "there is none: events are kept in memory")


def check(place: Path) -> Result:
    """Check a spool directory alone."""
    return spool(Context({}, {f"{PREFIX}SPOOL_DIRECTORY": str(place)}))


def _file(path: Path) -> Path:
    path.touch()
    return path


def _link(path: Path) -> Path:
    path.symlink_to(path.parent)
    return path


def _of_another_user(path: Path) -> Path:
    path.mkdir()
    os.chown(path, 12345, -1)
    return path


@pytest.mark.skipif(os.name == "nt", reason="users and links are POSIX's")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_file, "it is not a directory"),
        (lambda path: _file(path) / "below" / "it", "is below a file"),
        (_link, "is not a directory"),
        pytest.param(
            _of_another_user,
            "belongs to user 12345;",
            marks=pytest.mark.skipif(
                not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may change the owner of a directory"
            ),
        ),
        pytest.param(
            lambda _: Path("/proc/rum"),
            "it cannot be created",
            marks=pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs procfs"),
        ),
    ],
)
def test_spool_directory_that_cannot_be_used_fails_with_the_reason(
    tmp_path: Path, make: Callable[[Path], Path], reason: str
) -> None:
    """The exporter would keep its events in memory."""
    place = make(tmp_path / "spool")
    found = check(place)
    assert found.status is Status.FAILED
    assert found.message.startswith(f"{place} cannot be used: ")
    assert reason in found.message
    assert found.message.endswith("; events are kept in memory only")
    assert f"set {PREFIX}SPOOL_DIRECTORY to a directory that this user can create and write" in found.fix


@pytest.mark.parametrize(
    ("number", "reason", "fix"),
    [
        (errno.ENOSPC, "the disk is full", "free space"),
        (errno.EROFS, "the file system is read-only", "mount it writable"),
        (errno.EACCES, "this user has no permission", "give this user permission"),
        (errno.ENOLCK, "the file system has no locks", "mount it with locks"),
        (errno.EIO, os.strerror(errno.EIO), "set "),
    ],
)
def test_disk_that_refuses_a_write_fails_with_its_fix(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    reason: str,
    fix: str,
) -> None:
    """The directories that the check created are removed."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(LockedFile, "write", refuse)
    place = tmp_path / "new" / "spool"
    found = check(place)
    assert (found.status, found.message) == (
        Status.FAILED,
        f"{place} cannot be used: {reason}; events are kept in memory only",
    )
    assert found.fix.startswith(fix)
    assert not place.parent.exists()


def test_missing_spool_directory_is_ok_and_not_left_behind(tmp_path: Path) -> None:
    """The exporter creates it, with its parents. The user of this command may be another."""
    place = tmp_path / "new" / "spool"
    found = check(place)
    assert found == Result(Status.OK, f"{place} is writable; 0 events are waiting")
    assert not place.parent.exists()
