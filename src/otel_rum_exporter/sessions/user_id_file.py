"""What a program with one user remembers from run to run: a random id of that user, in a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from .._config_fields import UUID
from .._files import write_whole
from .._log import LOGGER

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
