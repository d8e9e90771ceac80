"""Session, user, page and sampling as spans, log records and resources state them, and how descendants inherit them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from .._attributes import (
    ENDUSER_ID,
    SESSION_ATTRIBUTES,
    SESSION_JOINED,
    SESSION_MINTED,
    SESSION_SAMPLED,
    USER_ATTRIBUTES,
)
from ..rum.ids import NIL_UUID, to_uuid
from .caches import ObjectCache
from .record_view import SERVER, Resource, SpanKey, View, identifier

MAX_UUIDS = 10_000
MAX_KNOWN = 10_000
MAX_RESOURCES = 1000

MAX_INHERITED_CHARS = 1024
"""Longer page metadata is inherited as the page alone: it is kept for descendants, and clients choose its size."""

MAX_ID_CHARS = 256
"""Longer session and user ids are kept as their UUIDs."""

ValuesOf = Callable[[Mapping[str, Any]], tuple[Any, ...]]

PAGE_ID = "pageId"
"""RUM's metadata key for the page on which an event happened."""

_PAGE_KEYS = (PAGE_ID, "title", "domain")
_PRIVATE = frozenset((SESSION_MINTED, SESSION_SAMPLED, SESSION_JOINED))
_STATING = _PRIVATE | {*SESSION_ATTRIBUTES, *USER_ATTRIBUTES, ENDUSER_ID}


class Source(Enum):
    """The origins of an identity's fields."""

    OWN = "the span or log record"
    ANCESTOR = "its ancestors"
    TRACE = "its trace"
    RESOURCE = "its resource"
    PROCESS = "the process session"


class IdentityField(NamedTuple):
    """A field of an identity: its attributes, the first present wins, and its sources in order of precedence."""

    name: str
    attributes: tuple[str, ...]
    sources: tuple[Source, ...]


FIELDS = (
    IdentityField("session", SESSION_ATTRIBUTES, tuple(Source)),
    IdentityField("user", USER_ATTRIBUTES, (Source.OWN, Source.ANCESTOR, Source.TRACE, Source.RESOURCE)),
    IdentityField("sampling", (SESSION_SAMPLED,), (Source.OWN, Source.ANCESTOR, Source.TRACE)),
)
"""The fields that attributes set. Page metadata is read by `metadata.of_trace`, and inherited in the same order."""


@dataclass(slots=True)
class IdentityAttributes:
    """The statements of a span or log record about itself and its descendants; None where there is none.

    Records share these objects, which never change. A frozen dataclass takes four times as long to make.

    `metadata` is page and browser metadata. With `is_nested` an ancestor takes precedence: a request that an
    application makes to itself belongs to the page that caused it. `is_minted` is true if this process created the
    session's id, `is_joined` if another program started the session. `is_in_request` is true for a request served and
    everything below it. `request` is that request, if another span of its process encloses it. `is_unfinished` is true
    below a span that has not ended, such as a long request: that span may name a session, and starts it.
    """

    session: str | None = None
    user: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    is_nested: bool = False
    is_minted: bool = False
    is_sampled: bool | None = None
    is_joined: bool = False
    is_in_request: bool = False
    request: SpanKey | None = None
    is_unfinished: bool = False

    @property
    def inheritable(self) -> IdentityAttributes:
        """The same with bounded metadata, to be kept for descendants."""
        if len("".join(map(str, self.metadata.values()))) <= MAX_INHERITED_CHARS:
            return self
        return replace(self, metadata={key: self.metadata[key] for key in _PAGE_KEYS if key in self.metadata})

    def completed_by(self, ancestor: IdentityAttributes) -> IdentityAttributes:
        """Return these attributes, completed by an ancestor's; user and sampling only if the session is the same."""
        if self is NOTHING:
            return ancestor
        if (ancestor is NOTHING or ancestor is self) and not self.is_nested:
            return self
        first, last = (self, ancestor) if self.is_nested else (ancestor, self)
        # Shared where one adds nothing: many spans are descendants of one page.
        metadata = (
            {**first.metadata, **last.metadata}
            if first.metadata and last.metadata
            else (first.metadata or last.metadata)
        )
        is_in_request, request = self.is_in_request or ancestor.is_in_request, ancestor.request or self.request
        if self.session is not None and self.session != ancestor.session:
            return replace(self, metadata=metadata, is_nested=False, is_in_request=is_in_request, request=request)
        return IdentityAttributes(
            session=ancestor.session,
            user=self.user or ancestor.user,
            metadata=metadata,
            is_minted=self.is_minted or ancestor.is_minted,
            is_sampled=ancestor.is_sampled if self.is_sampled is None else self.is_sampled,
            is_joined=self.is_joined or ancestor.is_joined,
            is_in_request=is_in_request,
            request=request,
            is_unfinished=ancestor.is_unfinished,
        )


NOTHING = IdentityAttributes()
UNFINISHED = IdentityAttributes(is_unfinished=True)


class IdentityReader:
    """Read identity attributes, and convert ids to UUIDs. Not thread-safe.

    `hash_key` keys the hash of ids that are no UUIDs. `has_enduser_id` also accepts `enduser.id` as a user, last.
    `of_resource` returns session and user of a resource. `session_uuid` and `user_uuid` return an id's UUID in RUM.
    """

    def __init__(self, *, hash_key: bytes, has_enduser_id: bool) -> None:
        session, user, _ = FIELDS
        self._session_attributes = session.attributes
        self._user_attributes = (*user.attributes, ENDUSER_ID) if has_enduser_id else user.attributes
        self._relevant = frozenset((*self._session_attributes, *self._user_attributes, SESSION_SAMPLED))
        self._hash_key = hash_key
        self._known: dict[tuple[object, ...], IdentityAttributes] = {}
        self.session_uuid = lru_cache(maxsize=MAX_UUIDS)(partial(self.uuid, "session"))
        self.user_uuid = lru_cache(maxsize=MAX_UUIDS)(partial(self.uuid, "user"))
        self.of_resource = ObjectCache(self._read_resource, MAX_RESOURCES).of

    def of_view(self, view: View, metadata: Mapping[str, Any]) -> IdentityAttributes:
        """Return what a span or log record states; `metadata` is its page and browser metadata."""
        keys, is_nested = view.keys, view.kind is SERVER
        values_of = keys.cached(_values_of) if keys.is_kept else None
        if values_of is None:
            own = self._read(view, is_nested=is_nested)
        else:
            # The same object for all spans with the same ids.
            values = values_of(view.attributes)
            try:
                own = self._known.get((is_nested, values_of, values)) or self._new(view, values_of, values)
            except TypeError:  # a value is a list or a map
                own = self._read(view, is_nested=is_nested)
        if not metadata:
            return own
        flags = own.is_nested, own.is_minted, own.is_sampled, own.is_joined, own.is_in_request
        return IdentityAttributes(own.session, own.user, metadata, *flags)

    def _new(self, view: View, values_of: ValuesOf, values: tuple[Any, ...]) -> IdentityAttributes:
        """Read what the attributes state, and keep it for other spans."""
        is_nested = view.kind is SERVER
        own = self._read(view, is_nested=is_nested)
        if all(map(_is_short_text, values)):
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[is_nested, values_of, values] = own
        return own

    def _read(self, view: View, *, is_nested: bool) -> IdentityAttributes:
        if not (is_nested or view.keys.has(self._relevant)):
            return NOTHING
        session = self._bounded("session", identifier(view.attributes, *self._session_attributes))
        user = self._bounded("user", identifier(view.attributes, *self._user_attributes))
        if not view.keys.has(_PRIVATE):
            return IdentityAttributes(session, user, NOTHING.metadata, is_nested, is_in_request=is_nested)
        sampled = view.attributes.get(SESSION_SAMPLED)
        is_sampled = sampled if isinstance(sampled, bool) else None
        is_minted = session is not None and view.attributes.get(SESSION_MINTED) is True
        is_joined = session is not None and SESSION_JOINED in view.attributes
        return IdentityAttributes(
            session, user, NOTHING.metadata, is_nested, is_minted, is_sampled, is_joined, is_nested
        )

    def _read_resource(self, resource: Resource) -> tuple[str | None, str | None]:
        session = self._bounded("session", identifier(resource.attributes, *self._session_attributes))
        return session, self._bounded("user", identifier(resource.attributes, *self._user_attributes))

    def _bounded(self, kind: Literal["session", "user"], value: str | None) -> str | None:
        """Return an id as it is kept; the nil UUID is no session."""
        if value is None or (value == NIL_UUID and kind == "session"):
            return None
        return value if len(value) <= MAX_ID_CHARS else self.uuid(kind, value)

    def uuid(self, kind: Literal["session", "user"], value: str) -> str:
        """Return the UUID of an id in RUM, uncached."""
        return to_uuid(value, kind=kind, key=self._hash_key)


def _values_of(names: tuple[str, ...]) -> ValuesOf | None:
    """Return what reads the attributes that state something about an identity; None if there are none."""
    found = [name for name in names if name in _STATING]
    return itemgetter(*found, found[0]) if found else None  # with two names it returns a tuple


def _is_short_text(value: object) -> bool:
    """Return whether a value is kept for other spans: clients choose its size, and 1 would equal a kept True."""
    return type(value) is str and len(value) <= MAX_ID_CHARS
