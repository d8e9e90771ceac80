"""The stored events of one session: their order, their summary, and the pairs of events of one call."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from functools import lru_cache

from .event_fields import id_words
from .fact import START, Fact, Shared, Values
from .session_summary import SessionSummary

# The events of one call have the same end, as far as clients round it.
_SAME_CALL_SECONDS = 1.0
_MAX_ALONE = 100

_MAX_TEXTS = 4096

Key = tuple[str, "str | None"]
"""The app monitor and the session id."""


class IndexedSession:
    """The stored events of one session in order of arrival. Compared by identity."""

    __slots__ = ("_alone", "_in_order", "facts", "first", "forgotten", "key", "last", "order", "shared", "summary")

    def __init__(self, key: Key) -> None:
        self.key = key
        monitor, session_id = key
        self.order = (monitor, session_id is not None, session_id or "")
        self.first = self.last = 0.0
        self.facts: deque[Fact] = deque()
        self.summary = SessionSummary()
        self.forgotten = 0
        self._in_order: list[Fact] | None = None
        self.shared: dict[tuple[str | None, Values, str], Shared] = {}
        self._alone: dict[tuple[str, bool], list[Fact]] = {}

    def shared_by(self, user: str | None, values: Values, words: str) -> Shared:
        """Return the group of the events with this user, these values and these words."""
        found = self.shared.get((user, values, words))
        if found is None:
            # Sessions have the same metadata: a search compares each text once.
            words = _one_of_equal(words)
            ids = _one_of_equal(id_words(self.key[1], user))
            page = values.by_name["page"]
            found = self.shared[user, values, words] = Shared(self, user, values, words, ids, page)
        return found

    def pair(self, fact: Fact) -> None:
        """Connect the two events of one call: the request and its measured duration, which end at the same time."""
        others = self._alone.get((fact.call, not fact.group.outcome), [])
        while others and abs(others[0].at - fact.at) > _SAME_CALL_SECONDS:
            others.pop(0)
        if others:
            fact.other = others.pop(0)
            fact.other.other = fact
            # The exporter measures the requests that are made, not those that are served.
            fact.is_served = fact.other.is_served = False
        else:
            self._alone.setdefault((fact.call, bool(fact.group.outcome)), []).append(fact)
            if len(self._alone) > _MAX_ALONE:
                self._alone.pop(next(iter(self._alone)))

    def add(self, fact: Fact) -> None:
        """Add the latest event."""
        self.facts.append(fact)
        self.summary.add(fact)
        self.first, self.last = self.summary.span
        if self._in_order is not None:
            insort(self._in_order, fact, key=START)

    def forget(self) -> None:
        """Remove the oldest event."""
        fact = self.facts.popleft()
        self.forgotten += 1
        shared = fact.shared
        shared.events -= 1
        if not shared.events:
            del self.shared[shared.user, shared.values, shared.words]
        if fact.other:
            fact.other.other = None
        alone = self._alone.get((fact.call, bool(fact.group.outcome)))
        if alone and alone[0] is fact:
            alone.pop(0)
        self.summary.remove(fact)
        if self.facts:
            self.first, self.last = self.summary.span
        if self._in_order is not None:
            del self._in_order[self._in_order.index(fact, bisect_left(self._in_order, fact.start, key=START))]

    def in_order(self) -> list[Fact]:
        """Return the events in order of their starts. Do not change the list."""
        if self._in_order is None:
            self._in_order = sorted(self.facts, key=START)
        return self._in_order


@lru_cache(_MAX_TEXTS)
def _one_of_equal(text: str) -> str:
    """Return the same object for equal texts. Python 3.12 never frees those of `sys.intern`."""
    return text
