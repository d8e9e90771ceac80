"""Whose span it is: which session, which user, and on which page.

A span says so itself, or inherits it from its ancestors, or from its resource; what nobody claims belongs to
the session of this process. Children end before their parents, so a span whose parent is still at work waits
for it. Nothing here has a clock or randomness: time and new ids are passed in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from opentelemetry.trace import SpanKind

from .._attributes import ENDUSER_ID, SESSION_ATTRIBUTES, SESSION_MINTED, SESSION_SAMPLED, USER_ATTRIBUTES
from ..config import SESSION_SILENCE_NS
from ..rum.ids import NIL_UUID, to_uuid
from .pending import Waiting
from .record_view import Resource, SpanKey, View, text

MAX_REMEMBERED = 10_000
"""Spans remembered for children that arrive later, ids whose UUID is, and sessions whose page is."""

PAGE_ID = "pageId"
"""RUM's metadata that says where in the application something happened."""

_PLACE = (PAGE_ID, "title", "domain")

MAX_RESOURCES = 1000
MAX_TRACES = 20_000
"""Traces remembered for spans that arrive when their parents are forgotten."""

MAX_INHERITED_CHARS = 1024
"""Metadata longer than this is inherited as its page alone: it is remembered, and whoever sends it decides on it."""

MAX_ID_CHARS = 256
"""Ids of sessions and users longer than this are remembered as their UUIDs."""

_STAMPS = frozenset((SESSION_MINTED, SESSION_SAMPLED))


class Identity(NamedTuple):
    """Whose an event is. `is_minted` is true where the session id was made in this process, not given.

    `metadata` is what the page and the browser of the trace add to the event's RUM metadata. `is_sampled` says
    whether the session is recorded, as somebody else has decided it; None where nobody has.
    """

    session_id: str
    user_id: str
    metadata: Mapping[str, Any]
    is_minted: bool
    is_sampled: bool | None = None


class Claims(NamedTuple):
    """What one span says of itself and of what happens below it.

    `is_nested` marks what gives way to an ancestor: a request that the application makes to itself is part of the
    page that caused it.
    """

    session: str | None = None
    user: str | None = None
    metadata: Mapping[str, Any] = MappingProxyType({})
    is_nested: bool = False
    is_minted: bool = False
    is_sampled: bool | None = None

    @property
    def inherited(self) -> Claims:
        """What is remembered of them for those below."""
        if len("".join(map(str, self.metadata.values()))) <= MAX_INHERITED_CHARS:
            return self
        return self._replace(metadata={key: self.metadata[key] for key in _PLACE if key in self.metadata})

    def over(self, other: Claims) -> Claims:
        """Return these claims, completed by an ancestor's; what it says of another session is not for this one."""
        if self is _NOTHING:
            return other
        if other is _NOTHING and not self.is_nested:
            return self
        first, last = (self, other) if self.is_nested else (other, self)
        # Shared where one adds nothing: there are many spans below a page.
        metadata = (
            {**first.metadata, **last.metadata}
            if first.metadata and last.metadata
            else (first.metadata or last.metadata)
        )
        if self.session is not None and self.session != other.session:
            return self._replace(metadata=metadata, is_nested=False)
        return Claims(
            session=other.session,
            user=self.user or other.user,
            metadata=metadata,
            is_minted=self.is_minted or other.is_minted,
            is_sampled=other.is_sampled if self.is_sampled is None else self.is_sampled,
        )


class Moment(NamedTuple):
    """One time on two clocks: since the epoch, for what people see, and monotonic, for waits."""

    epoch_ns: int
    monotonic_ns: int


_NOTHING = Claims()
_Settled = tuple[View, Identity]


class Identities:
    """Assign an identity to each span, remembering ancestors and the session of this process.

    Not thread-safe: its owner calls it under a lock.
    """

    def __init__(self, *, new_id: Callable[[], str], hash_key: bytes, has_enduser_id: bool = False) -> None:
        self._new_id = new_id
        self._user_attributes = (*USER_ATTRIBUTES, ENDUSER_ID) if has_enduser_id else USER_ATTRIBUTES
        self._telling = frozenset((*SESSION_ATTRIBUTES, *self._user_attributes, SESSION_SAMPLED))
        self._uuid = lru_cache(maxsize=MAX_REMEMBERED)(lambda kind, value: to_uuid(value, kind=kind, key=hash_key))
        self._ended: OrderedDict[SpanKey, Claims] = OrderedDict()
        self._traces: OrderedDict[str, Claims] = OrderedDict()
        self._waiting: Waiting[tuple[View, Claims]] = Waiting()
        self._resources: dict[int, tuple[Resource, str | None, str | None]] = {}
        self._has_many_users = False
        self._has_one_user = False
        self._is_closed = False
        self._process_session_id = ""
        self._process_session_used_ns = 0
        self._pages: OrderedDict[str, Mapping[str, Any]] = OrderedDict()

    def assign(self, said: Sequence[tuple[View, Mapping[str, Any]]], now: Moment) -> list[_Settled]:
        """Return the spans whose identity is settled, in the order in which they ended.

        Each span comes with what it says of the page and browser of everything below it. Among those returned are
        spans that waited; left out are those that wait from now on.
        """
        settled: list[_Settled] = []
        arrived = {view.key for view, _ in said}
        for view, metadata in said:
            claims = self._claims(view, metadata)
            has_own_session = claims.session is not None and not claims.is_minted
            self._has_many_users |= has_own_session or view.kind is SpanKind.SERVER
            parent = view.parent_key
            is_awaited = parent in arrived or not view.is_parent_remote
            if parent is None or parent in self._ended or not is_awaited:
                self._settle(view, claims, now, settled)
            else:
                self._waiting.add(parent, (view, claims), view.size_bytes, now.monotonic_ns)
        return self._released(now, settled)

    def release(self, now: Moment) -> list[_Settled]:
        """Return the spans that have waited for their parents long enough."""
        return self._released(now, [])

    def close(self, now: Moment) -> list[_Settled]:
        """Return all spans that wait; from now on none does."""
        self._is_closed = True
        return self._released(now, [])

    def foresee(self, view: View, metadata: Mapping[str, Any], now: Moment) -> Identity:
        """Return the identity that a span which waits would have if its parent never came."""
        claims = self._claims(view, metadata)
        return self._identity(view, claims.over(self._ancestor(view, claims)), now.epoch_ns)

    def uuid_of_session(self, session: str) -> str:
        """Return the id that RUM knows a session by."""
        return self._uuid("session", session)

    @property
    def waiting(self) -> int:
        """How many spans wait for their parents."""
        return self._waiting.count

    def next_release_seconds(self, now: Moment) -> float | None:
        """Return the time until the longest-waiting span will have waited long enough; None when none waits."""
        return self._waiting.next_overdue_seconds(now.monotonic_ns)

    def _released(self, now: Moment, settled: list[_Settled]) -> list[_Settled]:
        while (parent := self._overdue(now)) is not None:
            for view, claims in self._waiting.release(parent):
                self._settle(view, claims, now, settled)
        while len(self._ended) > MAX_REMEMBERED:
            self._ended.popitem(last=False)
        while len(self._traces) > MAX_TRACES:
            self._traces.popitem(last=False)
        while len(self._pages) > MAX_REMEMBERED:
            self._pages.popitem(last=False)
        settled.sort(key=_end_ns)
        return settled

    def _overdue(self, now: Moment) -> SpanKey | None:
        """Return a parent that nobody is to wait for any longer; in a program of one user it has nothing to tell."""
        if self._is_closed or (self._has_one_user and not self._has_many_users):
            return self._waiting.longest_awaited
        return self._waiting.overdue(now.monotonic_ns)

    def _settle(self, view: View, claims: Claims, now: Moment, settled: list[_Settled]) -> None:
        """Settle a span, and with it all that waited for it."""
        pending = [(view, claims)]
        while pending:
            view, claims = pending.pop()
            shows_page = PAGE_ID in claims.metadata and view.kind is not SpanKind.SERVER
            ancestor = self._ancestor(view, claims)
            if ancestor is not _NOTHING or claims.is_nested:
                claims = claims.over(ancestor)
            self._has_one_user |= claims.session is None or claims.is_minted
            identity = self._identity(view, claims, now.epoch_ns)
            settled.append((view, identity))
            if claims.metadata is not ancestor.metadata:
                claims = claims.inherited
            if shows_page:
                self._pages[identity.session_id] = claims.metadata
                self._pages.move_to_end(identity.session_id)
            if view.key is not None:
                self._ended[view.key] = claims
                if self._waiting.count:
                    pending.extend(self._waiting.release(view.key))
            if claims is not _NOTHING and view.trace_id:
                self._traces.setdefault(view.trace_id, claims)

    def _claims(self, view: View, metadata: Mapping[str, Any]) -> Claims:
        is_nested = view.kind is SpanKind.SERVER
        if not (metadata or is_nested or view.shape.has(self._telling)):
            return _NOTHING
        session = self._known("session", view.text(*SESSION_ATTRIBUTES))
        user = self._known("user", view.text(*self._user_attributes))
        if not view.shape.has(_STAMPS):
            return Claims(session, user, metadata, is_nested)
        sampled = view.attributes.get(SESSION_SAMPLED)
        is_minted = session is not None and view.attributes.get(SESSION_MINTED) is True
        return Claims(session, user, metadata, is_nested, is_minted, sampled if isinstance(sampled, bool) else None)

    def _known(self, kind: str, told: str | None) -> str | None:
        """Return an id as it is remembered; there is no session whose id is nil."""
        if told is None or (kind == "session" and told == NIL_UUID):
            return None
        return told if len(told) <= MAX_ID_CHARS else self._uuid.__wrapped__(kind, told)

    def _ancestor(self, view: View, claims: Claims) -> Claims:
        """Return what the parent claims, or else what the trace tells.

        A span that has a page is not on the trace's; one trace may carry the messages of many users.
        """
        parent = self._ended.get(view.parent_key) if view.parent_key else None
        if parent is not None:
            return parent
        if view.kind is SpanKind.CONSUMER and view.is_parent_remote:
            return _NOTHING
        trace = self._traces.get(view.trace_id, _NOTHING)
        return trace._replace(metadata={}) if claims.metadata else trace

    def _identity(self, view: View, claims: Claims, now_ns: int) -> Identity:
        session, user = claims.session, claims.user
        if not (session and user):
            told = self._told_by(view.resource)
            session, user = session or told[1], user or told[2]
        session_id = self._uuid("session", session) if session else self._process_session(now_ns)
        return Identity(
            session_id,
            self._uuid("user", user) if user else NIL_UUID,
            self._on_a_page(claims.metadata, session_id) if self._pages else claims.metadata,
            not session or claims.is_minted,
            claims.is_sampled,
        )

    def _told_by(self, resource: Resource) -> tuple[Resource, str | None, str | None]:
        """Return a resource with the session and user that it tells; reading it is slow, and most tell none."""
        told = self._resources.get(id(resource))
        if told is None or told[0] is not resource:
            if len(self._resources) >= MAX_RESOURCES:
                self._resources.clear()
            session = self._known("session", text(resource.attributes, *SESSION_ATTRIBUTES))
            user = self._known("user", text(resource.attributes, *self._user_attributes))
            told = (resource, session, user)
            self._resources[id(resource)] = told
        return told

    def _process_session(self, now_ns: int) -> str:
        if not self._process_session_id or now_ns - self._process_session_used_ns > SESSION_SILENCE_NS:
            self._process_session_id = self._new_id()
        self._process_session_used_ns = now_ns
        return self._process_session_id

    def _on_a_page(self, metadata: Mapping[str, Any], session_id: str) -> Mapping[str, Any]:
        """Return metadata with a page: where it tells none, its user is on the one that was shown last."""
        if PAGE_ID in metadata:
            return metadata
        page = self._pages.get(session_id)
        return {**page, **metadata} if page and metadata else page or metadata


def _end_ns(settled: _Settled) -> int:
    return settled[0].end_ns
