"""The terms of a search: all must be in an event; a minus excludes one, and `name=a,b` is a field with either value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .event_fields import NAME_END

_TERM = re.compile(r'(-?)((?:"[^"]*"?|[^\s"])+)')
_FIELD = re.compile(r"([\w.:-]+)=(.+)")


@dataclass(frozen=True, slots=True)
class Term:
    """One term: any of the texts must be in an event, or none of them when it is excluded.

    `name` is that of the field in upper case; a word of any field has none.
    """

    texts: tuple[str, ...]
    is_excluded: bool = False
    name: str = ""

    def fits(self, searched: str) -> bool:
        """Return whether a searched text has this term."""
        return any(text in searched for text in self.texts) is not self.is_excluded


def terms_of(query: str) -> tuple[Term, ...]:
    """Parse a search. Quotes keep spaces and commas: `browser=chrome,firefox -"timed out" tier=gold`."""
    return tuple(_terms(query.lower()))


def _terms(query: str) -> Iterable[Term]:
    negated = False
    for sign, given in _TERM.findall(query):
        if given == "not" and not sign:
            negated = True
            continue
        is_excluded = bool(sign) or negated
        negated = False
        name = ""
        if field := _FIELD.fullmatch(given):
            name = field[1].upper()
            texts = tuple(f"\n{name}{NAME_END}{value}\n" for value in _values(field[2]))
        else:
            texts = (given.replace('"', ""),)
        if all(texts) and texts:
            yield Term(texts, is_excluded, name)


def _values(given: str) -> list[str]:
    parts = re.findall(r'(?:"[^"]*"?|[^,"])+', given)
    return [part.replace('"', "") for part in parts]
