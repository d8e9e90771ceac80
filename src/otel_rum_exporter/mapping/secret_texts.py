"""Remove secrets and personal data from texts, by the table in `secret_forms`.

Nearly all texts have no secret, so `secret_hints` decides which rows of the table are tried.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from .._pattern import lazy_pattern
from .caches import cache_short_texts
from .secret_forms import BLOCKS, MASK, SECRET_TEXTS, keep_key
from .secret_hints import BLOCK, KEYS, OF_DIGITS, has_any, has_hint, names_secret, rows_of

MAX_CHARS = 8192
"""Longer texts are cut, because an event has at most 6,000 bytes, and a search takes a second for some megabytes."""

MAX_ENCODINGS = 3
"""The number of times that a part of a URL may be percent-encoded."""

MAX_ENCODED_PARTS = 100
"""Above this many percent signs, only whole words are decoded: each part takes some microseconds."""

MAX_CACHED_CHARS = 160
"""Longer texts are rarely repeated; stacks are cached where they are cut."""

_PART = lazy_pattern(r"""[^\s/?#&;='"<>]+""")
_WORD = lazy_pattern(r"\S+")

_WEBHOOKS = next(row for row in SECRET_TEXTS if row.what == "webhooks whose path is a secret")
_HOMES = next(row for row in SECRET_TEXTS if row.what == "the user's name in paths of home directories")


@cache_short_texts(2048, MAX_CACHED_CHARS)
def scrub_text(text: str) -> str:
    """Return free text without the secrets and personal data of the table."""
    if len(text) > MAX_CHARS:
        text = without_blocks(text)[:MAX_CHARS]
    encoded = text.count("%")
    if not encoded:
        return _scrub(text)
    if encoded <= MAX_ENCODED_PARTS:
        # Before whole words, so that the rest of a URL stays.
        text = _PART.sub(_mask_encoded, text)
    return _WORD.sub(_mask_encoded, _scrub(text))


def _mask_encoded(found: re.Match[str]) -> str:
    """Return a text, or the mask if it is percent-encoded and has a secret."""
    if "%" not in found[0]:
        return found[0]
    plain, form = found[0], found[0].replace("+", " ")
    for _ in range(MAX_ENCODINGS):
        plain, form = unquote(plain), unquote(form)
    is_clean = _scrub(plain) == plain and (form == plain or _scrub(form) == form)
    return found[0] if plain == found[0] or is_clean else MASK


def _scrub(text: str) -> str:
    """Return a text without the secrets that it has in plain form."""
    rows = rows_of(text)
    if not rows:
        return text
    if BLOCK in rows:
        text = without_blocks(text)
        rows = rows_of(text)
    clean = text
    for number, row in enumerate(SECRET_TEXTS):
        # Rows without hints are tried although an earlier row removed the digits.
        if number in rows if clean == text or number in OF_DIGITS else has_hint(number, clean):
            clean = _scrub_lines(clean) if number == KEYS else row.pattern.sub(row.replacement, clean)
    return clean


def may_be_webhook(url: str) -> bool:
    """Return whether a URL, or a part of one, can be that of a webhook."""
    return has_any(_WEBHOOKS.hints, url)


def scrub_webhook(url: str) -> str:
    """Return a URL without the secret that is the path of a webhook."""
    return _WEBHOOKS.pattern.sub(_WEBHOOKS.replacement, url) if may_be_webhook(url) else url


def scrub_file(path: str) -> str:
    """Return the path of a source file without the name of the user whose home directory it is in."""
    return _HOMES.pattern.sub(_HOMES.replacement, f"'{path}'")[1:-1] if has_any(_HOMES.hints, path) else path


def without_blocks(text: str) -> str:
    """Return a text without statements, parameters and private keys, which can have many lines.

    Call it before a long text is cut: a cut can remove the start by which a block is found.
    """
    for _, start, ends in (block for block in BLOCKS if block[1] in text):
        text = _without(text, start, ends)
    return text


def _without(text: str, start: str, ends: tuple[str, ...]) -> str:
    kept: list[str] = []
    at = 0
    while True:
        begin = text.find(start, at)
        if begin < 0:
            return "".join((*kept, text[at:]))
        kept.append(text[at : begin + len(start)] + MASK)
        found = (text.find(end, begin) for end in ends)
        at = next((position for position in found if position >= 0), len(text))


def _scrub_lines(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(SECRET_TEXTS[KEYS].pattern.sub(keep_key, line) if names_secret(line) else line for line in lines)
