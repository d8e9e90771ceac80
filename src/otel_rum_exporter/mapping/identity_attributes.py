"""Session, user, page and sampling as spans, log records and resources state them, and how descendants inherit them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

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

if TYPE_CHECKING:
    from .identity import Identity

MAX_UUIDS = 10_000
MAX_KNOWN = 10_000
MAX_RESOURCES = 1000
MAX_GETTERS = 128

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


class Page(dict[str, Any]):
    """Page metadata that many spans share as one object, so that what is made of it is kept for the next of them."""

    __slots__ = ()


@dataclass(slots=True)
class IdentityAttributes:
    """The statements of a span or log record about itself and its descendants; None where there is none.

    Records share these objects, which never change. A frozen dataclass takes four times as long to make.

    `metadata` is page and browser metadata. With `is_nested` an ancestor takes precedence: a request that an
    application makes to itself belongs to the page that caused it. `is_minted` is true if this process created the
    session's id, `is_joined` if another program started the session. `is_in_request` is true for a request served and
    everything below it. `request` is that request, if another span of its process encloses it. `is_unfinished` is true
    below a span that has not ended, such as a long request: that span may name a session, and starts it.

    `identity` is the last identity made of these attributes, remembered if they name session and user. Applications
    share it, so that its page is compared before it is used.
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
    identity: Identity | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def inheritable(self) -> IdentityAttributes:
        """The same with bounded metadata, to be kept for descendants."""
        if type(self.metadata) is Page or len("".join(map(str, self.metadata.values()))) <= MAX_INHERITED_CHARS:
            return self
        return self.on_page({key: self.metadata[key] for key in _PAGE_KEYS if key in self.metadata})

    def on_page(self, metadata: Mapping[str, Any]) -> IdentityAttributes:
        """Return the same with other page and browser metadata. `dataclasses.replace` takes longer."""
        flags = self.is_nested, self.is_minted, self.is_sampled, self.is_joined, self.is_in_request
        return IdentityAttributes(self.session, self.user, metadata, *flags, self.request, self.is_unfinished)

    def completed_by(self, ancestor: IdentityAttributes) -> IdentityAttributes:
        """Return these attributes, completed by an ancestor's; user and sampling only if the session is the same."""
        if self is NOTHING or (not self.is_nested and self._repeats(ancestor)):
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
            ancestor = NOTHING
        return IdentityAttributes(
            session=self.session or ancestor.session,
            user=self.user or ancestor.user,
            metadata=metadata,
            is_minted=self.is_minted or ancestor.is_minted,
            is_sampled=ancestor.is_sampled if self.is_sampled is None else self.is_sampled,
            is_joined=self.is_joined or ancestor.is_joined,
            is_in_request=is_in_request,
            request=request,
            is_unfinished=ancestor.is_unfinished,
        )

    def _repeats(self, ancestor: IdentityAttributes) -> bool:
        """Return whether an ancestor states all of it, as where every span states its session."""
        return (
            (self.session is None or self.session == ancestor.session)
            and (self.user is None or self.user == ancestor.user)
            and not (self.metadata or self.is_in_request or self.request or ancestor.is_nested)
            and (self.is_sampled is None or self.is_sampled == ancestor.is_sampled)
            and self.is_minted <= ancestor.is_minted
            and self.is_joined <= ancestor.is_joined
        )


NOTHING = IdentityAttributes()
REQUEST = IdentityAttributes(metadata=NOTHING.metadata, is_nested=True, is_in_request=True)
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
        self._on_pages: dict[tuple[int, int], tuple[IdentityAttributes, IdentityAttributes]] = {}
        self.session_uuid = lru_cache(maxsize=MAX_UUIDS)(partial(self.uuid, "session"))
        self.user_uuid = lru_cache(maxsize=MAX_UUIDS)(partial(self.uuid, "user"))
        self.of_resource = ObjectCache(self._read_resource, MAX_RESOURCES).of

    def of_view(self, view: View, metadata: Mapping[str, Any]) -> IdentityAttributes:
        """Return what a span or log record states; `metadata` is its page and browser metadata."""
        (found,) = self.of_views([(view, metadata)])
        return found

    def of_views(self, read: Iterable[tuple[View, Mapping[str, Any]]]) -> list[IdentityAttributes]:
        """Return what spans and log records state: the same object for all with the same ids, if they have no page.

        Each view comes with its page and browser metadata.
        """
        known = self._known
        found = []
        for view, metadata in read:
            keys, is_nested = view.keys, view.kind is SERVER
            values_of = keys.cached(_values_of)
            if not keys.is_kept:
                own = self._read(view, is_nested=is_nested)
            elif values_of is None:
                own = REQUEST if is_nested else NOTHING
            else:
                values = values_of(view.attributes)
                try:
                    own = known.get((is_nested, values_of, values)) or self._new(view, values_of, values)
                except TypeError:  # a value is a list or a map
                    own = self._read(view, is_nested=is_nested)
            found.append(self._on_page(own, metadata) if metadata else own)
        return found

    def _on_page(self, own: IdentityAttributes, metadata: Mapping[str, Any]) -> IdentityAttributes:
        """Return attributes with page and browser metadata: for a shared page, the same object."""
        ids = id(own), id(metadata)
        known = self._on_pages.get(ids)
        if known is not None:
            return known[1]
        found = own.on_page(metadata)
        if type(metadata) is Page:
            if len(self._on_pages) >= MAX_KNOWN:
                self._on_pages.clear()
            self._on_pages[ids] = own, found  # both are kept alive, so that their ids are not reused
        return found

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
    found = tuple(name for name in names if name in _STATING)
    return _getter(found) if found else None


@lru_cache(maxsize=MAX_GETTERS)
def _getter(names: tuple[str, ...]) -> ValuesOf:
    """Return the same object for all key sets with these names, so that their records share what the values state."""
    return itemgetter(*(names if len(names) > 1 else names * 2))  # with two or more names it returns a tuple


def _is_short_text(value: object) -> bool:
    """Return whether a value is kept for other spans: clients choose its size, and 1 would equal a kept True."""
    return type(value) is str and len(value) <= MAX_ID_CHARS
