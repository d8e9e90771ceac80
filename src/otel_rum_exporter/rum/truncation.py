"""What leaves an event that is too large, in order: links, span events, the ends of long texts, the largest attributes.

A Python traceback keeps its end, where the error is; every other text keeps its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

ELLIPSIS = "..."
TEXT_CHARS = (4000, 3000, 2000, 1000, 500, 250, 120, 60)
"""Longest text left by each step of trimming."""

PYTHON_TRACEBACK = "Traceback (most recent call last):"

Json = dict[str, Any]


def trimmings(details: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[tuple[Json, Json]]:
    """Yield details and metadata ever smaller, until nothing more can be left out."""
    kept, own = dict(details), dict(metadata)
    for member in ("links", "events"):
        if member in kept:
            kept = {name: value for name, value in kept.items() if name != member}
            yield kept, own
    for limit in TEXT_CHARS:
        kept, own = _shortened(kept, limit), _shortened(own, limit)
        yield kept, own
    attributes = kept.get("attributes", {})
    largest = sorted(attributes, key=lambda name: len(repr(attributes[name])), reverse=True)
    removed = 0
    while removed < len(largest):
        removed = min(len(largest), 2 * removed or 1)
        left = set(largest[removed:])
        kept = {**kept, "attributes": {name: value for name, value in attributes.items() if name in left}}
        yield kept, own


def cut(value: str, limit: int) -> str:
    """Return the beginning of a text of more than `limit` characters."""
    return value if len(value) <= limit else value[: max(0, limit - len(ELLIPSIS))] + ELLIPSIS


def cut_stack(stack: str, limit: int) -> str:
    """Return the part of a stack trace that names the error: the end of a Python traceback, else the beginning."""
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
