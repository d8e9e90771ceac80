"""Repair of SQLite's write-ahead log: SQLite silently ignores all frames after a damaged one.

The checksum of a frame continues from the stored checksum of the frame before, so each frame can be verified alone.
https://www.sqlite.org/fileformat.html#the_write_ahead_log
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC = 0x377F0682 if sys.byteorder == "little" else 0x377F0683
_VERSION = 3007000
_CHECKSUMMED_HEADER_BYTES = 24
_CHECKSUMMED_FRAME_BYTES = 8

_Pair = tuple[int, ...]


class _Frame(NamedTuple):
    page_number: int
    database_pages: int
    """Size of the database after this frame if it ends a transaction, else 0."""
    salts: _Pair
    sums: _Pair
    offset: int


def lost_commits(log: bytes, page_bytes: int, intact_frames: int) -> int:
    """Count the transactions of a log that follow its intact frames.

    A crash may cut the last frame short between its header and its page, which loses nothing.
    """
    salts = _salts(log, page_bytes)
    following = [
        frame.database_pages > 0 for frame in list(_frames(log, page_bytes))[intact_frames:] if frame.salts == salts
    ]
    return sum(following) if any(following[:-1]) else 0


def repaired(log: bytes, page_bytes: int) -> bytes:
    """Return a log with only the intact frames."""
    salts = _salts(log, page_bytes)
    header = struct.pack(">6I", _MAGIC, _VERSION, page_bytes, 0, *salts)
    sums = _checksum((0, 0), header)
    parts = [header, struct.pack(">2I", *sums)]
    before: _Pair = _HEADER.unpack_from(log)[6:]
    for frame in _frames(log, page_bytes):
        page = log[frame.offset + _FRAME.size : frame.offset + _FRAME.size + page_bytes]
        content = log[frame.offset : frame.offset + _CHECKSUMMED_FRAME_BYTES] + page
        is_intact = frame.salts == salts and _checksum(before, content) == frame.sums
        before = frame.sums
        if is_intact:
            sums = _checksum(sums, content)
            parts += [_FRAME.pack(frame.page_number, frame.database_pages, *salts, *sums), page]
    return b"".join(parts)


def _frames(log: bytes, page_bytes: int) -> Iterator[_Frame]:
    frame_bytes = _FRAME.size + page_bytes
    for offset in range(_HEADER.size, len(log) - frame_bytes + 1, frame_bytes):
        page_number, database_pages, *rest = _FRAME.unpack_from(log, offset)
        yield _Frame(page_number, database_pages, tuple(rest[:2]), tuple(rest[2:]), offset)


def _salts(log: bytes, page_bytes: int) -> _Pair:
    """Return the salts of current frames. Frames from before the last reset of the log have others."""
    header = _HEADER.unpack_from(log)
    is_intact = header[0] == _MAGIC and _checksum((0, 0), log[:_CHECKSUMMED_HEADER_BYTES]) == header[6:]
    return header[4:6] if is_intact else next(_frames(log, page_bytes)).salts


def _checksum(sums: _Pair, content: bytes) -> _Pair:
    one, two = sums
    words = struct.unpack(f"={len(content) // 4}I", content)
    for index in range(0, len(words), 2):
        one = (one + words[index] + two) & 0xFFFFFFFF
        two = (two + words[index + 1] + one) & 0xFFFFFFFF
    return one, two
