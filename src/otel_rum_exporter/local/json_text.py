"""JSON text: strict reading, and short quotes of values for messages.

Strict means that what Python's reader lets through beyond the standard is an error here. What the values mean is not
known here.
"""

from __future__ import annotations

import json
import math
from typing import NoReturn

# RUM's real limit is published nowhere. This one keeps every later walk over a value, schema validation being the
# deepest, far from Python's recursion limit.
MAX_DEPTH = 64

_QUOTE_CHARACTERS = 80


def parse(text: str) -> object:
    """Read one JSON document; raise ValueError for anything that is not JSON or nests deeper than `MAX_DEPTH`."""
    too_deep = f"nested deeper than {MAX_DEPTH} levels"
    try:
        value = json.loads(text, parse_constant=_reject_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError(too_deep) from None
    if _deeper_than(MAX_DEPTH, value):
        raise ValueError(too_deep)
    return value


def dump(value: object) -> str:
    """Write a value as compact JSON that can always be encoded: lone surrogates become question marks."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode("utf-8")


def quote(value: object) -> str:
    """Write a value as JSON, shortened for a message."""
    text = dump(value)
    return text if len(text) <= _QUOTE_CHARACTERS else text[: _QUOTE_CHARACTERS - 1] + "…"


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
