"""OpenTelemetry attribute values (AnyValue) as JSON values: total, so that no value can stop an export.

Values without a JSON form follow OpenTelemetry's rules:
https://opentelemetry.io/docs/specs/otel/common/#anyvalue
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

JsonValue = str | int | float | bool | list[Any] | dict[str, Any]

MAX_DEPTH = 8
"""Deeper values are written as text: RUM shows details as a flat table."""

_ITEM_BYTES = 64
"""Estimated size of a short string or a number, with its reference."""

MAX_SAFE_INTEGER = 2**53 - 1
"""Larger integers change when read as doubles, as browsers do."""


def json_value(value: object, depth: int = 0) -> JsonValue | None:  # noqa: PLR0911 - one return for each kind of value
    """Return the JSON form of an attribute value.

    NaN, infinities and integers beyond 2^53 become text, bytes Base64, lone surrogates `?`. None (an empty AnyValue)
    stays None inside lists and is left out of maps.
    """
    if isinstance(value, str):
        return json_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= MAX_SAFE_INTEGER else _digits(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _non_finite(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if depth >= MAX_DEPTH:
        return _as_text(value)
    if isinstance(value, Mapping):
        return json_object(value, depth + 1)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [json_value(item, depth + 1) for item in value]
    return _as_text(value)


def json_object(values: Mapping[Any, Any], depth: int = 0) -> dict[str, Any]:
    """Return a mapping as a JSON object, without members that are None."""
    found = {}
    for key, value in values.items():
        kind = type(value)
        if kind is str:
            item = value if value.isascii() else json_text(value)
        elif kind is bool or (kind is int and -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER):
            item = value
        else:
            item = json_value(value, depth)
        if item is not None:
            found[key if type(key) is str and key.isascii() else json_text(key)] = item
    return found


def json_text(value: object) -> str:
    """Return a value as text that UTF-8 and JSON can represent: lone surrogates become `?`."""
    if not isinstance(value, str):
        return _as_text(value)
    if value.isascii():
        return value if type(value) is str else str(value)
    if type(value) is str and value.isprintable():
        return value  # surrogates are not printable
    return value.encode("utf-8", "replace").decode("utf-8")


def size_bytes(value: object) -> int:
    """Estimate the memory of an attribute value of any depth, in bytes."""
    size, pending = 0, [value]
    while pending:
        item = pending.pop()
        size += _ITEM_BYTES
        if isinstance(item, (str, bytes, bytearray)):
            size += len(item)
        elif isinstance(item, (bool, int, float)):
            continue
        elif isinstance(item, Mapping):
            pending.extend(item.keys())
            pending.extend(item.values())
        elif isinstance(item, (list, tuple)):
            pending.extend(item)
    return size


def _digits(value: int) -> str:
    return str(value) if value.bit_length() < 4096 else hex(value)


def _non_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _as_text(value: object) -> str:
    try:
        return json_text(str(value))
    except Exception:  # noqa: BLE001 - __str__ of a value may raise anything, and one value must not cost its span
        return f"<{type(value).__name__}>"
