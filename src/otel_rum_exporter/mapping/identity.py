"""The session, user and page of each span and log record.

They come from its own attributes, else its ancestors', else its trace's, else its resource's, else the process session
(`identity_attributes.FIELDS`). Children end before their parents, so a span whose parent is still running is pending.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, NamedTuple

from .._served import is_instrumentation
from ..rum.ids import NIL_UUID
from .caches import BoundedDict, Caches
from .identity_attributes import NOTHING, PAGE_ID, UNFINISHED, IdentityAttributes, IdentityReader, Page
from .pending import PendingSpans
from .process_session import ProcessSession
from .record_view import CONSUMER, INTERNAL, SERVER, SpanKey, View

MAX_ENDED = 10_000
"""Ended spans kept for children that arrive later."""

MAX_TRACES = 20_000
"""Traces kept for spans whose ancestors are unknown."""

MAX_PAGES = 10_000
"""Sessions whose last page is kept."""

MAX_IDENTITIES = 10_000
"""Identities kept for later spans of the same session."""


@dataclass(slots=True)
class Identity:
    """Session, user and page of an event. Events of one session and page have the same object, which never changes.

    A frozen dataclass takes four times as long to make.

    `metadata` is what page and browser add to the event's RUM metadata. `is_minted` is true if this process created the
    session's id, `is_joined` if something else starts the session. `is_sampled` is the decision whether to record the
    session; None if it was not made elsewhere.
    """

    session_id: str
    user_id: str
    metadata: Mapping[str, Any]
    is_minted: bool
    is_sampled: bool | None = None
    is_joined: bool = False


class Moment(NamedTuple):
    """One time on two clocks: since the epoch, for events, and monotonic, for waits."""

    epoch_ns: int
    monotonic_ns: int


Resolved = tuple[int, View, Identity]
"""The end of a record in ns, for sorting; the record; its identity."""


class Identities:
    """Assign an identity to each span and log record of one application. Not thread-safe: its owner holds a lock.

    `new_id` returns a new session id.
    """

    def __init__(self, reader: IdentityReader, caches: Caches, *, new_id: Callable[[], str]) -> None:
        self._reader = reader
        self._process_session = ProcessSession(new_id)
        self._pending: PendingSpans[tuple[View, IdentityAttributes]] = caches.add("pending", PendingSpans)
        # The spans of this call that wait for a parent: most parents come later in the same call.
        self._below: dict[SpanKey, list[tuple[View, IdentityAttributes]]] = {}
        self._ended: BoundedDict[SpanKey | None, IdentityAttributes] = caches.bounded("ended", MAX_ENDED)
        self._traces: BoundedDict[int | None, IdentityAttributes] = caches.bounded("traces", MAX_TRACES)
        self._pages: BoundedDict[str, Mapping[str, Any]] = caches.bounded("pages", MAX_PAGES)
        self._identities: BoundedDict[tuple[object, ...], Identity] = caches.bounded("identities", MAX_IDENTITIES)
        self._has_many_users = False
        self._has_one_user = False
        self._is_closed = False

    def assign(self, read: Sequence[tuple[View, Mapping[str, Any]]], now: Moment) -> list[Resolved]:
        """Return the records whose identity is final, in the order of their ends.

        Each view comes with its page and browser metadata. The result contains pending spans that are resolved now, and
        lacks those that are pending from now on.
        """
        resolved: list[Resolved] = []
        self._below.clear()
        ended, traces, pages, below = self._ended, self._traces, self._pages, self._below
        awaiting: list[tuple[SpanKey, View, IdentityAttributes]] = []
        arrived: Collection[SpanKey | None] = ()
        for (view, _), attributes in zip(read, self._reader.of_views(read), strict=True):
            if not self._has_many_users:
                has_own_session = attributes.session is not None and not attributes.is_minted
                self._has_many_users = has_own_session or view.kind is SERVER
            parent, key, identity = view.parent_key, view.key, attributes.identity
            if parent is not None:
                arrived = arrived or (() if parent in ended else {one.key for one, _ in read})
                if parent not in ended and self._is_awaited(view, parent, arrived):
                    awaiting.append((parent, view, attributes))
                    below.setdefault(parent, []).append((view, attributes))
                    continue
            elif identity is not None and key is not None and view.trace not in traces:
                # A root span with attributes that were seen before. Only shared attributes have an identity, so that
                # their page is a `Page`, and a request served has none: `_resolve` would do the same.
                metadata = attributes.metadata
                if metadata:
                    pages.pop(identity.session_id, None)
                    pages[identity.session_id] = metadata
                if metadata or identity.metadata is pages.get(identity.session_id, metadata):
                    ended[key] = traces[view.trace] = attributes
                    resolved.append((view.end_ns, view, identity))
                    if below or self._pending.count:
                        self._resolve(self._children(key), now, resolved)
                    continue
            self._resolve([(view, attributes)], now, resolved)
        self._await(awaiting, now)
        return self._with_expired(now, resolved)

    def _await(self, awaiting: list[tuple[SpanKey, View, IdentityAttributes]], now: Moment) -> None:
        """Add the spans to the pending ones whose parents did not come in the same call."""
        for parent, view, attributes in awaiting:
            if parent in self._below:
                size_bytes, is_request = view.size_bytes, _is_request_below(view)
                child = (view, attributes)
                self._pending.add(parent, child, size_bytes, now.monotonic_ns, key=view.key, is_request=is_request)
        self._below.clear()

    def _is_awaited(self, view: View, parent: SpanKey, arrived: Collection[SpanKey | None]) -> bool:
        """Return whether a parent that has not ended yet will end soon."""
        return parent in arrived or not (view.is_parent_remote or self._pending.has_expired(parent))

    def expire(self, now: Moment) -> list[Resolved]:
        """Return the spans that have been pending for too long."""
        return self._with_expired(now, [])

    def close(self, now: Moment) -> list[Resolved]:
        """Return all pending spans; from now on none stays pending."""
        self._is_closed = True
        return self._with_expired(now, [])

    def provisional(self, view: View, metadata: Mapping[str, Any], now: Moment) -> Identity:
        """Return the identity of a pending span if its parent never arrived."""
        attributes = self._reader.of_view(view, metadata)
        ancestor = self._ended.get(view.parent_key) or self._ancestor(view, attributes)
        return self._identity(view, attributes.completed_by(ancestor), now.epoch_ns)

    @property
    def pending(self) -> int:
        """The number of pending spans."""
        return self._pending.count

    def next_expiry_seconds(self, now: Moment) -> float | None:
        """Return the time until the oldest pending span expires; None if none is pending."""
        return self._pending.next_expiry_seconds(now.monotonic_ns)

    def _with_expired(self, now: Moment, resolved: list[Resolved]) -> list[Resolved]:
        while (parent := self._next_expired(now)) is not None:
            for child in self._pending.resolve(parent):
                self._resolve([child], now, resolved)
        self._ended.trim()
        self._traces.trim()
        self._pages.trim()
        self._identities.trim()
        resolved.sort(key=_END_NS)
        return resolved

    def _next_expired(self, now: Moment) -> SpanKey | None:
        """Return a parent that is awaited no longer; in an application with one user parents add no identity."""
        if self._is_closed or (self._has_one_user and not self._has_many_users):
            return self._pending.oldest
        return self._pending.expired(now.monotonic_ns)

    def _resolve(self, waiting: list[tuple[View, IdentityAttributes]], now: Moment, resolved: list[Resolved]) -> None:
        """Resolve spans, the last first, and the pending spans below them."""
        ended = self._ended
        while waiting:
            view, attributes = waiting.pop()
            key, parent, is_server = view.key, view.parent_key, view.kind is SERVER
            shows_page = PAGE_ID in attributes.metadata and not is_server
            ancestor = ended.get(parent) or self._ancestor(view, attributes)
            if is_server:
                attributes = _of_request(view, attributes, ancestor)
            elif attributes is NOTHING:
                attributes = ancestor
            elif ancestor is not NOTHING:
                attributes = attributes.completed_by(ancestor)
            view.request = attributes.request
            # A log line says nothing: servers log before their first request, too.
            self._has_one_user |= key is not None and (attributes.session is None or attributes.is_minted)
            identity = self._identity(view, attributes, now.epoch_ns)
            resolved.append((view.end_ns, view, identity))
            if attributes.metadata and attributes.metadata is not ancestor.metadata:
                attributes = attributes.inheritable
            if shows_page:
                self._pages.pop(identity.session_id, None)
                self._pages[identity.session_id] = attributes.metadata
            # For spans whose ancestors are unknown, those of the trace's root.
            if (parent is None or view.is_parent_remote) and attributes is not NOTHING and view.trace is not None:
                self._traces.setdefault(view.trace, attributes)
            if key is not None:
                ended[key] = attributes
                if self._below or self._pending.count:
                    waiting.extend(self._children(key))

    def _children(self, parent: SpanKey) -> list[tuple[View, IdentityAttributes]]:
        """Remove and return the spans that wait for a parent: the pending ones, and those that came with it."""
        return self._pending.resolve(parent) + self._below.pop(parent, [])

    def _ancestor(self, view: View, attributes: IdentityAttributes) -> IdentityAttributes:
        """Return the attributes of the trace's root; the span has no parent, or its parent has not ended.

        A span with a page of its own is not on the trace's page. A trace with messages may belong to many users, and so
        may one of a span that encloses the process, and all requests.
        """
        has_parent = view.parent_key is not None
        if has_parent and (_is_request_below(view) or (view.kind is CONSUMER and view.is_parent_remote)):
            return NOTHING
        trace = self._traces.get(view.trace)
        if trace is None:
            is_below = has_parent and not view.is_parent_remote and view.kind is not SERVER
            return UNFINISHED if is_below and self._has_many_users else NOTHING
        return trace.on_page({}) if attributes.metadata else trace

    def _identity(self, view: View, attributes: IdentityAttributes, now_ns: int) -> Identity:
        metadata, known = attributes.metadata, attributes.identity
        if known is not None:
            page = None if PAGE_ID in metadata else self._pages.get(known.session_id)
            if known.metadata is (metadata if page is None else page):
                return known
        session, user = attributes.session, attributes.user
        is_stated = session and user and not attributes.is_minted
        if not (session and user):
            of_resource = self._reader.of_resource(view.resource)
            session, user = session or of_resource[0], user or of_resource[1]
        is_minted = not session or attributes.is_minted
        is_joined = attributes.is_joined or (not session and attributes.is_unfinished)
        session = session or self._process_session.id_at(now_ns)
        session_id = self._reader.session_uuid(session)
        if self._pages and PAGE_ID not in metadata and (page := self._pages.get(session_id)):
            metadata = {**page, **metadata} if metadata else page  # else the last page of the session
        page_id = id(metadata) if type(metadata) is Page else None
        key = (session, user, is_minted, attributes.is_sampled, is_joined, page_id)
        known = self._identities.get(key)
        if known is None or known.metadata is not metadata:
            user_id = self._reader.user_uuid(user) if user else NIL_UUID
            known = Identity(session_id, user_id, metadata, is_minted, attributes.is_sampled, is_joined)
            self._identities[key] = known
        if is_stated:
            attributes.identity = known
        return known


def _of_request(view: View, attributes: IdentityAttributes, ancestor: IdentityAttributes) -> IdentityAttributes:
    """Return the attributes of a request served, completed by its ancestor's; an inner one becomes a plain span."""
    if view.may_be_inner and ancestor.is_in_request:
        view.kind = INTERNAL
    elif _is_request_below(view):
        attributes = replace(attributes, request=view.key)
    return attributes.completed_by(ancestor)


def _is_request_below(view: View) -> bool:
    """Return whether a span is a request served below another span of its process.

    OTLP of other languages may lack the flag that distinguishes a parent of the process from a remote one.
    """
    return view.kind is SERVER and not view.is_local_root and is_instrumentation(view.scope_name)


_END_NS = itemgetter(0)
