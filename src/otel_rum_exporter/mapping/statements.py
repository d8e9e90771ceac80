"""Statements of databases in texts: drivers and mappers of objects quote them in their messages, with their values."""

from __future__ import annotations

import re

from .._pattern import lazy_pattern

HINTS = ("insert into ", "replace into ", "select ", "update ", "delete from ", "sql: ", "-- parameters:")

PATTERN = r"""\bSQL:\s(?=insert|select|update|delete|replace|with)[^\n]* | --\sPARAMETERS:[^\n]*
    | \b(?:(?:insert|replace)\s+into|update|delete\s+from|select)\s
      (?:[^\n]{0,300}?\s)?(?:from|values|set|where)\b[^\n]*"""
"""A statement to the end of its line; Laravel and TypeORM name it or its values."""

_NAMED = lazy_pattern(r"((?:SQL|-- PARAMETERS): ?).*", re.IGNORECASE)
_VALUES = lazy_pattern(
    r"(\bvalues\s*)\((?:[^()'\n]|'[^'\n]*')*\)(?:\s*,\s*\((?:[^()'\n]|'[^'\n]*')*\))*", re.IGNORECASE
)
_LITERAL = lazy_pattern(r"((?:[=<>(,]|\b(?:i?like|between|and)\b)\s*)'(?:[^'\n]|'')*'", re.IGNORECASE)
_BINDS = lazy_pattern(r'\[\[".*\]\]')


def without_literals(found: re.Match[str], mask: str) -> str:
    """Return a statement, and what follows it in its line, without its values."""
    statement = _VALUES.sub(rf"\1({mask})", _NAMED.sub(rf"\1{mask}", found[0]))
    return _BINDS.sub(mask, _LITERAL.sub(rf"\1{mask}", statement))
