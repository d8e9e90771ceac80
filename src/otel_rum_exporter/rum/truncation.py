"""Trims an event that is too large: links first, then span events, the ends of long texts, and the largest attributes.

A Python traceback keeps its end, which names the error. All other texts keep their beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

ELLIPSIS = "..."
TEXT_CHARS = (4000, 3000, 2000, 1000, 500, 250, 120, 60)
"""The maximum length of a text after each step."""

PYTHON_TRACEBACK = "Traceback (most recent call last):"

Json = dict[str, Any]


def trimmings(details: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[tuple[Json, Json]]:
    """Yield smaller and smaller details and metadata, until nothing more can be removed."""
    trimmed, trimmed_metadata = dict(details), dict(metadata)
    for member in ("links", "events"):
        if member in trimmed:
            trimmed = {name: value for name, value in trimmed.items() if name != member}
            yield trimmed, trimmed_metadata
    for limit in TEXT_CHARS:
        trimmed, trimmed_metadata = _shortened(trimmed, limit), _shortened(trimmed_metadata, limit)
        yield trimmed, trimmed_metadata
    attributes = trimmed.get("attributes", {})
    largest = sorted(attributes, key=lambda name: len(repr(attributes[name])), reverse=True)
    removed = 0
    while removed < len(largest):
        removed = min(len(largest), 2 * removed or 1)
        rest = set(largest[removed:])
        trimmed = {**trimmed, "attributes": {name: value for name, value in attributes.items() if name in rest}}
        yield trimmed, trimmed_metadata


def cut(value: str, limit: int) -> str:
    """Return a text, cut at its end to `limit` characters."""
    return value if len(value) <= limit else value[: max(0, limit - len(ELLIPSIS))] + ELLIPSIS


def cut_stack(stack: str, limit: int) -> str:
    """Return a stack trace, cut to `limit` characters. A Python traceback keeps its end, any other its beginning."""
    if len(stack) <= limit or PYTHON_TRACEBACK not in stack:
        return cut(stack, limit)
    head = f"{PYTHON_TRACEBACK}\n  {ELLIPSIS}\n"
    tail = stack[-max(1, limit - len(head)) :]
    _, newline, whole_lines = tail.partition("\n")
    return head + (whole_lines if newline and whole_lines.strip() else tail)


def _shortened(value: Any, limit: int, key: str = "") -> Any:
    if isinstance(value, str):
        return cut_stack(value, limit) if key == "stack" else cut(value, limit)
    if isinstance(value, dict):
        return {name: _shortened(item, limit, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item, limit) for item in value]
    return value
