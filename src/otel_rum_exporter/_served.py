"""Spans of requests served that OpenTelemetry's Python instrumentations give the kind INTERNAL.

They do so for each request below another span: an inner application's, and any below a span that encloses the whole
process, such as that of the command that runs the server. Here because `mapping` and `sessions` do not import each
other.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from opentelemetry.trace import SpanKind

from ._attributes import METHODS, ROUTE, TARGETS

_SCOPES = re.compile(r"opentelemetry[._]instrumentation[._]")
_OF_REQUESTS = frozenset((ROUTE, *TARGETS, "url.scheme", "http.scheme"))
_OF_MESSAGES = frozenset({"asgi.event.type"})


def is_instrumentation(scope: str) -> bool:
    """Return whether a scope is that of an instrumentation that may do so. Those for clients make CLIENT spans only."""
    return _SCOPES.match(scope) is not None


def are_of_request(names: Collection[str]) -> bool:
    """Return whether a request served has attributes of these names, by OpenTelemetry's semantic conventions."""
    found = frozenset(names)
    return not found.isdisjoint(METHODS) and not found.isdisjoint(_OF_REQUESTS) and found.isdisjoint(_OF_MESSAGES)


def is_request(span: object) -> bool:
    """Return whether a running span is a request served, whatever its kind; an enclosing request is not considered."""
    kind = getattr(span, "kind", None)
    if kind is SpanKind.INTERNAL:
        scope = getattr(getattr(span, "instrumentation_scope", None), "name", None)
        return (
            isinstance(scope, str)
            and is_instrumentation(scope)
            and are_of_request(getattr(span, "attributes", None) or ())
        )
    return kind is SpanKind.SERVER
