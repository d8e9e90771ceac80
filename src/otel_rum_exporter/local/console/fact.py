"""The values of one event that views read, computed once when it arrives."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from ..record import Event

if TYPE_CHECKING:
    from .indexed_session import IndexedSession

START = attrgetter("start")


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """The values of all dimensions, shared by the events that have the same. Compared by identity."""

    by_name: dict[str, str]


@dataclass(slots=True, eq=False)
class Shared:
    """The values that events of a session have in common. Compared by identity.

    A search reads `words`, the metadata, which few events have alone, and `ids`, those of session and user.
    """

    session: IndexedSession
    user: str | None
    values: Values
    words: str
    ids: str
    page: str
    events: int = 0


@dataclass(slots=True, eq=False)
class Group:
    """What views group events by, shared by the events that have the same. Compared by identity.

    Similar URLs and similar errors have the same `pattern`. `label` is the method of a request or the file type of a
    resource. `outcome` and `status` are of HTTP requests.
    """

    pattern: str
    label: str
    outcome: str
    status: int
    events: int = 0

    @property
    def key(self) -> GroupKey:
        """All that the events have in common."""
        return self.pattern, self.label, self.outcome, self.status


GroupKey = tuple[str, str, str, int]


@dataclass(slots=True, eq=False)
class Fact:
    """The values of one event that views read. `millis` is the duration, of a web vital its value; `url` has no query.

    `start` is the timestamp `at` without the duration, because RUM's timestamps are end times. `call` is the span or
    URL that the two events of a call have; `other` is the other one. `is_served` is of requests that the application
    served. `trace` is a trace id of 32 hexadecimal digits; `span` and `trace_end` are of events that have them in their
    id only.
    """

    event: Event
    at: float
    start: float
    type: str
    kind: str
    values: Values
    session: IndexedSession
    shared: Shared
    group: Group
    is_problem: bool
    millis: float | None
    url: str
    trace: str
    span: str
    trace_end: str
    call: str
    is_served: bool
    other: Fact | None = None

    @property
    def page(self) -> str:
        """The page; the empty string when the event has none."""
        return self.shared.page
