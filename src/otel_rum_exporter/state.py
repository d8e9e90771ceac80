"""What a program with one user remembers from run to run: a random id of that user, in a file."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from .setting import UUID
from .telemetry import LOGGER

USER_ID_FILE = "user-id"


def remembered_user_id(directory: str | os.PathLike[str], new_id: Callable[[], str]) -> str:
    """Return the user id kept in a directory, which only its owner can read; a new one where there is none.

    What cannot be kept is good for this run only.
    """
    path = Path(directory).expanduser() / USER_ID_FILE
    try:
        known = _read(path)
        if known is not None:
            return known
        user_id = new_id()
        write_whole(path, user_id)
    except (OSError, ValueError, RuntimeError) as fault:
        LOGGER.warning(
            "CloudWatch RUM: the user id cannot be kept in %s (%s), so this user is a new one at each start. To do: "
            "give a directory that the program may write to.",
            path,
            fault,
        )
        return new_id()
    return user_id


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            text = file.read(100).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    return text if UUID.fullmatch(text) else None


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all: what a crash cut short would be another user at the next start."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{text}\n")
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
