"""Sessions that were left out recently, in a fixed amount of memory: a Bloom filter of two generations.

They can be a thousand times as many as those that are sent. The filter reports at most 7 % of the new sessions by
mistake. They are left out too, each as a whole.
https://en.wikipedia.org/wiki/Bloom_filter
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

BITS = 1 << 23
HASHES = 4
MAX_SESSIONS = int(BITS * math.log(2) / HASHES)
"""Sessions of a generation: they set half of its bits. With the generation before, up to twice as many are kept."""


class RecentSessions:
    """The sessions added last, by application, and perhaps a few others. It takes at most 2 MiB. Not thread-safe.

    `is_empty` is an attribute, because it is read for each new session.
    """

    def __init__(self) -> None:
        self.is_empty = True
        self._recent = bytearray()
        self._former = bytearray()
        self._count = 0

    def add(self, application: str, session_id: str) -> None:
        """Add a session."""
        if self._count >= MAX_SESSIONS:
            self.forget()
        self._recent = self._recent or bytearray(BITS // 8)
        for byte, bit in _places(application, session_id):
            self._recent[byte] |= bit
        self._count += 1
        self.is_empty = False

    def has(self, application: str, session_id: str) -> bool:
        """Return whether a session was added, and remember it for longer."""
        places = list(_places(application, session_id))
        if _has(self._recent, places):
            return True
        if not _has(self._former, places):
            return False
        self.add(application, session_id)
        return True

    def forget(self) -> None:
        """Forget the sessions that were neither added nor found since the last call."""
        self._former, self._recent, self._count = self._recent, bytearray(), 0
        self.is_empty = not self._former


def _has(generation: bytearray, places: list[tuple[int, int]]) -> bool:
    return bool(generation) and all(generation[byte] & bit for byte, bit in places)


def _places(application: str, session_id: str) -> Iterator[tuple[int, int]]:
    """Yield the byte and the bit of each hash of a session."""
    key = f"{application} {session_id}".encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(key, digest_size=4 * HASHES, person=b"rum.recent").digest()
    for start in range(0, len(digest), 4):
        place = int.from_bytes(digest[start : start + 4], "big") % BITS
        yield place >> 3, 1 << (place & 7)
