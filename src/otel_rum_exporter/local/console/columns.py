"""The events of one type in columns: filters and sums of 200,000 events must not read the events one by one."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from typing import Any

from .event_fields import lines
from .fact import Fact, Group, Shared

# Ordered while events arrive, so that the first view has little to do.
_MAX_UNORDERED = 1000


class Columns:
    """The events of one type, oldest first: a column per value that filters compare and views sum."""

    __slots__ = (
        "_added",
        "_ascending",
        "_characters",
        "_forgotten",
        "at",
        "facts",
        "groups",
        "millis",
        "ordered_millis",
        "pages",
        "shared",
        "words",
    )

    def __init__(self) -> None:
        self.facts: deque[Fact] = deque()
        self.at: deque[float] = deque()
        self.millis: deque[float | None] = deque()
        self.shared: deque[Shared] = deque()
        self.groups: deque[Group] = deque()
        self.pages: deque[str] = deque()
        self.words: deque[str] = deque()
        self._ascending = array("I")
        self.ordered_millis = array("d")
        # Events since `_ascending` was computed.
        self._added = self._forgotten = 0
        self._characters: set[str] = set()

    def __len__(self) -> int:
        return len(self.facts)

    def add(self, fact: Fact, words: str) -> None:
        """Add the latest event; `words` is the text that a search reads beside its type and that of `shared`."""
        self.facts.append(fact)
        self.at.append(fact.at)
        self.millis.append(fact.millis)
        self.shared.append(fact.shared)
        self.groups.append(fact.group)
        self.pages.append(fact.shared.page)
        self.words.append(words)
        self._characters.update(words)
        self._added += 1
        if self._added > _MAX_UNORDERED + len(self) // 4:
            self.ascending()

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
        for column in (self.facts, self.at, self.millis, self.shared, self.groups, self.pages, self.words):
            column.popleft()
        self._forgotten += 1

    def ascending(self) -> array[int]:
        """Return the positions of the events with a duration or the value of a web vital, in ascending order of it.

        Afterwards, `ordered_millis` has these values.
        """
        if self._added or self._forgotten:
            millis: list[Any] = list(self.millis)
            known = max(len(millis) - self._added, 0)
            gone = self._forgotten
            found = [position - gone for position in self._ascending if position >= gone]
            found += [position for position in range(known, len(millis)) if millis[position] is not None]
            # Fast, because all but the end is in order.
            found.sort(key=millis.__getitem__)
            self._ascending = array("I", found)
            self.ordered_millis = array("d", [millis[position] for position in found])
            self._added = self._forgotten = 0
        return self._ascending
