"""The events that a view shows: those of the index that the scope of the URL selects."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from itertools import chain, compress
from typing import Any

from .columns import Columns
from .event_fields import HTTP, JS_ERROR, NAVIGATION, PAGE_VIEW
from .fact import Fact, Shared
from .index import Index
from .indexed_session import IndexedSession
from .page_totals import LCP, PageTotals
from .scope import Scope
from .search import Term


class Selection:
    """The events in scope. Without filters the index has most answers already.

    A filter is compared with what events share first, of which there is much less. The times and texts of the events
    are read only when that does not decide.
    """

    def __init__(self, index: Index, scope: Scope) -> None:
        self.index = index
        self.scope = scope
        self._shared: set[Shared] | None = None
        self._terms: list[tuple[Term, set[Shared]]] = []
        if scope.has_filters:
            self._compare_shared(_every(index))
        self._is_timed = not _covers(index, scope)
        self.narrows = self._is_timed or self._shared is not None or bool(self._terms)
        self._chosen: dict[str, list[bool]] = {}

    def _compare_shared(self, every: Collection[Shared]) -> None:
        found = set(every)
        if wanted := self.scope.wanted.items():
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

    def _is_chosen(self, columns: Columns) -> list[bool]:
        """Return for each event in columns whether it is in scope."""
        # Lists, because a call for each event would take most of the time.
        chosen = [True] * len(columns) if self._shared is None else list(map(self._shared.__contains__, columns.shared))
        if self._is_timed:
            since, until = self.scope.since or float("-inf"), self.scope.until or float("inf")
            chosen = [each and since <= at < until for each, at in zip(chosen, columns.at, strict=True)]
        for term, hits in self._terms:
            misses = chosen
            if hits and not term.is_excluded:
                misses = [each and shared not in hits for each, shared in zip(chosen, columns.shared, strict=True)]
            for text in term.texts:
                misses = columns.lack(text, misses)
            if not term.is_excluded:
                misses = [each and not missed for each, missed in zip(chosen, misses, strict=True)]
            chosen = misses
        return chosen

    def _chosen_of(self, name: str) -> list[bool]:
        if name not in self._chosen:
            self._chosen[name] = self._is_chosen(self.index.types[name])
        return self._chosen[name]

    def _column(self, name: str, column: str) -> Iterable[Any]:
        """Return a column of the events of a type, of those in scope."""
        columns = self.index.types.get(name)
        if columns is None:
            return ()
        values: Collection[Any] = getattr(columns, column)
        return compress(values, self._chosen_of(name)) if self.narrows else values

    def of_type(self, name: str) -> list[Fact]:
        """Return the events of a type in scope, oldest first."""
        return list(self._column(name, "facts"))

    @cached_property
    def type_counts(self) -> Mapping[str, int]:
        """The number of events of each type."""
        if not self.narrows:
            return {name: len(columns) for name, columns in self.index.types.items()}
        counts = {name: self._chosen_of(name).count(True) for name in self.index.types}
        return {name: count for name, count in counts.items() if count}

    def counts(self, name: str) -> Counter[Shared]:
        """Return the number of the events of a type, in groups by what they share."""
        return Counter(self._column(name, "shared"))

    def millis_of(self, name: str) -> list[float]:
        """Return the durations of the events of a type, of web vitals their values, in ascending order."""
        if not self.narrows and (columns := self.index.types.get(name)):
            return columns.ordered_millis()
        return sorted([millis for millis in self._column(name, "millis") if millis is not None])

    def measured(self, name: str, column: str) -> Iterable[tuple[Any, float | None]]:
        """Return a column of the events of a type, with their durations, of web vitals their values."""
        return zip(self._column(name, column), self._column(name, "millis"), strict=True)

    def times(self, name: str, outcome: str = "") -> list[float]:
        """Return the sorted times of the events of a type, with this outcome if it is given."""
        if not self.narrows:
            return self.index.times(outcome or name)
        if outcome:
            return sorted([fact.at for fact in self.of_type(name) if fact.outcome == outcome])
        return sorted(self._column(name, "at"))

    @cached_property
    def pages(self) -> Mapping[str, PageTotals]:
        """The figures of each page."""
        if not self.narrows:
            return {name: totals for name, totals in self.index.pages.items() if name}
        found: defaultdict[str, PageTotals] = defaultdict(
            PageTotals, {page: PageTotals() for page in self.sessions_of_pages}
        )
        for page, count in Counter([shared.page for shared in self._column(PAGE_VIEW, "shared")]).items():
            found[page].views = count
        for page, count in Counter([shared.page for shared in self._column(JS_ERROR, "shared")]).items():
            found[page].errors = count
        for page, count in Counter([fact.page for fact in self.of_type(HTTP) if fact.is_problem]).items():
            found[page].failed_requests = count
        for page, millis in self._millis_by_page(NAVIGATION).items():
            found[page].loads = millis
        for page, millis in self._millis_by_page(LCP.event_type).items():
            found[page].paints = millis
        found.pop("", None)
        return found

    def _millis_by_page(self, name: str) -> Mapping[str, list[float]]:
        found = defaultdict(list)
        for shared, millis in self.measured(name, "shared"):
            if millis is not None:
                found[shared.page].append(millis)
        for some in found.values():
            some.sort()
        return found

    @cached_property
    def shared(self) -> Collection[Shared]:
        """The values that the events in scope share, in groups."""
        if not self.narrows:
            return _every(self.index)
        if self._shared is not None and not self._terms and not self._is_timed:
            return self._shared
        return set(chain.from_iterable(self._column(name, "shared") for name in self.index.types))

    @cached_property
    def users(self) -> set[str | None]:
        """The user ids."""
        return {shared.user for shared in self.shared}

    @cached_property
    def sessions_of_pages(self) -> Mapping[str, int]:
        """The number of sessions with events of each page."""
        if not self.narrows:
            return {page: len(sessions) for page, sessions in self.index.page_sessions.items() if page}
        found: defaultdict[str, list[IndexedSession]] = defaultdict(list)
        for shared in self.shared:
            found[shared.page].append(shared.session)
        return {page: len(set(sessions)) for page, sessions in found.items() if page}

    @cached_property
    def sessions(self) -> set[IndexedSession]:
        """The sessions with an event in scope."""
        return {shared.session for shared in self.shared}


def _every(index: Index) -> list[Shared]:
    return list(chain.from_iterable([session.shared.values() for session in index.sessions.values()]))


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
