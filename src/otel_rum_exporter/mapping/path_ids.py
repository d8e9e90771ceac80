"""Ids in paths and names, which are masked: a page or a type has one name.

A segment is an id by its form. Words of people, such as a plain first name, have no form and stay.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from .._pattern import lazy_pattern
from .caches import cache_short_texts
from .secret_forms import MASK as SECRET_MASK
from .secret_texts import scrub_text

MASK = "*"
"""Replaces an id; the extension of a file stays."""

MAX_SEGMENT_CHARS = 128
"""A longer segment with a digit, a capital letter or a sign is no name; it is masked without a look at its form."""

_SHORT_FOR_IDS = "acct|cus|cust|evt|inv|ord|sess|sku|tkn|tok|txn|uid|usr"
_WORDS_OF_IDS = (
    "account|acct|booking|case|cus|cust|customer|doc|evt|id|inv|invoice|item|job|msg|nr|no|num|ord|order|pay|post|"
    "product|ref|sess|session|sku|task|ticket|tkn|tok|tx|txn|uid|user|usr|u"
)

ID_FORMS: tuple[tuple[str, str, str], ...] = (
    ("numbers, also with separators, and dates", "4711", r"[+#$~]?\d[\d ().,:_-]*"),
    (
        "UUIDs",
        "7f9c24e8-3b12-4c5d-9e8f-0a1b2c3d4e5f",
        r"(?:[\w-]*[_:-])?\{?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?(?:[_:-][\w-]*)?",
    ),
    (
        "times, addresses in memory and of machines",
        "20261129T101112Z",
        r"\d{4}-?\d\d-?\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)?|0x[0-9a-fA-F]+|(?=.*:.*:)(?=\D*\d)[0-9a-fA-F:.]*:[0-9a-fA-F:.]*",
    ),
    ("digests and object ids", "5f3a9c01deadbeef", r"(?=[a-fA-F]*\d)[0-9a-fA-F]{6,}|[0-9a-fA-F]{32,}"),
    ("ULIDs", "01ARZ3NDEKTSV4RRFFQ69G5FAV", r"[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}"),
    ("tokens", "eyJhbGciOiJIUzI1NiJ9abc", r"(?=\D*\d)[A-Za-z0-9_~=+-]{20,}|eyJ[\w.=-]+"),
    ("e-mail addresses", "ann@example.com", r".*(?:@|%40).*"),
    ("ids with a prefix", "ORD-2024-000123", rf"(?i:(?:{_WORDS_OF_IDS})[-_:.#=]?\d[\w-]*)"),
    ("ids with a short prefix", "usr_abc", rf"(?i:(?:{_SHORT_FOR_IDS})[-_:][\w-]+)"),
    ("ids with letters and four digits or more", "INV0012", r"[A-Za-z]{1,12}[-_:.]?\d{4,}\w{0,2}|[A-Z]{1,4}\d{3,}"),
    (
        "groups with three digits or more",
        "AB-12-3456",
        r"(?=(?:.*[-_:.])?\d{3,}(?:[-_:.]|\Z))[A-Za-z0-9]+(?:[-_:.][A-Za-z0-9]+)+",
    ),
    (
        "prefix and random letters",
        "cus_NffrFeUfNV",
        r"[a-z]{2,12}_(?:[a-z]{2,8}_)?(?=\w*(?:\d[a-zA-Z]+\d|[a-z][A-Z]+[a-z]+[A-Z]))[A-Za-z0-9]{6,}",
    ),
    ("capital letters and digits", "1Z999AA10123456784", r"(?=(?:[A-Z]*\d){4})[A-Z0-9]{8,}"),
    ("names of cloud resources", "arn:aws:iam::123456789012:user", r"arn:.*|urn:.*|sha\d{1,3}:.*"),
    ("people's handles", "@ann", r"[~@].+"),
)
"""A name of the form, an example, and the pattern of a whole segment."""

_FORMS = lazy_pattern("|".join(f"(?:{pattern})" for _, _, pattern in ID_FORMS))
_EXTENSION = lazy_pattern(r"(.+?)((?:\.(?:min|bundle|chunk|esm|module))*\.(?!\d+\Z)[A-Za-z][A-Za-z0-9]{0,9})")
_VERSION = lazy_pattern(r"[vV]?\d{1,2}(?:\.\d{1,3}){1,2}|v\d{1,3}|[1-5][x\d]{2}|api\d?", re.ASCII)
_PIECES = lazy_pattern(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_RANDOM = lazy_pattern(r"(?=[^a-zA-Z]*[a-zA-Z])(?=.*(?:\d|[a-z][A-Z]))[A-Za-z0-9_~=+-]{8,}")
_PARTS = lazy_pattern(r"((?<=-)\d{1,2}(?:\.\d{1,3}){1,2}(?![\w.])|[.()',;!-])")
"""Separators of the parts of a segment. A version, as in `python-3.11`, is one of them, so that it stays."""

_SPLIT = lazy_pattern(r"(\s+)")
_NUMBERED = lazy_pattern(r"[A-Za-z]*[-_#.]?\d{0,3}")
_HAS_SIGN = lazy_pattern(rf"[\d@%=~{{:A-Z]|(?<![A-Za-z])(?:{_SHORT_FOR_IDS})[-_]")
"""Every id has a digit, a capital letter or one of these signs."""


_MAY_HAVE_SECRET = lazy_pattern(r"[%=@:;'\"&<]|[A-Za-z0-9_-]{16}")
"""A segment that may have a secret whose form is no id's. The search for secrets is costly, and nearly none has."""

_FOLDERS_OF_PEOPLE = frozenset({"home", "Users"})
"""Below one of them is a folder with a person's name."""


def mask_path(path: str) -> str:
    """Return a path with id-like segments replaced by `*`, so that one page has one name."""
    harmless = [*map(_harmless, path.split("/"))]
    if None not in harmless:
        return "/".join(harmless)  # type: ignore[arg-type] # none of them is None
    if not _HAS_SIGN.search(path):
        return path
    segments = [*map(_masked, path.split("/"))]
    masked = "/".join(segments)
    may_have_secret = any(map(_MAY_HAVE_SECRET.search, segments)) or "/home/" in masked or "/Users/" in masked
    return scrub_text(masked).replace(SECRET_MASK, MASK) if may_have_secret else masked


def mask_name(name: str) -> str:
    """Return a name with id-like words and path segments replaced by `*`; numbers of up to three digits stay."""
    if not _HAS_SIGN.search(name):
        return name
    return "".join(_masked_word(part) for part in _SPLIT.split(name))


def is_id(segment: str) -> bool:
    """Return whether a segment of a path is an id by its form."""
    if _VERSION.fullmatch(segment) and not segment.isdigit():
        return False
    return bool(_FORMS.fullmatch(segment)) or _is_random(segment)


def harmless(segment: str) -> str | None:
    """Return a masked segment; None if it may have a secret, or be the folder of a person's files."""
    if segment.isdecimal():
        return MASK
    masked = _masked(segment)
    return None if masked in _FOLDERS_OF_PEOPLE or _MAY_HAVE_SECRET.search(masked) else masked


_harmless = cache_short_texts(4096, MAX_SEGMENT_CHARS)(harmless)


@cache_short_texts(4096, MAX_SEGMENT_CHARS)
def _masked(segment: str) -> str:  # noqa: PLR0911 - one return for each form
    if segment.isdecimal():
        return MASK
    if not _HAS_SIGN.search(segment):
        return segment
    if len(segment) > MAX_SEGMENT_CHARS:
        return MASK
    if "%" in segment:
        plain = unquote(segment)
        return segment if _masked(plain.replace("%", "")) == plain else MASK
    if is_id(segment):
        named = _EXTENSION.fullmatch(segment)
        return f"{MASK}{named[2]}" if named and "@" not in segment and is_id(named[1]) else MASK
    if _VERSION.fullmatch(segment):
        return segment
    named = _EXTENSION.fullmatch(segment)
    stem, extension = (named[1], named[2]) if named else (segment, "")
    if named and is_id(stem):
        return MASK + extension
    parts = _PARTS.split(stem)
    if len(parts) == 1:
        return segment
    return "".join(MASK if len(part) > 1 and _is_id_part(part) else part for part in parts) + extension


def _masked_word(word: str) -> str:
    if "/" in word:
        return mask_path(word)
    bare = word.strip("()[]{}<>'\",;!?#")
    if _NUMBERED.fullmatch(bare):
        return word
    return word.replace(bare, _masked(bare))


def _is_id_part(part: str) -> bool:
    """Return whether a part of a segment, as of `app.3f2a9c01.js`, is an id: a number or random text."""
    if part.isdigit():
        return True
    return bool(re.fullmatch(r"(?=[a-fA-F]*\d)[0-9a-fA-F]{6,}", part)) or _is_random(part) or "@" in part


def _is_random(text: str) -> bool:
    """Return whether a text is made of very short pieces, as random letters and digits are, and words are not."""
    if not _RANDOM.fullmatch(text):
        return False
    pieces = _PIECES.findall(text)
    return sum(map(len, pieces)) < (2.3 if len(text) < 14 else 2.7) * len(pieces)
