"""The figures of a session's row, kept while events arrive and leave: a session can have 200,000 events."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, TypeVar

from .event_fields import PAGE_VIEW

if TYPE_CHECKING:
    from .fact import Fact, Values

_T = TypeVar("_T", bound=Hashable)

_CHARACTERS = {"error": "x", "http": "h", "page": "p"}


class SessionSummary:
    """Counts and times of a session's events.

    `times` has the sorted times of pages (`p`), failed requests (`h`), errors (`x`) and all events (`e`), `views` the
    times and pages of the page views.
    """

    __slots__ = ("kinds", "problems", "times", "users", "values", "views")

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        self.kinds: Counter[str] = Counter()
        self.problems = 0
        self.users: Counter[str | None] = Counter()
        self.values: Counter[Values] = Counter()
        self.views: list[tuple[float, str]] = []
        self.times: dict[str, list[float]] = {"e": [], "p": [], "h": [], "x": []}
        for fact in facts:
            self.add(fact)

    def add(self, fact: Fact) -> None:
        """Add an event."""
        self.kinds[fact.kind] += 1
        # In order of the latest event, which does not change when the oldest is removed.
        self.users[fact.event.user_id] = self.users.pop(fact.event.user_id, 0) + 1
        self.values[fact.values] = self.values.pop(fact.values, 0) + 1
        self.problems += fact.is_problem
        for character in _characters(fact):
            insort(self.times[character], fact.at)
        if fact.type == PAGE_VIEW:
            insort(self.views, (fact.at, fact.page))

    def remove(self, fact: Fact) -> None:
        """Remove an event."""
        decrease(self.kinds, fact.kind)
        decrease(self.users, fact.event.user_id)
        decrease(self.values, fact.values)
        self.problems -= fact.is_problem
        for character in _characters(fact):
            times = self.times[character]
            del times[bisect_left(times, fact.at)]
        if fact.type == PAGE_VIEW:
            del self.views[bisect_left(self.views, (fact.at, fact.page))]

    @property
    def events(self) -> int:
        """The number of events."""
        return len(self.times["e"])

    @property
    def span(self) -> tuple[float, float]:
        """The first and the last timestamp in epoch seconds."""
        return self.times["e"][0], self.times["e"][-1]

    def strip(self, steps: int) -> str:
        """Return one character per time step: `x` error, `h` failed request, `p` page, `e` any other event."""
        first, last = self.span
        step = (last - first) / steps or 1
        bounds = [first + step * number for number in range(1, steps)]
        cells = [" "] * steps
        for character in "ephx":
            times = self.times[character]
            begin = 0
            for index, end in enumerate([*(bisect_left(times, bound) for bound in bounds), len(times)]):
                if begin < end:
                    cells[index] = character
                begin = end
        return "".join(cells)


def _characters(fact: Fact) -> str:
    character = _CHARACTERS.get(fact.kind, "")
    return "e" + character if fact.is_problem or character == "p" else "e"


def decrease(counts: Counter[_T], key: _T) -> None:
    """Count one less of a key, and delete it at zero."""
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
