"""Strict JSON parsing, and short JSON quotes of values for messages.

Strict: the extensions of the standard that Python's parser accepts are errors.
"""

from __future__ import annotations

import json
import math
from typing import NoReturn

# RUM does not publish its limit. This one keeps recursive code, such as schema validation, far below Python's
# recursion limit.
MAX_DEPTH = 64

_QUOTE_CHARACTERS = 80


def parse(text: str) -> object:
    """Parse one JSON document; raise ValueError when it is not JSON or nests deeper than `MAX_DEPTH`."""
    too_deep = f"nested deeper than {MAX_DEPTH} levels"
    try:
        value = json.loads(text, parse_constant=_reject_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError(too_deep) from None
    if _deeper_than(MAX_DEPTH, value):
        raise ValueError(too_deep)
    return value


def dump(value: object) -> str:
    """Serialize a value as compact JSON. Lone surrogates become question marks, so that UTF-8 can encode it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode("utf-8")


def quote(value: object) -> str:
    """Serialize a value as JSON, shortened for a message, with escapes for invisible characters."""
    text = dump(value)
    if len(text) > _QUOTE_CHARACTERS:
        text = text[: _QUOTE_CHARACTERS - 1] + "…"
    return visible(text)


def visible(text: str) -> str:
    """Return a text with escapes for invisible characters, of which some change the order of what follows."""
    return text if text.isprintable() else "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def _deeper_than(limit: int, value: object) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent)]
    return any(isinstance(value, (dict, list)) for value in level)


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]}… is too large for a number")
    return number
