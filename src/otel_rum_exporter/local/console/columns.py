"""The events of one type in columns: filters and sums of 200,000 events must not read the events one by one."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from itertools import islice

from .event_fields import lines
from .fact import Fact, Shared


class Columns:
    """The events of one type, oldest first: a column per value that filters compare and views sum."""

    __slots__ = ("_characters", "_known", "_ordered", "at", "facts", "millis", "shared", "words")

    def __init__(self) -> None:
        self.facts: deque[Fact] = deque()
        self.at: deque[float] = deque()
        self.millis: deque[float | None] = deque()
        self.shared: deque[Shared] = deque()
        self.words: deque[str] = deque()
        self._ordered: list[float] = []
        self._known = 0
        self._characters: set[str] = set()

    def __len__(self) -> int:
        return len(self.facts)

    def add(self, fact: Fact, words: str) -> None:
        """Add the latest event; `words` is the text that a search reads beside its type and that of `shared`."""
        self.facts.append(fact)
        self.at.append(fact.at)
        self.millis.append(fact.millis)
        self.shared.append(fact.shared)
        self.words.append(words)
        self._characters.update(words)

    def lack(self, text: str, chosen: Sequence[bool]) -> list[bool]:
        """Return for each event whether it is chosen, and neither its type nor its words have a text."""
        if text in lines([("type", self.facts[0].type)]):
            return [False] * len(self)
        # The events of most types have few letters: web vitals have an id and a number.
        if not self._characters.issuperset(text):
            return list(chosen)
        return [each and text not in words for each, words in zip(chosen, self.words, strict=True)]

    def forget(self) -> None:
        """Remove the oldest event."""
        for column in (self.facts, self.at, self.shared, self.words):
            column.popleft()
        millis = self.millis.popleft()
        if not self._known:
            return
        self._known -= 1
        if millis is not None:
            del self._ordered[bisect_left(self._ordered, millis)]

    def ordered_millis(self) -> list[float]:
        """Return the durations, of web vitals the values, in ascending order. Do not change the list."""
        self._ordered += [each for each in islice(self.millis, self._known, None) if each is not None]
        self._known = len(self.millis)
        # Fast, because all but the end is in order.
        self._ordered.sort()
        return self._ordered
