"""Whose span it is: which session, which user, and on which page.

A span says so itself, or inherits it along its trace, or from its resource; what nobody claims belongs to
the session of this process. Nothing here has a clock or randomness: time and new ids are passed in.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from .config import UUID
from .span import SpanView, text

NIL_UUID = "00000000-0000-0000-0000-000000000000"
"""What AWS's own client sends for a user it does not know; as a session id it means that there is none."""

SESSION_ATTRIBUTES = ("session.id", "splunk.rumSessionId")
USER_ATTRIBUTES = ("enduser.pseudo.id", "user.hash", "app.installation.id", "user.id", "user.anonymous_id")

SESSION_SILENCE_NS = 30 * 60 * 1_000_000_000
"""A session ends after 30 minutes without an event, as in AWS's web client (`sessionLengthSeconds`)."""

MAX_TRACES = 10_000
"""Traces remembered for spans that arrive in a later batch than the span that named their session."""

_HEX_32 = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose an event is. `is_minted` is true where the session id was made here, not given.

    `metadata` is what the page and the browser of the trace add to the event's RUM metadata.
    """

    session_id: str
    user_id: str
    metadata: Mapping[str, str]
    is_minted: bool


@dataclass(frozen=True, slots=True)
class Claims:
    """What one span says of itself and of what happens below it."""

    session: str | None = None
    user: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def over(self, other: Claims) -> Claims:
        """Return these claims, completed by another's."""
        return Claims(self.session or other.session, self.user or other.user, {**other.metadata, **self.metadata})


_NOTHING = Claims()
_SpanKey = tuple[str, str]


class Identities:
    """Assign an identity to each span, remembering traces and the session of this process.

    Not thread-safe: its owner calls it under a lock.
    """

    def __init__(self, *, new_id: Callable[[], str], hash_key: bytes) -> None:
        self._new_id = new_id
        self._uuid = lru_cache(maxsize=MAX_TRACES)(lambda kind, value: to_uuid(value, kind=kind, key=hash_key))
        self._traces: OrderedDict[str, Claims] = OrderedDict()
        self._process_session_id = ""
        self._process_session_used_ns = 0

    def assign(
        self, views: Sequence[SpanView], trace_metadata: Sequence[Mapping[str, str]], now_ns: int
    ) -> list[Identity]:
        """Return the identity of each span of one batch, in the same order.

        `trace_metadata` is what each span says of the page and browser of everything below it.
        """
        own = {
            (view.trace_id, view.span_id): _claims(view, said) for view, said in zip(views, trace_metadata, strict=True)
        }
        parents = {(view.trace_id, view.span_id): _parent_key(view) for view in views}
        for (trace_id, _), claims in own.items():
            if claims != _NOTHING:
                self._traces[trace_id] = self._traces.get(trace_id, _NOTHING).over(claims)
                self._traces.move_to_end(trace_id)
        inherited: dict[_SpanKey, Claims] = {}
        assigned = [self._identity(view, _inherit(view, own, parents, inherited), now_ns) for view in views]
        while len(self._traces) > MAX_TRACES:
            self._traces.popitem(last=False)
        return assigned

    def _identity(self, view: SpanView, claims: Claims, now_ns: int) -> Identity:
        claims = claims.over(self._traces.get(view.trace_id, _NOTHING))
        resource = view.span.resource.attributes
        session = claims.session or _known(text(resource, *SESSION_ATTRIBUTES))
        user = claims.user or text(resource, *USER_ATTRIBUTES)
        return Identity(
            session_id=self._uuid("session", session) if session else self._process_session(now_ns),
            user_id=self._uuid("user", user) if user else NIL_UUID,
            metadata=claims.metadata,
            is_minted=not session,
        )

    def _process_session(self, now_ns: int) -> str:
        if not self._process_session_id or now_ns - self._process_session_used_ns > SESSION_SILENCE_NS:
            self._process_session_id = self._new_id()
        self._process_session_used_ns = now_ns
        return self._process_session_id


def to_uuid(value: str, *, kind: str, key: bytes) -> str:
    """Return the UUID that stands for a session or user id in RUM, which accepts nothing else.

    A UUID goes verbatim, 32 hex digits (as OTel's browser and Android SDKs make them) get dashes, anything
    else becomes a keyed hash in the form of RFC 9562 version 8; `kind` keeps equal ids of different kinds
    apart.
    """
    if UUID.fullmatch(value):
        return value
    if _HEX_32.fullmatch(value):
        return dashed(value.lower())
    material = b"\0".join((kind.encode(), value.encode("utf-8", "surrogatepass")))
    digest = hmac.new(key, material, hashlib.sha256).hexdigest()
    return dashed(f"{digest[:12]}8{digest[13:16]}{'89ab'[int(digest[16], 16) % 4]}{digest[17:32]}")


def dashed(digits: str) -> str:
    """Return 32 hex digits in the form of a UUID."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"


def _known(session: str | None) -> str | None:
    return None if session == NIL_UUID else session


def _claims(view: SpanView, metadata: Mapping[str, str]) -> Claims:
    session, user = _known(view.text(*SESSION_ATTRIBUTES)), view.text(*USER_ATTRIBUTES)
    return Claims(session, user, metadata) if session or user or metadata else _NOTHING


def _parent_key(view: SpanView) -> _SpanKey | None:
    parent = view.span.parent
    return None if parent is None else (view.trace_id, f"{parent.span_id:016x}")


def _inherit(
    view: SpanView,
    own: Mapping[_SpanKey, Claims],
    parents: Mapping[_SpanKey, _SpanKey | None],
    inherited: dict[_SpanKey, Claims],
) -> Claims:
    """Return a span's claims completed by its ancestors', the nearest first; `inherited` remembers all it finds."""
    chain: dict[_SpanKey, None] = {}
    key: _SpanKey | None = (view.trace_id, view.span_id)
    while key is not None and key in own and key not in inherited and key not in chain:
        chain[key] = None
        key = parents[key]
    claims = inherited.get(key, _NOTHING) if key else _NOTHING
    for key in reversed(chain):
        claims = inherited[key] = own[key].over(claims)
    return claims if chain else inherited[view.trace_id, view.span_id]
