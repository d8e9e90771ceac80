"""Pages shown: `page_view_event` and `performance_navigation_event`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .. import url
from ..config import Config
from ..metadata import page_id
from ..span import SpanView
from ..view import NS_PER_MILLI, View
from . import http, resource
from .rum_event import VERSION, Draft

PAGE_VIEW_EVENT = "com.amazon.rum.page_view_event"
NAVIGATION_EVENT = "com.amazon.rum.performance_navigation_event"

NOT_PAGES = re.compile(
    r"(/[^/]*)?/(api|assets|graphql|health\w*|live\w*|metrics|ping|ready\w*|rpc|static|v\d+|ws)(/.*)?|/_.*",
    re.IGNORECASE,
)
"""Paths that programs ask for rather than people; consulted where the response's content type is unknown."""

NOT_PEOPLE = re.compile(r"bot\b|crawl|health|monitor|pingdom|probe|spider|uptime", re.IGNORECASE)
"""User agents of programs that call themselves browsers; every other program does not begin with "Mozilla/"."""

PARENT_SCREENS = ("app.screen.parent_screen.name", "last.screen.name", "app.screen.previous.name")

_NEXT_HOP = {"1.0": "http/1.0", "1.1": "http/1.1", "2": "h2", "2.0": "h2", "3": "h3"}


def is_page_served(view: SpanView, config: Config) -> bool:
    """Say whether a SERVER span answered a person with a page, as far as `page_views` leaves it to be guessed."""
    if config.page_views == "none" or not http.is_server(view, config) or http.method(view) != "GET":
        return False
    code = http.status(view)
    if code is None or code >= 400 or page_id(view) is None:
        return False
    return config.page_views == "all" or (code < 300 and _looks_like_page(view))


def page_served(view: SpanView, config: Config) -> Iterator[Draft]:
    """Yield page view and navigation of a page served; its duration is the server's part of the load."""
    yield from page_view(view, config)
    details = navigation("navigation", start_millis=0, duration_millis=view.duration_millis)
    details["navigationType"] = "navigate"
    hop = _NEXT_HOP.get(view.text("network.protocol.version", "http.flavor") or "")
    if hop:
        details["nextHopProtocol"] = hop
    yield Draft(NAVIGATION_EVENT, view.end_ns, details)
    yield from http.server_events(view, config)


def page_view(view: View, config: Config) -> Iterator[Draft]:
    """Yield the view of the page or screen that a span or log record shows, where page views are wanted."""
    if config.page_views == "none":
        return
    shown = page_id(view) or view.name
    details: dict[str, Any] = {"version": VERSION, "pageId": shown}
    interaction = view.integer("app.screen.interaction")
    if interaction is not None:
        details |= {"interaction": interaction, "pageInteractionId": f"{shown}-{interaction}"}
        parent = view.text(*PARENT_SCREENS)
        if parent and interaction > 0:
            details["parentPageInteractionId"] = f"{parent}-{interaction - 1}"
    referrer = view.header("referer") or view.text("prev.href")
    if referrer:
        details["referrer"] = url.scrub(referrer, config.url_query_parameters)
        details["referrerDomain"] = url.hostname(referrer) or ""
    yield Draft(PAGE_VIEW_EVENT, view.start_ns, details)


def route_change(view: SpanView) -> Draft:
    """Return the navigation within an application; it starts at an epoch time, as in AWS's web client."""
    start_millis = view.start_ns / NS_PER_MILLI
    details = navigation("route_change", start_millis=start_millis, duration_millis=view.duration_millis)
    return Draft(NAVIGATION_EVENT, view.end_ns, details)


def navigation(initiator: str, *, start_millis: float, duration_millis: float) -> dict[str, Any]:
    """Return what the details of every navigation have."""
    return {
        "version": VERSION,
        "initiatorType": initiator,
        "startTime": start_millis,
        "duration": duration_millis,
    }


def _looks_like_page(view: SpanView) -> bool:
    user_agent = view.text("user_agent.original", "http.user_agent")
    if user_agent and (not user_agent.startswith("Mozilla/") or NOT_PEOPLE.search(user_agent)):
        return False
    content_type = view.attributes.get("http.response.header.content_type")
    if content_type:
        return "html" in str(content_type).lower()
    shown = page_id(view) or ""
    # Scanners ask for any path; only routes are pages of the application, and its root, which some leave unnamed.
    is_named = view.text("http.route") is not None or shown == "/"
    has_extension = "." in shown.rpartition("/")[2]
    return (
        is_named and not NOT_PAGES.fullmatch(shown) and (not has_extension or resource.file_type(shown) == "document")
    )
