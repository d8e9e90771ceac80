"""Requests served: which spans they are, and which of them no person made.

OpenTelemetry's Python instrumentations give the kind INTERNAL to each request below another span: an inner
application's, and any below a span that encloses the whole process, such as that of the command that runs the server.
Here because `mapping` and `sessions` do not import each other.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from opentelemetry.trace import SpanKind

from ._attributes import METHODS, ROUTE, TARGETS
from ._pattern import lazy_pattern

_SCOPES = lazy_pattern(r"opentelemetry[._]instrumentation[._]")
_OF_REQUESTS = frozenset((ROUTE, *TARGETS, "url.scheme", "http.scheme"))
_OF_MESSAGES = frozenset({"asgi.event.type"})

PROGRAMS = lazy_pattern(
    r"archiver|(?<!\bcu)bot\b|crawl|externalhit|health|https?://|inspectiontool|lighthouse|monitor|pingdom|preview|probe"
    r"|scan(?:ner|ning)?\b|slurp|spider|synthetic|uptime|Yandex[A-Z]",
    re.IGNORECASE,
)
"""User agents of programs that identify as browsers; other programs do not start with "Mozilla/".

Crawlers give the address of a page about themselves, and browsers give none. CUBOT makes telephones.
"""

_STATE = r"(?:health|healthy|heartbeat|ping|status|up|live|alive|ready|startup)"
_DETAIL = r"(?:/(?:live|liveness|ready|readiness|startup|db|full))?"
_END = r"(?:\.(?:json|html?|php|txt|xml|aspx?|jsp))?/?"
HEALTH_CHECKS = lazy_pattern(
    rf"""(?:/[^/]+){{0,3}}/_{{0,2}}(?:healthz|health[-_]?checks?z?|liveness|readiness|livez|readyz|startupz
            |startup-?probe|(?:elb|lb)[-_]?(?:health|heartbeat|status)(?:__)?|heartbeat__){_DETAIL}{_END}
      | (?:/(?:api|actuator|internal|management|monitor|system|v\d{{1,2}}|_ah|-|\.well-known))+/{_STATE}{_DETAIL}{_END}
      | /_?(?:health|healthy|heartbeat|pingz?|_status){_DETAIL}{_END}
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Paths and routes that frameworks and orchestrators use for their checks."""

CHECKS_BY_PROGRAMS = lazy_pattern(
    rf"(?:/[^/]+){{0,3}}/(?:health|healthy|heartbeat|startup){_DETAIL}{_END}|/(?:status|up|live|ready|alive|metrics){_END}",
    re.IGNORECASE,
)
"""Paths that are checks if a program asks for them, and pages of a site if a browser does."""


def is_browser(user_agent: str) -> bool:
    """Return whether a user agent is that of a person's browser."""
    return user_agent.startswith("Mozilla/") and not PROGRAMS.search(user_agent)


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
