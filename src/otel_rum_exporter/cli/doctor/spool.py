"""Check of the spool: whether it is writable, and events that no process delivers, which are for other settings."""

from __future__ import annotations

import contextlib
import errno
from dataclasses import replace
from pathlib import Path

from ...delivery.spool.folder import directory_of, left_behind, prepare
from ...delivery.spool.segment import Segment
from ...exporter.pipeline import spool_destination
from .context import Context
from .result import Result, failed, ok, warning

_FULL = "the disk is full", "free space on the disk"
_NO_LOCKS = "the file system has no locks", "mount it with locks"
_NO_DIRECTORY = "it is not a directory, or is below a file", ""
_REASONS = {
    errno.ENOSPC: _FULL,
    getattr(errno, "EDQUOT", errno.ENOSPC): ("the disk quota of this user is used up", "free space on the disk"),
    errno.EROFS: ("the file system is read-only", "mount it writable"),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM),
        ("this user has no permission", "give this user permission to create and write files there"),
    ),
    errno.ENOENT: ("it cannot be created", ""),
    errno.ENOLCK: _NO_LOCKS,
    errno.EOPNOTSUPP: _NO_LOCKS,
    errno.ENOSYS: _NO_LOCKS,
    errno.EEXIST: _NO_DIRECTORY,
    errno.ENOTDIR: _NO_DIRECTORY,
}
"""Reason and fix by error number."""


def spool(context: Context) -> Result:
    """Write to the spool as the exporter does, and count the events in it without an owner, by destination."""
    directory = context.config.spool_directory
    if directory is None:
        return ok("there is none: events are kept in memory")
    # The app monitor of the resource is not part of the settings of the exporter.
    config = replace(context.config, app_monitor_id=context.readings["app_monitor_id"].value)
    destination = spool_destination(config, context.environment)
    try:
        _write(directory_of(Path(directory), destination), destination)
    except (OSError, ValueError) as error:
        reason, fix = _REASONS.get(getattr(error, "errno", None) or 0) or (_text(error), "")
        another = f"set {context.source_of('spool_directory')} to a directory that this user can create and write"
        message = f"{directory} cannot be used: {reason}; events are kept in memory only"
        return failed(message, f"{fix}\nor {another}" if fix else another)
    found = left_behind(Path(directory), destination)
    own = found.pop(destination, 0)
    if found:
        return warning(
            "\n".join(f"{_events(events, f'for {name} ')} still in {directory}" for name, events in found.items()),
            "start a process with these settings, or delete the events",
        )
    return ok(f"{directory} is writable; {_events(own)} waiting")


def _events(number: int, which: str = "") -> str:
    return f"1 event {which}is" if number == 1 else f"{number} events {which}are"


def _write(directory: Path, destination: str) -> None:
    """Create and lock a segment, and remove it and the directories that were missing.

    Otherwise a directory could belong to the user of this command, who may not be the user of the application.
    """
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    try:
        prepare(directory)
        Segment.create(directory, destination).discard()
    finally:
        for each in missing:
            with contextlib.suppress(OSError):
                each.rmdir()


def _text(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).partition("; ")[0]
