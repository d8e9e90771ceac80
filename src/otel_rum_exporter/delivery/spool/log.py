"""SQLite's write-ahead log where it is damaged: SQLite ends it there, and says nothing of what stands behind.

The sum of each frame goes on from that of the frame before it, as it is written there; so each can be judged alone.
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
_SUMMED_HEADER_BYTES = 24
_SUMMED_FRAME_BYTES = 8

_Pair = tuple[int, ...]


class _Frame(NamedTuple):
    page_number: int
    database_pages: int
    """Of the database after this frame, where it ends a transaction; else 0."""
    salts: _Pair
    sums: _Pair
    at: int


def lost_commits(log: bytes, page_bytes: int, intact_frames: int) -> int:
    """Count the transactions of a log that stand behind its intact frames.

    The last frame alone may be one that a crash cut short, after its header and before its page: that lost nothing.
    """
    salts = _salts(log, page_bytes)
    behind = [
        frame.database_pages > 0 for frame in list(_frames(log, page_bytes))[intact_frames:] if frame.salts == salts
    ]
    return sum(behind) if any(behind[:-1]) else 0


def mended(log: bytes, page_bytes: int) -> bytes:
    """Return a log of the frames that are intact, whatever stands between them."""
    salts = _salts(log, page_bytes)
    header = struct.pack(">6I", _MAGIC, _VERSION, page_bytes, 0, *salts)
    sums = _summed((0, 0), header)
    parts = [header, struct.pack(">2I", *sums)]
    before: _Pair = _HEADER.unpack_from(log)[6:]
    for frame in _frames(log, page_bytes):
        page = log[frame.at + _FRAME.size : frame.at + _FRAME.size + page_bytes]
        content = log[frame.at : frame.at + _SUMMED_FRAME_BYTES] + page
        is_intact = frame.salts == salts and _summed(before, content) == frame.sums
        before = frame.sums
        if is_intact:
            sums = _summed(sums, content)
            parts += [_FRAME.pack(frame.page_number, frame.database_pages, *salts, *sums), page]
    return b"".join(parts)


def _frames(log: bytes, page_bytes: int) -> Iterator[_Frame]:
    frame_bytes = _FRAME.size + page_bytes
    for at in range(_HEADER.size, len(log) - frame_bytes + 1, frame_bytes):
        page_number, database_pages, *rest = _FRAME.unpack_from(log, at)
        yield _Frame(page_number, database_pages, tuple(rest[:2]), tuple(rest[2:]), at)


def _salts(log: bytes, page_bytes: int) -> _Pair:
    """Return what marks the frames of now, among those that were written before the log began anew."""
    header = _HEADER.unpack_from(log)
    is_intact = header[0] == _MAGIC and _summed((0, 0), log[:_SUMMED_HEADER_BYTES]) == header[6:]
    return header[4:6] if is_intact else next(_frames(log, page_bytes)).salts


def _summed(sums: _Pair, content: bytes) -> _Pair:
    one, two = sums
    words = struct.unpack(f"={len(content) // 4}I", content)
    for index in range(0, len(words), 2):
        one = (one + words[index] + two) & 0xFFFFFFFF
        two = (two + words[index + 1] + one) & 0xFFFFFFFF
    return one, two
