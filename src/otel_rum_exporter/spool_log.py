"""SQLite's write-ahead log, as far as it tells that something was lost from it.

SQLite ends a log at the first frame that is damaged, and says nothing of those behind it.
https://www.sqlite.org/fileformat.html#the_write_ahead_log
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_LITTLE_ENDIAN, _BIG_ENDIAN = 0x377F0682, 0x377F0683


def lost_commits(log: bytes, page_bytes: int, intact_frames: int) -> int:
    """Count the transactions of a log that stand behind its intact frames.

    The last frame alone may be one that a crash cut short, after its header and before its page: that lost nothing.
    """
    frame_bytes = _FRAME.size + page_bytes
    frames = [_FRAME.unpack_from(log, at) for at in range(_HEADER.size, len(log) - frame_bytes + 1, frame_bytes)]
    if not frames:
        return 0
    salts = _HEADER.unpack_from(log)[4:6] if _is_header_intact(log) else frames[0][2:4]
    behind = [pages > 0 for _, pages, *salt, _, _ in frames[intact_frames:] if tuple(salt) == salts]
    return sum(behind) if any(behind[:-1]) else 0


def _is_header_intact(log: bytes) -> bool:
    magic, *_, first, second = _HEADER.unpack_from(log)
    if magic not in {_LITTLE_ENDIAN, _BIG_ENDIAN}:
        return False
    words = struct.unpack_from(">6I" if magic == _BIG_ENDIAN else "<6I", log)
    sums = [0, 0]
    for index in range(0, 6, 2):
        sums[0] = (sums[0] + words[index] + sums[1]) % 2**32
        sums[1] = (sums[1] + words[index + 1] + sums[0]) % 2**32
    return sums == [first, second]
