"""An index of the stored events: what views read, computed once when an event arrives.

A view of 200,000 events must not read their JSON again. The store calls the index under its lock.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable
from heapq import nsmallest

from ..record import Event
from .columns import Columns
from .event_fields import (
    DIMENSIONS,
    Json,
    duration_millis,
    error_key,
    is_problem,
    kind,
    lines,
    number,
    outcome,
    own_fields,
    shared_words,
    span_of,
    status,
    text,
    trace_id,
)
from .fact import Fact, Group, GroupKey, Values
from .indexed_session import IndexedSession, Key
from .page_totals import PageTotals
from .session_summary import decrease
from .url_pattern import pattern_of, without_query

_MAX_CHOICES = 100
_MAX_NAMES = 10_000

NO_URL = "(no URL)"

# Kinds that belong to the waterfall of a trace and have its id only in that of the event.
_IN_TRACES = frozenset({"error", "load", "resource"})


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
        self.page_sessions: defaultdict[str, Counter[IndexedSession]] = defaultdict(Counter)
        self.pages: defaultdict[str, PageTotals] = defaultdict(PageTotals)
        self._traces: defaultdict[str, list[Fact]] = defaultdict(list)
        self._times: defaultdict[str, list[float]] = defaultdict(list)
        self.types: defaultdict[str, Columns] = defaultdict(Columns)
        self._values: dict[tuple[str, ...], Values] = {}
        self._patterns: dict[str, str] = {}
        self._groups: dict[GroupKey, Group] = {}
        self._own_names = {"type"}
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in DIMENSIONS}

    def add(self, events: Iterable[Event]) -> None:
        """Add the latest events."""
        for event in events:
            fields = own_fields(event)
            if len(self._own_names) < _MAX_NAMES:
                self._own_names.update([name for name, _ in fields])
            fact = self._fact(event)
            fact.shared.events += 1
            fact.group.events += 1
            self.facts.append(fact)
            self.types[event.type].add(fact, lines(fields))
            insort(self._times[_series(fact)], fact.at)
            fact.session.add(fact)
            self.pages[fact.page].add(fact)
            if fact.url:
                fact.session.pair(fact)
            if fact.trace_end:
                self._traces[fact.trace_end].append(fact)
            self.page_sessions[fact.page][fact.session] += 1
            for name, value in fact.values.by_name.items():
                self._counts[name][value] += 1

    def forget(self, count: int) -> None:
        """Remove the oldest events."""
        for _ in range(min(count, len(self.facts))):
            fact = self.facts.popleft()
            self.forgotten += 1
            same_type = self.types[fact.type]
            same_type.forget()
            if not same_type:
                del self.types[fact.type]
            times = self._times[_series(fact)]
            del times[bisect_left(times, fact.at)]
            self.pages[fact.page].remove(fact)
            if fact.trace_end:
                self._traces[fact.trace_end].pop(0)
                if not self._traces[fact.trace_end]:
                    del self._traces[fact.trace_end]
            fact.session.forget()
            fact.group.events -= 1
            if not fact.group.events:
                del self._groups[fact.group.key]
            decrease(self.page_sessions[fact.page], fact.session)
            if not self.page_sessions[fact.page]:
                del self.page_sessions[fact.page], self.pages[fact.page]
            if not fact.session.facts:
                del self.sessions[fact.session.key]
            for name, value in fact.values.by_name.items():
                decrease(self._counts[name], value)

    def may_have_own(self, name: str) -> bool:
        """Return whether an event can have a field with this name, in upper case, beside those that events share."""
        return name in {own.upper() for own in self._own_names} or len(self._own_names) >= _MAX_NAMES

    def of_trace(self, trace: str) -> list[Fact]:
        """Return the events of a trace, oldest first; none when no event has its whole id."""
        found = [fact for fact in self._traces.get(_end_of(trace), ()) if fact.trace in {trace, ""}]
        return found if any(fact.trace for fact in found) else []

    def trace_of(self, fact: Fact) -> str:
        """Return the trace of an event, also where another event has the whole id; empty when unknown."""
        same_end = () if fact.trace else self._traces.get(fact.trace_end, ())
        return fact.trace or next((other.trace for other in same_end if other.trace), "")

    def times(self, series: str) -> list[float]:
        """Return the sorted times of a type of events, of requests of an outcome."""
        return self._times.get(series, [])

    @property
    def custom_types(self) -> list[str]:
        """The types of custom events."""
        return [name for name, columns in self.types.items() if columns.facts[0].kind == "custom"]

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
        values = self._values_of(event)
        trace = trace_id(event)
        span, trace_end = span_of(event)
        millis = number(event.details, "value") if its_kind == "vital" else duration_millis(event)
        return Fact(
            event=event,
            at=event.timestamp,
            start=event.timestamp - (0 if millis is None or its_kind == "vital" else millis / 1000),
            type=event.type,
            kind=its_kind,
            values=values,
            session=session,
            shared=session.shared_by(event.user_id, values, shared_words(event)),
            group=self._group_of(event, its_kind, sent),
            is_problem=is_problem(event),
            millis=millis,
            url=sent,
            trace=trace,
            span=span,
            trace_end=_end_of(trace) or (trace_end if its_kind in _IN_TRACES else ""),
            call=f"{trace_end}{span}" if span else sent,
            is_served=its_kind == "http" and bool(span),
        )

    def _group_of(self, event: Event, its_kind: str, url: str) -> Group:
        key: GroupKey = ("", "", "", 0)
        if its_kind == "http":
            method = text(event.details, "request", "method")
            key = (self._pattern_of(url), method, outcome(event), status(event))
        elif its_kind == "resource":
            key = (self._pattern_of(url), text(event.details, "fileType"), "", 0)
        elif its_kind == "error":
            key = (error_key(event), "", "", 0)
        found = self._groups.get(key)
        if found is None:
            found = self._groups[key] = Group(*key)
        return found

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


def _end_of(trace: str) -> str:
    return trace[20:]


def _series(fact: Fact) -> str:
    return fact.group.outcome or fact.type
