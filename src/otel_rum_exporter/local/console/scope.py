"""The filters in a console URL: time range, dimensions and search words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ..record import Event
from .event_fields import Json, page, text

MAX_ROWS = 500
_MAX_CHOICES = 100

RANGES = {"5m": 300, "15m": 900, "1h": 3600, "6h": 21_600, "1d": 86_400, "7d": 604_800}
"""Time ranges that end now, in seconds. Any other value: all time."""

DIMENSIONS: Mapping[str, Callable[[Event], str]] = {
    "monitor": lambda event: event.app_monitor_id,
    "page": page,
    "browser": lambda event: text(event.metadata, "browserName"),
    "os": lambda event: text(event.metadata, "osName"),
    "device": lambda event: text(event.metadata, "deviceType"),
    "country": lambda event: text(event.metadata, "countryCode"),
}
"""The dimensions that filter events: those of RUM's metrics."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A time range in epoch seconds (None: open), the wanted value of each dimension, and search words.

    `query` has all parameters, including those of a single view.
    """

    now: float
    since: float | None
    until: float | None
    wanted: Mapping[str, str]
    words: tuple[str, ...]
    query: Mapping[str, str]

    @classmethod
    def of(cls, query: Mapping[str, str], now: float) -> Scope:
        """Parse a query; invalid parameters are ignored."""
        seconds = RANGES.get(query.get("range", ""))
        return cls(
            now=now,
            since=_seconds(query, "from") if seconds is None else now - seconds,
            until=_seconds(query, "to") if seconds is None else None,
            wanted={name: query[name] for name in DIMENSIONS if query.get(name)},
            words=tuple(query.get("q", "").lower().split()),
            query=query,
        )

    @property
    def has_filters(self) -> bool:
        """Whether dimensions or search words are given."""
        return bool(self.wanted or self.words)

    @property
    def narrows(self) -> bool:
        """Whether a time range, dimensions or search words are given."""
        return self.has_filters or self.since is not None or self.until is not None

    def in_time(self, events: Iterable[Event]) -> list[Event]:
        """Return the events in the time range."""
        since, until = self.since or float("-inf"), self.until or float("inf")
        return [event for event in events if since <= event.timestamp < until]

    def fits(self, event: Event) -> bool:
        """Return whether an event matches the dimensions and words; the time is not compared."""
        if any(DIMENSIONS[name](event) != value for name, value in self.wanted.items()):
            return False
        return not self.words or _has(event, self.words)

    def number(self, name: str, default: int, most: int) -> int:
        """Return a parameter as a whole number from 0 to `most`; `default` when it is missing or invalid."""
        given = self.query.get(name, "")
        return min(int(given), most) if given.isascii() and given.isdigit() and len(given) < 10 else default

    def offset(self, total: int, limit: int, shown: int = 0) -> int:
        """Return the index of the first row of a page: the query's `offset`, else the page with the row `shown`.

        An offset beyond the end is that of the last page.
        """
        limit = max(limit, 1)
        last = max(total - 1, 0) // limit * limit
        return min(self.number("offset", shown // limit * limit, 10**9), last)


def choices(events: Iterable[Event]) -> Json:
    """Return the values of each dimension with the number of their events, the most frequent first."""
    events = list(events)
    counters = {name: Counter(map(value_of, events)) for name, value_of in DIMENSIONS.items()}
    return {
        name: [[value, count] for value, count in counter.most_common(_MAX_CHOICES) if value]
        for name, counter in counters.items()
    }


def _has(event: Event, words: tuple[str, ...]) -> bool:
    searched = [event.session_id or "", event.user_id or "", event.type, page(event)]
    for value in event.details.values():
        if isinstance(value, str):
            searched.append(value)
        elif isinstance(value, dict):
            searched.extend(inner for inner in value.values() if isinstance(inner, str))
    everything = "\n".join(searched).lower()
    return all(word in everything for word in words)


def _seconds(query: Mapping[str, str], name: str) -> float | None:
    given = query.get(name, "")
    return float(given) if given.isascii() and given.isdigit() and len(given) < 12 else None
