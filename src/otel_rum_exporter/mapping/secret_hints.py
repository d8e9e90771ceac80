"""Which rows of the table of secret texts are tried for a text, found by the words of the text.

Apart from `secret_texts`, because it is derived from the table and changes no text. Words repeat more often than texts,
also those of stacks, so the hints in a word are remembered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

from .._pattern import lazy_pattern
from . import issuer_prefixes, secret_words
from .caches import cache_short_texts
from .secret_forms import BLOCKS, SECRET_TEXTS

BLOCK = -1
"""Stands for all blocks where rows are meant by their numbers."""

KEYS, ISSUED = (
    next(number for number, row in enumerate(SECRET_TEXTS) if row.what == what)
    for what in ("values after a secret's name", "keys and tokens with the prefix of their issuer")
)
"""Rows that need more than a hint, by their numbers."""

_IGNORING_CASE = frozenset(number for number, row in enumerate(SECRET_TEXTS) if row.flags & re.IGNORECASE)

OF_DIGITS = frozenset(number for number, row in enumerate(SECRET_TEXTS) if not row.hints)
"""Rows without hints, by their numbers: they need digits."""

_STEMS = (
    *("key", "authori", "cookie", "credential", "csrf", "passw", "passphrase", "passcode", "pwd", "secret", "token"),
    *("jwt", "signature", "session", "ssn", "social", "card", "cvv", "cvc", "iban", "name", "phone", "mail", "birth"),
    *("passport", "national", "tax", "recovery", *secret_words.ASCII_STEMS),
    *("saml", "uid=", "auth", "pass", "pin", "otp", "sig", "sid", "address", "city", "zip", "nonce"),
    *secret_words.OTHER_STEMS,
)
"""Parts of the names of secrets in small letters."""

_HAS_RUN = lazy_pattern(r"[\w+/=-]{8}")
_HAS_SEPARATOR = lazy_pattern(r"[=:\uff1d\uff1a]|%(?:25)?3[Dd]|\([bB]?['\"]")
_DIGITS = lazy_pattern(r"\d(?:[\d -]{7}|\d\d\.\d{3,4}\.)")  # one start is found three times faster than two
_START_OF_DIGITS = lazy_pattern(r"\d(?:[\d-]{7}|[\d-]*\Z|\d\d\.\d{3,4}\.)")
"""Matches the word in which a match of `_DIGITS` starts: its digits, or those before the first space."""

_UNUSUAL_LETTERS = (("i\u0307", "i"), ("\u0131", "i"), ("\u017f", "s"), ("\u1c82", "\u043e"))
"""Small letters that `str.lower` returns or leaves, and the letters for which `re` takes them when it ignores case."""

Reason: TypeAlias = tuple[int, str]
"""A row that a word can be a reason to try, and the hint that must be in the text; empty if it is in the word."""

_SIGNS = frozenset(hint for row in SECRET_TEXTS for hint in row.hints if len(hint) == 1 and hint.isascii())
_SIGNS_OF_ROWS = tuple(
    (number, sign) for number, row in enumerate(SECRET_TEXTS) if number != KEYS for sign in row.hints if sign in _SIGNS
)
"""Signs that many words have, and that are found fast in the text."""

_NOTHING: frozenset[Reason] = frozenset()


def rows_of(text: str) -> set[int]:
    """Return the rows to try for a text by their numbers, and `BLOCK` if a block starts in it."""
    # White space divides a hint as it divides the text, so the parts of a hint in the text are in words.
    found = _NOTHING.union(*map(_reasons_of, text.split()))
    normalized = _normalized(text) if found else text
    rows = {
        number
        for number, hint in (*_SIGNS_OF_ROWS, *found)
        if hint in (normalized if number in _IGNORING_CASE else text)
    }
    if KEYS in rows and not _HAS_SEPARATOR.search(text):
        rows.remove(KEYS)
    if ISSUED in rows and not _HAS_RUN.search(text):
        rows.remove(ISSUED)
    if not rows.isdisjoint(OF_DIGITS) and not _DIGITS.search(text):
        rows -= OF_DIGITS
    return rows


def has_hint(number: int, text: str) -> bool:
    """Return whether to try a row that needs no digits, by a search for its hints in the whole text.

    It is faster than `rows_of` for a text whose words are new. A long word takes milliseconds there.
    """
    if number == KEYS:
        return bool(_HAS_SEPARATOR.search(text)) and has_any(_STEMS, _in_small_letters(text))
    hints = SECRET_TEXTS[number].hints
    is_found = has_any(hints, _normalized(text) if number in _IGNORING_CASE else text)
    if number == ISSUED:
        return bool(_HAS_RUN.search(text)) and (is_found or bool(issuer_prefixes.WITHOUT_HINT.search(text)))
    return is_found


def _normalized(text: str) -> str:
    """Return a text as the hints of rows that ignore case are written: in small letters, with single spaces."""
    return " ".join(_in_small_letters(text).split())


def _in_small_letters(text: str) -> str:
    """Return a text in the small letters that `re` takes its letters for when it ignores case."""
    small = text.lower()
    if not small.isascii():
        for letter, usual in _UNUSUAL_LETTERS:
            small = small.replace(letter, usual)
    return small


def has_any(parts: tuple[str, ...], text: str) -> bool:
    """Return whether a text has one of some parts; three times faster than `any`."""
    for part in parts:  # noqa: SIM110
        if part in text:
            return True
    return False


def names_secret(line: str) -> bool:
    """Return whether a line can contain a secret's name; much cheaper than the pattern."""
    return bool(_HAS_SEPARATOR.search(line)) and (KEYS, "") in _NOTHING.union(*map(_reasons_of, line.split()))


def _parts() -> Iterator[tuple[str, Reason]]:
    """Yield the longest part of each hint that has no white space, and the reason that it is."""
    for number, row in enumerate(SECRET_TEXTS):
        if number != KEYS:
            yield from ((max(hint.split(), key=len), (number, hint)) for hint in row.hints if hint not in _SIGNS)
    yield from ((stem, (KEYS, "")) for stem in _STEMS)
    yield from ((max(start.split(), key=len), (BLOCK, start)) for _, start, _ in BLOCKS)


_OTHER_PARTS = tuple(part for part in _parts() if not part[0].isascii())
_BY_START: dict[str, list[tuple[str, Reason]]] = {}
"""Parts in ASCII by their first two characters. One pattern of all parts takes 10 ms to compile."""
for _part, _reason in _parts():
    if _part.isascii():
        _BY_START.setdefault(_part[:2], []).append((_part, _reason))


@cache_short_texts(4096, 128)
def _reasons_of(word: str) -> frozenset[Reason]:
    """Return the reasons of a word's hints, also of those that it has only in small letters."""
    small = _in_small_letters(word)
    both = word if small == word else f"{word} {small}"
    found = set() if both.isascii() else {reason for part, reason in _OTHER_PARTS if part in both}
    for start in range(len(both) - 1):
        for part, reason in _BY_START.get(both[start : start + 2], ()):
            if both.startswith(part, start):
                found.add(reason)
    if "." in word and issuer_prefixes.WITHOUT_HINT.search(word):
        found.add((ISSUED, ""))
    if _START_OF_DIGITS.search(word):
        found.update((number, "") for number in OF_DIGITS)
    return frozenset(found)
