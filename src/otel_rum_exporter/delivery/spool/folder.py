"""The directories of a spool: one per destination, with access for one user, and the files in them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections import Counter
from pathlib import Path

from .locked_file import BLOCK_BYTES, LockedFile
from .record import Header, destination_in
from .segment import SUFFIX, contents_of


def directory_of(root: Path, destination: str) -> Path:
    """Return the directory of a destination."""
    return root / hashlib.blake2b(destination.encode(), digest_size=8).hexdigest()


def prepare(directory: Path) -> None:
    """Create a directory and its parent, with access for this user only.

    Raises:
        PermissionError: It belongs to another user, who could read and change its files.
        NotADirectoryError: It is a link.
    """
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in (directory.parent, directory):
        each.mkdir(mode=0o700, exist_ok=True)
        owner = each.lstat()
        if hasattr(os, "geteuid") and owner.st_uid != os.geteuid():
            raise PermissionError(f"{each} belongs to user {owner.st_uid}; name a directory of this user")
        if not stat.S_ISDIR(owner.st_mode):
            raise NotADirectoryError(f"{each} is not a directory")
    directory.chmod(0o700)


def files_in(directory: Path, suffix: str) -> list[Path]:
    """Return the files of a directory, oldest first: no links, and none if this user may not use it."""
    with contextlib.suppress(OSError):
        if directory.exists():
            prepare(directory)
            return [path for path in sorted(directory.glob(f"*{suffix}")) if path.is_file() and not path.is_symlink()]
    return []


def left_behind(root: Path, destination: str) -> Counter[str]:
    """Return the number of events in segments without an owner, by destination. One destination is known.

    The records are counted if the header is damaged, or older than they are, as after a power loss. The name
    of the directory shows whether a destination is undamaged.
    """
    found: Counter[Path] = Counter()
    names = {directory_of(root, destination): destination}
    paths: list[Path] = []
    with contextlib.suppress(OSError):
        paths = sorted(root.glob(f"*/*{SUFFIX}"))
    for path in paths:
        with contextlib.suppress(OSError, MemoryError):
            file = LockedFile.open(path)
            if file is not None:
                with contextlib.closing(file):
                    block = file.read(BLOCK_BYTES)
                    header = Header.decode(block)
                    known = header.stored_events if header else 0
                    found[path.parent] += known or contents_of(file).stored_events
                name = destination_in(block)
                names.setdefault(directory_of(root, name), name)
    return Counter({names.get(path, f"unknown settings ({path.name})"): events for path, events in (+found).items()})
