"""Session sampling: a pure function of the session id, so that all processes agree on a session."""

from __future__ import annotations

import hashlib

_RANGE = 2.0**64


def is_sampled(session_id: str, rate: float) -> bool:
    """Return whether a session is in the share `rate` to send; a higher rate only adds sessions."""
    if rate >= 1:
        return True
    digest = hashlib.blake2b(session_id.encode("utf-8", "surrogatepass"), digest_size=8, person=b"rum.session")
    return int.from_bytes(digest.digest(), "big") < rate * _RANGE
