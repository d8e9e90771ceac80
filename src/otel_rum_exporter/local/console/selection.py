"""The events that a view shows: those of the index that the scope of the URL selects."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from itertools import chain

from .event_fields import HTTP, JS_ERROR, NAVIGATION, PAGE_VIEW
from .fact import Fact, Shared
from .index import Index
from .indexed_session import IndexedSession
from .page_totals import LCP, PageTotals
from .scope import Scope
from .search import Term


class Selection:
    """The events in scope. Without filters the index has most answers already.

    A filter is compared with what events share first, of which there is much less. An event is read only when that does
    not decide.
    """

    def __init__(self, index: Index, scope: Scope) -> None:
        self.index = index
        self.scope = scope
        self._shared: set[Shared] | None = None
        self._terms: list[tuple[Term, set[Shared]]] = []
        if scope.has_filters:
            self._compare_shared([shared for session in index.sessions.values() for shared in session.shared])
        self._is_timed = not _covers(index, scope)
        self.narrows = self._is_timed or self._shared is not None or bool(self._terms)
        self._selected: dict[str, Collection[Fact]] = {}

    def _compare_shared(self, every: Collection[Shared]) -> None:
        wanted = self.scope.wanted.items()
        fitting = {
            values for values in self.index.values if all(values.by_name[name] == value for name, value in wanted)
        }
        found = {shared for shared in every if shared.values in fitting}
        for term in self.scope.terms:
            hits = set(chain.from_iterable([one for one in found if text in one.words] for text in term.texts))
            if term.name and not self.index.may_have_own(term.name):
                found = found - hits if term.is_excluded else hits
                continue
            if term.is_excluded:
                found -= hits
            if term.is_excluded or len(hits) < len(found):
                self._terms.append((term, hits))
        if len(found) < len(every):
            self._shared = found

    def select(self, facts: Iterable[Fact]) -> list[Fact]:
        """Return the events in scope among these, in the same order."""
        found = list(facts)
        if (fitting := self._shared) is not None:
            found = [fact for fact in found if fact.shared in fitting]
        if self._is_timed:
            since, until = self.scope.since or float("-inf"), self.scope.until or float("inf")
            found = [fact for fact in found if since <= fact.at < until]
        # Lists by a text, because a call for each event would take most of the time.
        for term, hits in self._terms:
            text = term.texts[0]
            if term.is_excluded:
                for each in term.texts:
                    found = [fact for fact in found if each not in fact.words]
            elif len(term.texts) == 1:
                found = [fact for fact in found if fact.shared in hits or text in fact.words]
            else:
                others = [fact for fact in found if fact.shared not in hits]
                either = set(
                    chain.from_iterable([fact for fact in others if each in fact.words] for each in term.texts)
                )
                found = [fact for fact in found if fact.shared in hits or fact in either]
        return found

    @cached_property
    def facts(self) -> Collection[Fact]:
        """All events in scope, oldest first."""
        return self.select(self.index.facts) if self.narrows else self.index.facts

    @cached_property
    def _by_type(self) -> Mapping[str, list[Fact]]:
        found: dict[str, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            found[fact.type].append(fact)
        return found

    def of_type(self, name: str) -> Collection[Fact]:
        """Return the events of a type in scope."""
        if not self.narrows:
            return self.index.of_type(name)
        # All events in the order of memory are read faster than those of many types one after another.
        if "facts" in self.__dict__:
            return self._by_type.get(name, ())
        if name not in self._selected:
            self._selected[name] = self.select(self.index.of_type(name))
        return self._selected[name]

    @cached_property
    def type_counts(self) -> Mapping[str, int]:
        """The number of events of each type."""
        if not self.narrows:
            return self.index.type_counts
        return {name: len(facts) for name, facts in self._by_type.items()}

    def millis_of(self, name: str) -> list[float]:
        """Return the durations of the events of a type, of web vitals their values, in ascending order."""
        if not self.narrows:
            return self.index.ordered_millis(name)
        return sorted([fact.millis for fact in self.of_type(name) if fact.millis is not None])

    def times(self, name: str, outcome: str = "") -> list[float]:
        """Return the sorted times of the events of a type, with this outcome if it is given."""
        if not self.narrows:
            return self.index.times(outcome or name)
        return sorted([fact.at for fact in self.of_type(name) if not outcome or fact.outcome == outcome])

    @cached_property
    def pages(self) -> Mapping[str, PageTotals]:
        """The figures of each page."""
        if not self.narrows:
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
        for fact in self.of_type(NAVIGATION):
            if fact.millis is not None:
                found[fact.page].loads.append(fact.millis)
        for fact in self.of_type(LCP.event_type):
            if fact.millis is not None:
                found[fact.page].paints.append(fact.millis)
        for totals in found.values():
            totals.loads.sort()
            totals.paints.sort()
        found.pop("", None)
        return found

    @cached_property
    def shared(self) -> Collection[Shared]:
        """The values that the events in scope share, in groups."""
        if not self.narrows:
            return [shared for session in self.index.sessions.values() for shared in session.shared]
        if self._shared is not None and not self._terms and not self._is_timed:
            return self._shared
        return {fact.shared for fact in self.facts}

    @cached_property
    def users(self) -> set[str | None]:
        """The user ids."""
        return {shared.user for shared in self.shared}

    @cached_property
    def page_sessions(self) -> Mapping[str, Collection[IndexedSession]]:
        """The sessions with events of each page."""
        if not self.narrows:
            return {page: sessions for page, sessions in self.index.page_sessions.items() if page}
        found: defaultdict[str, set[IndexedSession]] = defaultdict(set)
        for shared in self.shared:
            found[shared.values.by_name["page"]].add(shared.session)
        found.pop("", None)
        return found

    @cached_property
    def sessions(self) -> set[IndexedSession]:
        """The sessions with an event in scope."""
        return {shared.session for shared in self.shared}


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
