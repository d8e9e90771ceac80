"""Which sessions are sent: a pure function of the session, so that all processes that see one agree."""

from __future__ import annotations

import hashlib

_RANGE = 2.0**64


def is_sampled(session_id: str, rate: float) -> bool:
    """Say whether a session is among the share `rate` that is sent; a higher rate only ever adds sessions."""
    if rate >= 1:
        return True
    digest = hashlib.blake2b(session_id.encode("utf-8", "surrogatepass"), digest_size=8, person=b"rum.session")
    return int.from_bytes(digest.digest(), "big") < rate * _RANGE
