"""The filters in a console URL: time range, dimensions and a search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ..record import Event
from .event_fields import DIMENSIONS, id_words, lines, own_fields, shared_words
from .search import Term, terms_of

MAX_ROWS = 500

_T = TypeVar("_T")

RANGES = {"5m": 300, "15m": 900, "1h": 3600, "6h": 21_600, "1d": 86_400, "7d": 604_800}
"""Time ranges that end now, in seconds. Any other value: all time."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A time range in epoch seconds (None: open), the wanted value of each dimension, and a search.

    `query` has all parameters, including those of a single view.
    """

    now: float
    since: float | None
    until: float | None
    wanted: Mapping[str, str]
    terms: tuple[Term, ...]
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
            terms=terms_of(query.get("q", "")),
            query=query,
        )

    @property
    def has_filters(self) -> bool:
        """Whether dimensions or search words are given."""
        return bool(self.wanted or self.terms)

    @property
    def narrows(self) -> bool:
        """Whether a time range, dimensions or search words are given."""
        return self.has_filters or self.since is not None or self.until is not None

    def fits(self, event: Event) -> bool:
        """Return whether an event matches the dimensions and words; the time is not compared."""
        if any(DIMENSIONS[name](event) != value for name, value in self.wanted.items()):
            return False
        if not self.terms:
            return True
        words = id_words(event.session_id, event.user_id) + shared_words(event)
        words += lines([("type", event.type), *own_fields(event)])
        return all(term.fits(words) for term in self.terms)

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

    def sorted(
        self, rows: Iterable[_T], orders: Mapping[str, Callable[[_T], Any]], by_name: str = ""
    ) -> tuple[str, list[_T]]:
        """Return the query's `sort` and the rows in that order; the first of `orders` when it is missing or invalid.

        The order `by_name` ascends, the others descend. A minus before the order reverses it. Rows that are equal stay
        in the order of `by_name`.
        """
        asked = self.query.get("sort", "")
        order = asked.removeprefix("-")
        if order not in orders:
            asked = order = next(iter(orders))
        in_names = sorted(rows, key=orders[by_name]) if by_name else list(rows)
        is_reversed = (order != by_name) is not asked.startswith("-")
        return asked, sorted(in_names, key=orders[order], reverse=is_reversed)


def _seconds(query: Mapping[str, str], name: str) -> float | None:
    given = query.get(name, "")
    return float(given) if given.isascii() and given.isdigit() and len(given) < 12 else None
