"""Pages and screens shown: `page_view_event` and `performance_navigation_event`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .. import url
from ..config import Config
from ..metadata import page_id
from ..span import SpanView
from ..view import NS_PER_MILLI
from . import http
from .rum_event import VERSION, Draft

PAGE_VIEW_EVENT = "com.amazon.rum.page_view_event"
NAVIGATION_EVENT = "com.amazon.rum.performance_navigation_event"

NOT_PAGES = re.compile(r"/(api|assets|graphql|health\w*|live\w*|metrics|ping|ready\w*|rpc|static|v\d+)(/.*)?|/_.*")
"""Paths that programs ask for rather than people; consulted where the response's content type is unknown."""

_NEXT_HOP = {"1.0": "http/1.0", "1.1": "http/1.1", "2": "h2", "2.0": "h2", "3": "h3"}


def is_page_served(view: SpanView, config: Config) -> bool:
    """Say whether a SERVER span answered a person with a page, as far as `page_views` leaves it to be guessed."""
    if config.page_views == "none" or not http.is_server(view, config) or http.method(view) != "GET":
        return False
    code = http.status(view)
    if code is None or code >= 400:
        return False
    return config.page_views == "all" or (code < 300 and _looks_like_page(view))


def is_screen_shown(view: SpanView, config: Config) -> bool:
    """Say whether a span is the showing of a screen: it names one, and nothing in its process caused it."""
    return (
        config.page_views != "none" and view.is_local_root and view.text("app.screen.name", "screen.name") is not None
    )


def page_served(view: SpanView, config: Config) -> Iterator[Draft]:
    """Yield page view and navigation of a page served; its duration is the server's part of the load."""
    yield _page_view(view, config)
    details = _navigation(view, initiator="navigation", start_millis=0)
    details["navigationType"] = "navigate"
    hop = _NEXT_HOP.get(view.text("network.protocol.version", "http.flavor") or "")
    if hop:
        details["nextHopProtocol"] = hop
    yield Draft(NAVIGATION_EVENT, view.end_ns, details)
    yield from http.server_events(view, config)


def screen_shown(view: SpanView, config: Config) -> Iterator[Draft]:
    """Yield page view and navigation of a screen.

    A route change starts at an epoch time, where a navigation starts at 0, as in AWS's web client.
    """
    yield _page_view(view, config)
    details = _navigation(view, initiator="route_change", start_millis=view.start_ns / NS_PER_MILLI)
    yield Draft(NAVIGATION_EVENT, view.end_ns, details)


def _page_view(view: SpanView, config: Config) -> Draft:
    shown = page_id(view) or view.name
    details: dict[str, Any] = {"version": VERSION, "pageId": shown}
    interaction = view.integer("app.screen.interaction")
    if interaction is not None:
        details |= {"interaction": interaction, "pageInteractionId": f"{shown}-{interaction}"}
        parent = view.text("app.screen.parent_screen.name", "last.screen.name", "app.screen.previous.name")
        if parent:
            details["parentPageInteractionId"] = f"{parent}-{interaction - 1}"
    referrer = view.header("referer")
    if referrer:
        details["referrer"] = url.scrub(referrer, config.url_query_parameters)
        details["referrerDomain"] = url.hostname(referrer) or ""
    return Draft(PAGE_VIEW_EVENT, view.start_ns, details)


def _navigation(view: SpanView, *, initiator: str, start_millis: float) -> dict[str, Any]:
    return {
        "version": VERSION,
        "initiatorType": initiator,
        "startTime": start_millis,
        "duration": view.duration_millis,
    }


def _looks_like_page(view: SpanView) -> bool:
    content_type = view.attributes.get("http.response.header.content_type")
    if content_type:
        return "html" in str(content_type).lower()
    shown = page_id(view)
    is_named = view.text("http.route") is not None
    return (
        is_named
        and shown is not None
        and not NOT_PAGES.fullmatch(shown)
        and http.file_type(shown) in {"other", "document"}
    )
