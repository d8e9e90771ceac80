"""A file that keeps the random user id of an application with one user between runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from .._files import write_whole
from .._log import LOGGER
from .._uuid import UUID

USER_ID_FILE = "user-id"


def remembered_user_id(directory: str | os.PathLike[str], new_id: Callable[[], str]) -> str:
    """Return the user id stored in a directory that only its owner can read; create it if there is none.

    If the file cannot be written, the id is valid for this run only, and a warning is logged.
    """
    path = Path(directory).expanduser() / USER_ID_FILE
    try:
        known = _read(path)
        if known is not None:
            return known
        user_id = new_id()
        write_whole(path, user_id)
    except (OSError, ValueError, RuntimeError) as error:
        LOGGER.warning(
            "CloudWatch RUM: storing the user id in %s failed (%s), so each start counts as a new user. To fix: set "
            "state_directory to a directory that the application can write to.",
            path,
            error,
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
