"""Pages: `page_view_event` and `performance_navigation_event`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..._attributes import (
    BY_BROWSER,
    INTERACTION,
    PARENT_SCREENS,
    PREVIOUS_URL,
    REFERRER,
    ROUTE,
    SCREEN_PARENT_MILLIS,
    SESSION_JOINED,
    USER_AGENTS,
)
from ...config import Config
from ...rum.event import EventDraft
from .. import urls
from ..fields import VERSION, VERSION_FIELD, Field, Holds
from ..metadata import page_id
from ..record_view import NS_PER_MILLI, View
from ..redaction import scrub_text
from ..span_view import SpanView
from . import http_event, performance_resource, timing

PAGE_VIEW_EVENT = "com.amazon.rum.page_view_event"
NAVIGATION_EVENT = "com.amazon.rum.performance_navigation_event"

NOT_PAGES = re.compile(
    r"(/[^/]*)?/(api|assets|graphql|health\w*|live\w*|metrics|ping|ready\w*|rpc|static|v\d+|ws)(/.*)?|/_.*",
    re.IGNORECASE,
)
"""Paths that programs request rather than people; used if the response's content type is unknown."""

NOT_PEOPLE = re.compile(r"bot\b|crawl|health|monitor|pingdom|probe|spider|uptime", re.IGNORECASE)
"""User agents of programs that identify as browsers; other programs do not start with "Mozilla/"."""

NAVIGATION_TYPES = frozenset({"navigate", "reload", "back_forward", "reserved"})
"""RUM accepts no `prerender`."""

PAGE_VIEW_FIELDS = (
    replace(VERSION_FIELD, is_required=False),
    Field("pageId", note="as in the metadata, else the name of the span or log record", is_required=True),
    Field("interaction", (INTERACTION,), holds=Holds.NUMBER),
    Field("pageInteractionId", note="`pageId` and `interaction`"),
    Field("parentPageInteractionId", PARENT_SCREENS, "and the previous `interaction`"),
    Field("timeOnParentPage", (SCREEN_PARENT_MILLIS,), "measured by `RumSessionProcessor`", holds=Holds.NUMBER),
    Field("referrer", (REFERRER, PREVIOUS_URL)),
    Field("referrerDomain", note="the host of `referrer`"),
)

NAVIGATION_FIELDS = (
    VERSION_FIELD,
    Field(
        "initiatorType",
        note="`route_change` for screens and `routeChange`, else `navigation`",
        is_required=True,
        choices=frozenset({"navigation", "route_change"}),
    ),
    Field(
        "navigationType",
        ("browser.navigation_timing.type",),
        "`navigate` for a page served",
        choices=NAVIGATION_TYPES,
    ),
    Field(
        "startTime",
        note="0; for a `route_change` milliseconds since the epoch",
        holds=Holds.NUMBER,
        is_required=True,
    ),
    Field(
        "duration",
        ("browser.resource_timing.duration", "browser.navigation_timing.duration"),
        "else the span's, in milliseconds",
        holds=Holds.NUMBER,
        is_required=True,
    ),
    Field("redirectCount", ("browser.navigation_timing.redirect_count",), holds=Holds.INTEGER),
    *timing.NETWORK_FIELDS,
    *timing.DOCUMENT_FIELDS,
    Field("navigationTimingLevel", note="2 for a browser", holds=Holds.NUMBER),
)

_NEXT_HOP = {"1.0": "http/1.0", "1.1": "http/1.1", "2": "h2", "2.0": "h2", "3": "h3"}


def is_page_served(view: SpanView, config: Config) -> bool:
    """Return whether a SERVER span served a page to a person: by the `page_views` function, else by heuristics."""
    if config.page_views == "none" or http_event.method(view) is None:
        return False
    if callable(config.page_views):
        decision = config.page_views(view.span)
        if decision is not None:
            return bool(decision)
    if http_event.method(view) != "GET":
        return False
    code = http_event.status(view)
    if code is None or code >= 400 or page_id(view) is None:
        return False
    return config.page_views == "all" or (code < 300 and _looks_like_page(view))


def is_page_of_browser(view: SpanView, config: Config) -> bool:
    """Return whether a page was served in the session of AWS's browser client, which sends its page views itself."""
    return view.attributes.get(SESSION_JOINED) == BY_BROWSER and is_page_served(view, config)


def page_served(view: SpanView, config: Config) -> Iterator[EventDraft]:
    """Yield page view and navigation of a page served; the duration is the server's part of the load."""
    yield from page_view(view, config)
    details = navigation("navigation", start_millis=0, duration_millis=view.duration_millis)
    details["navigationType"] = "navigate"
    hop = _NEXT_HOP.get(view.text("network.protocol.version", "http.flavor") or "")
    if hop:
        details["nextHopProtocol"] = hop
    yield EventDraft(NAVIGATION_EVENT, view.end_ns, details)
    yield from http_event.server_events(view, config)


def page_view(view: View, config: Config) -> Iterator[EventDraft]:
    """Yield the page view of a span or log record, if page views are enabled."""
    if config.page_views == "none":
        return
    shown = page_id(view) or urls.mask_ids(scrub_text(view.name))
    details: dict[str, Any] = {"version": VERSION, "pageId": shown}
    interaction = view.integer(INTERACTION)
    if interaction is not None:
        details |= {"interaction": interaction, "pageInteractionId": f"{shown}-{interaction}"}
        parent = view.text(*PARENT_SCREENS)
        if parent and interaction > 0:
            details["parentPageInteractionId"] = f"{scrub_text(parent)}-{interaction - 1}"
    millis_before = view.number(SCREEN_PARENT_MILLIS)
    if millis_before is not None:
        details["timeOnParentPage"] = millis_before
    referrer = view.header("referer") or view.text(PREVIOUS_URL)
    if referrer:
        details["referrer"] = urls.scrub(referrer, config.url_query_parameters)
        details["referrerDomain"] = urls.hostname(referrer) or ""
    yield EventDraft(PAGE_VIEW_EVENT, view.start_ns, details)


def route_change(view: SpanView) -> EventDraft:
    """Return a navigation within an application; it starts at an epoch time, as in AWS's web client."""
    start_millis = view.start_ns / NS_PER_MILLI
    details = navigation("route_change", start_millis=start_millis, duration_millis=view.duration_millis)
    return EventDraft(NAVIGATION_EVENT, view.end_ns, details)


def navigation(initiator: str, *, start_millis: float, duration_millis: float) -> dict[str, Any]:
    """Return the details that every navigation has."""
    return {
        "version": VERSION,
        "initiatorType": initiator,
        "startTime": start_millis,
        "duration": duration_millis,
    }


def _looks_like_page(view: SpanView) -> bool:
    user_agent = view.text(*USER_AGENTS)
    if user_agent and (not user_agent.startswith("Mozilla/") or NOT_PEOPLE.search(user_agent)):
        return False
    content_type = view.attributes.get("http.response.header.content_type")
    if content_type:
        return "html" in str(content_type).lower()
    shown = page_id(view) or ""
    # Scanners request any path, so only routes are pages, and `/`, for which some frameworks set no route.
    is_named = view.text(ROUTE) is not None or shown == "/"
    has_extension = "." in shown.rpartition("/")[2]
    return (
        is_named
        and not NOT_PAGES.fullmatch(shown)
        and (not has_extension or performance_resource.file_type(shown) == "document")
    )
