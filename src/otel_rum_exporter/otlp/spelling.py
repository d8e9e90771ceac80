"""Other spellings of OTLP in JSON: those before version 0.15, and protobuf's field names in snake case.

Members of OTLP have fixed names, so another spelling of one has one meaning.
"""

from __future__ import annotations

import re
from typing import Any

from .proto_json import Message, items, message

_MAYBE_OTHER_SPELLING = re.compile(rb'_[a-z_]*"\s*:')
"""Begins with a rare character, which takes a seventh of the search for names."""

_OTHER_SPELLING = re.compile(rb'"(?:[a-z]+_[a-z_]+|instrumentationLibrary\w*)"\s*:')

FORMER_NAMES = {
    "instrumentationLibrarySpans": "scopeSpans",
    "instrumentationLibraryLogs": "scopeLogs",
    "instrumentationLibrary": "scope",
}
_SCOPES = {"resourceSpans": "scopeSpans", "resourceLogs": "scopeLogs"}
_MAX_DEPTH = 200


def request(value: Any, body: bytes | str) -> Message:
    """Return a request with the names of OTLP; also of the block of one resource, and of a list of such or of requests.

    OpenTelemetry's exporters for the logs of Java and JavaScript write blocks, and queries of stores return lists.

    Raises:
        MalformedError: if it is none of these.
    """
    text = body if isinstance(body, bytes) else body.encode("utf-8", "replace")
    if (_MAYBE_OTHER_SPELLING.search(text) or b'"instrumentationLibrary' in text) and _OTHER_SPELLING.search(text):
        value = _renamed(value, 0)
    if not isinstance(value, list):
        return _with_blocks(message(value))
    parts = [_with_blocks(one) for one in value if isinstance(one, dict)]
    if not value or len(parts) < len(value) or not all(_SCOPES.keys() & part.keys() for part in parts):
        return message(value)
    return {name: [block for part in parts for block in items(part, name)] for name in _SCOPES}


def _with_blocks(fields: Message) -> Message:
    """Return a request; a block of one resource is made one."""
    return next(({name: [fields]} for name, scopes in _SCOPES.items() if scopes in fields), fields)


def _renamed(value: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return value
    if isinstance(value, list):
        return [_renamed(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, item in value.items():
        correct = _correct(name)
        # The correct spelling takes precedence if a message has both.
        if correct == name or correct not in value:
            found[correct] = _renamed(item, depth + 1)
    return found


def _correct(name: str) -> str:
    head, *rest = name.split("_")
    camel = head + "".join(part.capitalize() for part in rest) if head and rest else name
    return FORMER_NAMES.get(camel, camel)
