"""How far a file was sent, remembered from run to run in a directory."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import BinaryIO

from .._files import write_whole

HEAD_BYTES = 4096


class Checkpoint:
    """Remember the offset in a file, for one destination.

    A file that does not begin as it did, or is shorter, is another one, and is sent from its start.

    Args:
        directory: Where it is remembered.
        file: The file.
        stream: Its uncompressed content.
        destination: Where it is sent to, in any words.
    """

    def __init__(self, directory: Path, file: Path, stream: BinaryIO, destination: str) -> None:
        name = hashlib.sha256(f"{file.resolve()}\n{destination}".encode()).hexdigest()[:32]
        self._place = directory / f"{name}.json"
        self._file = file
        stream.seek(0)
        self._head = stream.read(HEAD_BYTES)
        self.offset = self._known(stream)

    def save(self, offset: int) -> None:
        """Remember that the file was sent up to an offset.

        Raises:
            OSError: where the directory cannot be written to.
        """
        if offset != self.offset:
            known = {"file": str(self._file), "offset": offset, "head": self._digest(offset)}
            write_whole(self._place, json.dumps(known))
            self.offset = offset

    def _known(self, stream: BinaryIO) -> int:
        try:
            known = json.loads(self._place.read_text("utf-8"))
            offset, head = int(known["offset"]), str(known["head"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0
        if offset <= 0 or head != self._digest(offset):
            return 0
        stream.seek(offset - 1)
        return offset if stream.read(1) else 0

    def _digest(self, offset: int) -> str:
        return hashlib.sha256(self._head[:offset]).hexdigest()
