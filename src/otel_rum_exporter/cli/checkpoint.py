"""Checkpoints: a directory that stores how much of each file is sent, so that the next run resumes there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import BinaryIO

from .._files import write_whole

HEAD_BYTES = 4096


class Checkpoint:
    """The offset up to which a file is sent to one destination.

    A file whose first bytes changed, or that is shorter than the offset, counts as a new file and is sent from its
    start.

    Args:
        directory: The directory of the checkpoints.
        file: The path of the file.
        stream: The uncompressed content of the file.
        destination: Any text that identifies the destination.
    """

    def __init__(self, directory: Path, file: Path, stream: BinaryIO, destination: str) -> None:
        name = hashlib.sha256(f"{file.resolve()}\n{destination}".encode(errors="surrogateescape")).hexdigest()[:32]
        self._path = directory / f"{name}.json"
        self._file = file
        stream.seek(0)
        self._head = stream.read(HEAD_BYTES)
        self.offset = self._stored_offset(stream)

    def save(self, offset: int) -> None:
        """Store the offset up to which the file is sent.

        Raises:
            OSError: the directory cannot be written to.
        """
        if offset != self.offset:
            content = {"file": str(self._file), "offset": offset, "head": self._digest(offset)}
            write_whole(self._path, json.dumps(content))
            self.offset = offset

    def _stored_offset(self, stream: BinaryIO) -> int:
        try:
            content = json.loads(self._path.read_text("utf-8"))
            offset, head = int(content["offset"]), str(content["head"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0
        if offset <= 0 or head != self._digest(offset):
            return 0
        stream.seek(offset - 1)
        return offset if stream.read(1) else 0

    def _digest(self, offset: int) -> str:
        return hashlib.sha256(self._head[:offset]).hexdigest()
