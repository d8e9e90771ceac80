"""The events that a view shows: those of the index that the scope of the URL selects."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from functools import cached_property

from .event_fields import HTTP, JS_ERROR, NAVIGATION, PAGE_VIEW
from .fact import Fact
from .index import Index
from .indexed_session import IndexedSession
from .page_totals import LCP, PageTotals
from .scope import Scope


class Selection:
    """The events in scope. Without filters the index has most answers already."""

    def __init__(self, index: Index, scope: Scope) -> None:
        self.index = index
        self.scope = scope
        self._narrows = scope.has_filters or not _covers(index, scope)

    @cached_property
    def facts(self) -> Collection[Fact]:
        """All events in scope, oldest first."""
        return _select(self.index.facts, self.index, self.scope) if self._narrows else self.index.facts

    @cached_property
    def _by_type(self) -> dict[str, list[Fact]]:
        found: dict[str, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            found[fact.type].append(fact)
        return found

    def of_type(self, name: str) -> Collection[Fact]:
        """Return the events of a type in scope."""
        if not self._narrows:
            return self.index.of_type(name)
        if "facts" not in self.__dict__:
            return _select(self.index.of_type(name), self.index, self.scope)
        return self._by_type.get(name, ())

    @cached_property
    def type_counts(self) -> Mapping[str, int]:
        """The number of events of each type."""
        if not self._narrows:
            return self.index.type_counts
        return {name: len(self._by_type[name]) for name in self._by_type}

    def millis_of(self, name: str) -> list[float]:
        """Return the durations of the events of a type, of web vitals their values, in ascending order."""
        if not self._narrows:
            return self.index.ordered_millis(name)
        return sorted([fact.millis for fact in self.of_type(name) if fact.millis is not None])

    def times(self, name: str, outcome: str = "") -> list[float]:
        """Return the sorted times of the events of a type, with this outcome if it is given."""
        if not self._narrows:
            return self.index.times(outcome or name)
        return sorted([fact.at for fact in self.of_type(name) if not outcome or fact.outcome == outcome])

    @cached_property
    def pages(self) -> Mapping[str, PageTotals]:
        """The figures of each page."""
        if not self._narrows:
            return {name: totals for name, totals in self.index.pages.items() if name}
        found: defaultdict[str, PageTotals] = defaultdict(
            PageTotals, {page: PageTotals() for page in self.page_sessions}
        )
        for page, count in Counter([fact.page for fact in self.of_type(PAGE_VIEW)]).items():
            found[page].views = count
        for page, count in Counter([fact.page for fact in self.of_type(JS_ERROR)]).items():
            found[page].errors = count
        for page, count in Counter([fact.page for fact in self.of_type(HTTP) if fact.is_problem]).items():
            found[page].failed_requests = count
        for name in (NAVIGATION, LCP.event_type):
            measured = [(fact.page, fact.millis) for fact in self.of_type(name) if fact.millis is not None]
            for page, millis in measured:
                (found[page].loads if name == NAVIGATION else found[page].paints).append(millis)
        for totals in found.values():
            totals.loads.sort()
            totals.paints.sort()
        found.pop("", None)
        return found

    @cached_property
    def users(self) -> set[str | None]:
        """The user ids."""
        return {fact.event.user_id for fact in self.facts} if self._narrows else set(self.index.users)

    @cached_property
    def page_sessions(self) -> dict[str, Collection[IndexedSession]]:
        """The sessions with events of each page."""
        if not self._narrows:
            return {page: sessions for page, sessions in self.index.page_sessions.items() if page}
        found: dict[str, set[IndexedSession]] = defaultdict(set)
        for page, session in {(fact.page, fact.session) for fact in self.facts}:
            found[page].add(session)
        return {page: sessions for page, sessions in found.items() if page}

    @cached_property
    def sessions(self) -> set[IndexedSession]:
        """The sessions with an event in scope."""
        return {fact.session for fact in self.facts}


def _covers(index: Index, scope: Scope) -> bool:
    """Return whether the time range has all events."""
    if scope.since is None and scope.until is None:
        return True
    spans = [session.summary.span for session in index.sessions.values()]
    first, last = (
        min((span[0] for span in spans), default=scope.now),
        max((span[1] for span in spans), default=scope.now),
    )
    return (scope.since or first) <= first and last < (scope.until or float("inf"))


def _select(facts: Collection[Fact], index: Index, scope: Scope) -> list[Fact]:
    since, until = scope.since or float("-inf"), scope.until or float("inf")
    found = list(facts)
    if scope.wanted:
        wanted = scope.wanted.items()
        fitting = {values for values in index.values if all(values.by_name[name] == value for name, value in wanted)}
        found = [fact for fact in found if fact.values in fitting]
    if scope.since or scope.until:
        found = [fact for fact in found if since <= fact.at < until]
    for term in scope.terms:
        # One text, the usual case, without a call for each event.
        if len(term.texts) > 1:
            found = [fact for fact in found if term.fits(fact.words)]
        elif term.is_excluded:
            found = [fact for fact in found if term.texts[0] not in fact.words]
        else:
            found = [fact for fact in found if term.texts[0] in fact.words]
    return found
