"""The session and user of the current work, bound to the current context.

The binding is a `ContextVar` of this package. Instrumentations start from an empty context
(`opentelemetry.propagate.extract`). A value in OTel's context would not reach the span that they start below a
middleware.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

from .._attributes import SESSION_JOINED, SESSION_MINTED, SESSION_MISSING, SESSION_SAMPLED
from ..rum.ids import NIL_UUID

SESSION_ID = "session.id"
USER_ID = "user.id"
MAX_ID_CHARS = 200


@dataclass(frozen=True, slots=True)
class Session:
    """A session and its user; None where unknown.

    `is_sampled` is None if sampling is not decided yet. `is_minted` is true if this process created the id. Otherwise
    `joined` says who started the session (`SESSION_JOINED`). `missing` is why there is none (`SESSION_MISSING`).
    """

    id: str | None = None
    user_id: str | None = None
    is_sampled: bool | None = None
    is_minted: bool = False
    joined: str | None = None
    missing: str | None = None

    def attributes(self) -> dict[str, str | bool]:
        """Return the attributes to set on a span of this session."""
        found: dict[str, str | bool] = {}
        if self.id:
            found[SESSION_ID] = self.id
        if self.user_id:
            found[USER_ID] = self.user_id
        if self.is_sampled is not None:
            found[SESSION_SAMPLED] = self.is_sampled
        if self.is_minted:
            found[SESSION_MINTED] = True
        if self.id and self.joined:
            found[SESSION_JOINED] = self.joined
        if self.missing:
            found[SESSION_MISSING] = self.missing
        return found

    @property
    def is_known(self) -> bool:
        """Whether there is a session or a user."""
        return bool(self.id or self.user_id)

    @classmethod
    def of(cls, session_id: object, user_id: object, *, joined: str | None = None) -> Session | None:
        """Return the session of untrusted ids; None if neither is usable."""
        session = cls(_readable(session_id), _readable(user_id), joined=joined)
        return session if session.is_known else None


_BOUND: ContextVar[Session | None] = ContextVar("rum_session", default=None)


def bound() -> Session | None:
    """Return the session bound to the current context."""
    return _BOUND.get()


@contextlib.contextmanager
def bind(session: Session | None) -> Iterator[None]:
    """Bind a session to the current context within a block; None keeps the present binding.

    A session that is not known does not replace one that is.
    """
    present = _BOUND.get()
    if session is None or (present is not None and present.is_known and not session.is_known):
        yield
        return
    token = _BOUND.set(session)
    try:
        yield
    finally:
        # An application may close its generator in another context, where the token is not valid.
        with contextlib.suppress(ValueError):
            _BOUND.reset(token)


def _readable(value: object) -> str | None:
    """Return the value if it is printable text of at most `MAX_ID_CHARS`; ids from outside can be anything."""
    is_id = isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARS and value.isprintable() and value != NIL_UUID
    return str(value) if is_id else None
