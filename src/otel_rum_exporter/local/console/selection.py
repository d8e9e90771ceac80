"""The events that a view shows: those of the index that the scope of the URL selects."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain, compress
from operator import itemgetter
from typing import Any

from .columns import Columns
from .event_fields import HTTP, JS_ERROR, NAVIGATION, PAGE_VIEW, PROBLEMS
from .fact import Fact, Shared
from .index import Index
from .indexed_session import IndexedSession
from .page_totals import LCP, PageTotals
from .scope import Scope
from .search import Term

_SPARSE = 4


class Selection:
    """The events in scope. Without filters the index has most answers already.

    A filter is compared with what events share first, of which there is much less. The times and texts of the events
    are read only when that does not decide.
    """

    def __init__(self, index: Index, scope: Scope) -> None:
        self.index = index
        self.scope = scope
        self._since, self._until = scope.since or float("-inf"), scope.until or float("inf")
        self._shared: set[Shared] | None = None
        self._terms: list[tuple[Term, set[Shared]]] = []
        self._is_timed = not _covers(index, scope)
        if scope.has_filters or self._is_timed:
            self._compare_shared()
        self.narrows = self._is_timed or self._shared is not None or bool(self._terms)
        self._chosen: dict[str, bytes] = {}

    @cached_property
    def _every(self) -> list[Shared]:
        return list(chain.from_iterable([session.shared.values() for session in self.index.sessions.values()]))

    def _compare_shared(self) -> None:
        found = set(self._every)
        if self._is_timed:
            since, until = self._since, self._until
            found = {shared for shared in found if shared.session.first < until and since <= shared.session.last}
        if wanted := self.scope.wanted.items():
            fitting = {
                values for values in self.index.values if all(values.by_name[name] == value for name, value in wanted)
            }
            found = {shared for shared in found if shared.values in fitting}
        texts = {shared.words for shared in found} if self.scope.terms else set()
        for term in self.scope.terms:
            fitting_words = {words for words in texts if any(map(words.__contains__, term.texts))}
            hits = {shared for shared in found if shared.words in fitting_words}
            if term.name in {"", "SESSION", "USER"}:
                hits.update(*([shared for shared in found if text in shared.ids] for text in term.texts))
            if term.name and not self.index.may_have_own(term.name):
                found = found - hits if term.is_excluded else hits
                continue
            if term.is_excluded:
                found -= hits
            if term.is_excluded or len(hits) < len(found):
                self._terms.append((term, hits))
        if len(found) < len(self._every):
            self._shared = found

    def _is_chosen(self, columns: Columns) -> list[bool]:
        """Return for each event in columns whether it is in scope."""
        # Lists, because a call for each event would take most of the time.
        chosen = [True] * len(columns) if self._shared is None else list(map(self._shared.__contains__, columns.shared))
        if self._is_timed:
            since, until = self._since, self._until
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

    def _chosen_of(self, name: str) -> bytes:
        """Return for each event of a type 1 when it is in scope, else 0."""
        if name not in self._chosen:
            self._chosen[name] = bytes(self._is_chosen(self.index.types[name]))
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
        counts = {name: self._chosen_of(name).count(1) for name in self.index.types}
        return {name: count for name, count in counts.items() if count}

    def counts(self, name: str) -> Counter[Shared]:
        """Return the number of the events of a type, in groups by what they share."""
        return Counter(self._column(name, "shared"))

    def columns(self, name: str, *columns: str) -> Iterable[tuple[Any, ...]]:
        """Return columns of the events of a type."""
        return zip(*(self._column(name, column) for column in columns), strict=True)

    def millis_of(self, name: str) -> Sequence[float]:
        """Return the durations of the events of a type, of web vitals their values, in ascending order."""
        if self._is_sparse(name):
            return sorted([millis for millis in self._column(name, "millis") if millis is not None])
        columns = self.index.types[name]
        positions = columns.ascending()
        if not self.narrows:
            return columns.ordered_millis
        return list(compress(columns.ordered_millis, map(self._chosen_of(name).__getitem__, positions)))

    def measured(self, name: str, column: str) -> Iterable[tuple[Any, float]]:
        """Return a column of the measured events of a type with their durations, in ascending order of these."""
        if self._is_sparse(name):
            found = [(value, millis) for value, millis in self.columns(name, column, "millis") if millis is not None]
            return sorted(found, key=itemgetter(1))
        columns = self.index.types[name]
        positions: Iterable[int] = columns.ascending()
        if self.narrows:
            positions = compress(positions, map(self._chosen_of(name).__getitem__, positions))
        values = list(getattr(columns, column))
        return zip(map(values.__getitem__, positions), self.millis_of(name), strict=True)

    def _is_sparse(self, name: str) -> bool:
        """Return whether to sort the events in scope is faster than to read all events of a type in their order."""
        if name not in self.index.types:
            return True
        if not self.narrows:
            return False
        chosen = self._chosen_of(name)
        return chosen.count(1) < len(chosen) / _SPARSE

    def times(self, name: str) -> list[float]:
        """Return the sorted times of the events of a type."""
        if not self.narrows:
            return self.index.times(name)
        return sorted(self._column(name, "at"))

    def problem_times(self) -> Mapping[str, list[float]]:
        """Return the sorted times of failed requests, by outcome."""
        if not self.narrows:
            return {outcome: self.index.times(outcome) for outcome in PROBLEMS}
        found: dict[str, list[float]] = {outcome: [] for outcome in (*PROBLEMS, "ok")}
        for group, at in self.columns(HTTP, "groups", "at"):
            found[group.outcome].append(at)
        return {outcome: sorted(found[outcome]) for outcome in PROBLEMS}

    @cached_property
    def failed_requests(self) -> Counter[Shared]:
        """The number of failed requests, in groups by what they share."""
        return Counter([shared for shared, group in self.columns(HTTP, "shared", "groups") if group.outcome != "ok"])

    @cached_property
    def pages(self) -> Mapping[str, PageTotals]:
        """The figures of each page."""
        if not self.narrows:
            return {name: totals for name, totals in self.index.pages.items() if name}
        found: defaultdict[str, PageTotals] = defaultdict(
            PageTotals, {page: PageTotals() for page in self.sessions_of_pages}
        )
        for page, count in Counter(self._column(PAGE_VIEW, "pages")).items():
            found[page].views = count
        for page, count in Counter(self._column(JS_ERROR, "pages")).items():
            found[page].errors = count
        for shared, count in self.failed_requests.items():
            found[shared.page].failed_requests += count
        for page, millis in self.measured(NAVIGATION, "pages"):
            found[page].loads.append(millis)
        for page, millis in self.measured(LCP.event_type, "pages"):
            found[page].paints.append(millis)
        found.pop("", None)
        return found

    @cached_property
    def shared(self) -> Collection[Shared]:
        """The values that the events in scope share, in groups."""
        if not self.narrows:
            return self._every
        if self._shared is not None and not self._terms and not self._is_timed:
            return self._shared
        most = len(self._every if self._shared is None else self._shared)
        found: set[Shared] = set()
        for name in self.index.types:
            found.update(self._column(name, "shared"))
            if len(found) == most:
                break
        return found

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


def _covers(index: Index, scope: Scope) -> bool:
    """Return whether the time range has all events."""
    if scope.since is None and scope.until is None:
        return True
    first = min([session.first for session in index.sessions.values()], default=scope.now)
    last = max([session.last for session in index.sessions.values()], default=scope.now)
    return (scope.since or first) <= first and last < (scope.until or float("inf"))
