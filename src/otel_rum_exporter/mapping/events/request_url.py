"""The URL of an HTTP request, made or served."""

from __future__ import annotations

from ..._attributes import CLIENT_HOSTS, CLIENT_PORTS, ROUTE, SERVER_HOSTS, SERVER_PORTS, TARGETS, URLS
from .. import urls
from ..record_view import CLIENT, SERVER
from ..span_view import SpanView

HOSTS = {CLIENT: CLIENT_HOSTS, SERVER: SERVER_HOSTS}
PORTS = {CLIENT: CLIENT_PORTS, SERVER: SERVER_PORTS}
PATHS = {CLIENT: (*TARGETS, "url.template"), SERVER: (*TARGETS, ROUTE)}
"""Source attributes for the parts of a request's URL, in order of precedence."""


def request_url(view: SpanView) -> str | None:
    """Return the URL of a request, composed of its parts if the span has no whole URL."""
    whole = view.text(*URLS)
    if whole is not None:
        return whole
    kind = CLIENT if view.kind is CLIENT else SERVER
    target = view.text(*PATHS[kind])
    if target is None:
        return None
    query = view.text("url.query")
    return urls.compose(
        view.text("url.scheme", "http.scheme"),
        view.text(*HOSTS[kind]),
        view.integer(*PORTS[kind]),
        f"{target}?{query}" if query and "?" not in target else target,
    )
