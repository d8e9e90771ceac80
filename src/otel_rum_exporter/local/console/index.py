"""An index of the stored events: what views read, computed once when an event arrives.

A view of 200,000 events must not read their JSON again. The store calls the index under its lock.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from operator import attrgetter

from ..record import Event
from .event_fields import (
    DIMENSIONS,
    Json,
    duration_millis,
    error_key,
    is_problem,
    kind,
    number,
    outcome,
    page,
    searched,
    text,
)
from .session_summary import SessionSummary, decrease
from .url_pattern import pattern_of, without_query

_MAX_CHOICES = 100

# The events of one call have the same end, as far as clients round it.
_SAME_CALL_SECONDS = 1.0
_MAX_ALONE = 100
NO_URL = "(no URL)"

START = attrgetter("start")

Key = tuple[str, "str | None"]


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """The values of all dimensions, shared by the events that have the same. Compared by identity."""

    by_name: dict[str, str]


class IndexedSession:
    """The stored events of one session in order of arrival. Compared by identity."""

    __slots__ = ("_alone", "_in_order", "facts", "forgotten", "key", "summary")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.facts: deque[Fact] = deque()
        self.summary = SessionSummary()
        self.forgotten = 0
        self._in_order: list[Fact] | None = None
        self._alone: dict[tuple[str, bool], list[Fact]] = {}

    def pair(self, fact: Fact) -> None:
        """Connect the two events of one call: the request and its measured duration, which end at the same time."""
        others = self._alone.get((fact.url, not fact.outcome), [])
        while others and abs(others[0].at - fact.at) > _SAME_CALL_SECONDS:
            others.pop(0)
        if others:
            fact.other = others.pop(0)
            fact.other.other = fact
            fact.is_second = True
        else:
            self._alone.setdefault((fact.url, bool(fact.outcome)), []).append(fact)
            if len(self._alone) > _MAX_ALONE:
                self._alone.pop(next(iter(self._alone)))

    def add(self, fact: Fact) -> None:
        """Add the latest event."""
        self.facts.append(fact)
        self.summary.add(fact)
        if self._in_order is not None:
            insort(self._in_order, fact, key=START)

    def forget(self) -> None:
        """Remove the oldest event."""
        fact = self.facts.popleft()
        self.forgotten += 1
        if fact.other:
            fact.other.is_second = False
            fact.other.other = None
        alone = self._alone.get((fact.url, bool(fact.outcome)))
        if alone and alone[0] is fact:
            alone.pop(0)
        self.summary.remove(fact)
        if self._in_order is not None:
            del self._in_order[self._in_order.index(fact, bisect_left(self._in_order, fact.start, key=START))]

    def in_order(self) -> list[Fact]:
        """Return the events in order of their starts. Do not change the list."""
        if self._in_order is None:
            self._in_order = sorted(self.facts, key=START)
        return self._in_order


@dataclass(slots=True, eq=False)
class Fact:
    """What views read of one event. `millis` is the duration, of a web vital its value; `url` has no query.

    `start` is the timestamp `at` without the duration, because RUM's timestamps are end times. `outcome` and `status`
    are of HTTP requests; `label` is the method or the file type; similar URLs and similar errors have the same
    `pattern`; `words` is the text that a search reads, in lower case. `other` is the other event of the same call, and
    `is_second` counts a call once.
    """

    event: Event
    at: float
    start: float
    type: str
    kind: str
    page: str
    values: Values
    session: IndexedSession
    is_problem: bool
    millis: float | None
    outcome: str
    status: int
    label: str
    url: str
    pattern: str
    words: str
    other: Fact | None = None
    is_second: bool = False


class Index:
    """The indexed events of a store, oldest first."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.clear()
        self.add(events)

    def clear(self) -> None:
        """Remove all events."""
        self.facts: deque[Fact] = deque()
        self.forgotten = 0
        self.sessions: dict[Key, IndexedSession] = {}
        self.users: Counter[str | None] = Counter()
        self.page_sessions: defaultdict[str, Counter[IndexedSession]] = defaultdict(Counter)
        self._by_type: defaultdict[str, deque[Fact]] = defaultdict(deque)
        self._values: dict[tuple[str, ...], Values] = {}
        self._patterns: dict[str, str] = {}
        self._ordered: dict[str, tuple[int, list[float]]] = {}
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in DIMENSIONS}

    def add(self, events: Iterable[Event]) -> None:
        """Add the latest events."""
        for event in events:
            fact = self._fact(event)
            self.facts.append(fact)
            self._by_type[event.type].append(fact)
            fact.session.add(fact)
            if fact.url:
                fact.session.pair(fact)
            self.users[event.user_id] += 1
            self.page_sessions[fact.page][fact.session] += 1
            for name, value in fact.values.by_name.items():
                self._counts[name][value] += 1

    def forget(self, count: int) -> None:
        """Remove the oldest events."""
        for _ in range(min(count, len(self.facts))):
            fact = self.facts.popleft()
            self.forgotten += 1
            if fact.type in self._ordered and fact.millis is not None:
                ordered = self.ordered_millis(fact.type)
                del ordered[bisect_left(ordered, fact.millis)]
                self._ordered[fact.type] = (len(self._by_type[fact.type]) - 1, ordered)
            elif fact.type in self._ordered:
                known, ordered = self._ordered[fact.type]
                self._ordered[fact.type] = (max(known - 1, 0), ordered)
            same_type = self._by_type[fact.type]
            same_type.popleft()
            if not same_type:
                del self._by_type[fact.type]
            fact.session.forget()
            decrease(self.users, fact.event.user_id)
            decrease(self.page_sessions[fact.page], fact.session)
            if not self.page_sessions[fact.page]:
                del self.page_sessions[fact.page]
            if not fact.session.facts:
                del self.sessions[fact.session.key]
            for name, value in fact.values.by_name.items():
                decrease(self._counts[name], value)

    def of_type(self, name: str) -> Collection[Fact]:
        """Return the events of a type."""
        return self._by_type.get(name, ())

    def ordered_millis(self, name: str) -> list[float]:
        """Return the durations of the events of a type, of web vitals their values, in ascending order."""
        facts = self.of_type(name)
        known, ordered = self._ordered.get(name, (0, []))
        ordered += [fact.millis for fact in islice(facts, known, None) if fact.millis is not None]
        # Fast, because all but the end is in order.
        ordered.sort()
        self._ordered[name] = (len(facts), ordered)
        return ordered

    @property
    def values(self) -> Collection[Values]:
        """All combinations of values that the events have."""
        return self._values.values()

    def choices(self) -> Json:
        """Return the values of each dimension with the number of their events, the most frequent first."""
        return {
            name: [
                [value, count]
                for value, count in nsmallest(_MAX_CHOICES, counts.items(), key=lambda item: (-item[1], item[0]))
                if value
            ]
            for name, counts in self._counts.items()
        }

    def _fact(self, event: Event) -> Fact:
        key = (event.app_monitor_id, event.session_id)
        session = self.sessions.get(key)
        if session is None:
            session = self.sessions[key] = IndexedSession(key)
        its_kind = kind(event)
        sent = ""
        if its_kind in {"http", "resource"}:
            path = ("request", "url") if its_kind == "http" else ("targetUrl",)
            sent = without_query(text(event.details, *path)) or NO_URL
        millis = number(event.details, "value") if its_kind == "vital" else duration_millis(event)
        return Fact(
            event=event,
            at=event.timestamp,
            start=event.timestamp - (0 if millis is None or its_kind == "vital" else millis / 1000),
            type=event.type,
            kind=its_kind,
            page=page(event),
            values=self._values_of(event),
            session=session,
            is_problem=is_problem(event),
            millis=millis,
            outcome=outcome(event) if its_kind == "http" else "",
            status=int(number(event.details, "response", "status") or 0) if its_kind == "http" else 0,
            label=text(event.details, "request", "method") or text(event.details, "fileType") if sent else "",
            url=sent,
            pattern=error_key(event) if its_kind == "error" else self._pattern_of(sent) if sent else "",
            words=searched(event),
        )

    def _values_of(self, event: Event) -> Values:
        values = tuple(value_of(event) for value_of in DIMENSIONS.values())
        found = self._values.get(values)
        if found is None:
            # Values that no event has any more cost little, until there are many.
            if len(self._values) > len(self.facts) + 1000:
                self._values = {tuple(fact.values.by_name.values()): fact.values for fact in self.facts}
            found = self._values[values] = Values(dict(zip(DIMENSIONS, values, strict=True)))
        return found

    def _pattern_of(self, url: str) -> str:
        found = self._patterns.get(url)
        if found is None:
            if len(self._patterns) > len(self.facts) + 1000:
                self._patterns.clear()
            found = self._patterns[url] = pattern_of(url)
        return found
