"""HTTP requests in the names of Micrometer's observations, which Spring Boot and others export as spans.

https://docs.spring.io/spring-framework/reference/integration/observability.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._attributes import METHODS, ROUTE, STATUSES, TARGETS, URLS

OUTCOME = "outcome"
"""An attribute of each such request; few other spans have it."""

_ROUTES = {"root": "/"}
_URL = URLS[1]


def as_http(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes of a request in OpenTelemetry's names; those of other spans as they are."""
    method, route, url = attributes.get("method"), attributes.get("uri"), attributes.get(_URL)
    if not isinstance(method, str) or not isinstance(route, str) or any(name in attributes for name in METHODS):
        return attributes
    found = {
        name: value for name, value in attributes.items() if name not in {"method", "uri", "status", OUTCOME, _URL}
    }
    found |= {METHODS[0]: method, STATUSES[0]: attributes.get("status")}
    if isinstance(url, str):
        found[TARGETS[0] if url.startswith("/") else URLS[0]] = url
    route = _ROUTES.get(route, route)
    return {**found, ROUTE: route} if route.startswith("/") and "**" not in route else found
