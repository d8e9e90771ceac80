"""Pages: `page_view_event` and `performance_navigation_event`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any

from ... import _served
from ..._attributes import (
    BY_BROWSER,
    INTERACTION,
    PARENT_SCREENS,
    PREVIOUS_URL,
    REFERRER,
    SCREEN_NAMES,
    SCREEN_PARENT_MILLIS,
    SESSION_JOINED,
    USER_AGENTS,
)
from ..._pattern import lazy_pattern
from ...config import Config
from ...rum.event import EventDraft
from .. import routes, urls
from ..attribute_keys import AttributeKeys
from ..caches import cache_short_texts
from ..fields import VERSION, VERSION_FIELD, Field, Holds
from ..metadata import page_id
from ..record_view import NS_PER_MILLI, SERVER, View, texts
from ..span_view import SpanView
from . import http_event, performance_resource, timing

PAGE_VIEW_EVENT = "com.amazon.rum.page_view_event"
NAVIGATION_EVENT = "com.amazon.rum.performance_navigation_event"

NOT_PAGES = lazy_pattern(
    r"(/[^/]*)?/(api|assets|graphql|health|live|ready|metrics|ping|rpc|static|v\d+|ws"
    r"|(health|live|ready)z|healthchecks?|liveness|readiness)(/.*)?|/_.*",
    re.IGNORECASE,
)
"""Paths that programs request rather than people; used if the response's content type is unknown."""

NAVIGATION_TYPES = frozenset({"navigate", "reload", "back_forward", "reserved"})
"""RUM accepts no `prerender`."""

PAGE_VIEW_FIELDS = (
    VERSION_FIELD._replace(is_required=False),
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

_WITHOUT_CONTENT = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT})
_CONTENT_TYPES = ("http.response.header.content_type", "http.response.header.content-type")
"""Python's instrumentations write `_` in the names of headers, those of other languages `-`."""

_OF_VISIT = frozenset({INTERACTION, SCREEN_PARENT_MILLIS, REFERRER, PREVIOUS_URL})
"""Attributes without which a page view has only a page."""

MAX_CACHED_AGENTS = 1000
MAX_AGENT_CHARS = 1024

_NEXT_HOP = {"1.0": "http/1.0", "1.1": "http/1.1", "2": "h2", "2.0": "h2", "3": "h3"}


@cache_short_texts(MAX_CACHED_AGENTS, MAX_AGENT_CHARS)
def is_browser(user_agent: str) -> bool:
    """Return whether a user agent is that of a person's browser; few are different, and the search is costly."""
    return _served.is_browser(user_agent)


def is_page_served(view: SpanView, config: Config) -> bool:
    """Return whether a SERVER span served a page to a person: by the `page_views` function, else by heuristics."""
    return why_no_page(view, config) is None


def why_no_page(view: SpanView, config: Config) -> str | None:
    """Return why a SERVER span did not serve a page to a person; None if it did."""
    if config.page_views == "none":
        return "page views are switched off"
    if callable(config.page_views) and http_event.method(view) is not None:
        decision = config.page_views(view.span)
        if decision is not None:
            return None if decision else "the page_views function says so"
    return _unlike_any_page(view) or (None if config.page_views == "all" else next(_unlike_a_page(view), None))


def _unlike_any_page(view: SpanView) -> str | None:
    """Return why a request cannot be one for a page, whatever it served; None if it can."""
    code = http_event.status(view)
    if http_event.method(view) != "GET":
        return "it is no GET request"
    if code is None or code >= HTTPStatus.BAD_REQUEST:
        return "it failed" if code else "it has no status"
    return "it has neither a route nor a path" if page_id(view) is None else None


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
    yield (NAVIGATION_EVENT, view.end_ns, details)
    yield from http_event.server_events(view, config)


def page_views(keys: AttributeKeys, config: Config) -> Callable[[View], Sequence[EventDraft]]:
    """Return a function that returns the same as `page_view`, for records with these attribute names."""
    if config.page_views == "none" or keys.may_have(_OF_VISIT):
        return lambda view: page_view(view, config)
    screen_of = texts(keys, SCREEN_NAMES)

    def page_view_of(view: View) -> Sequence[EventDraft]:
        screen = None if view.kind is SERVER else screen_of(view)
        shown = view.redactor.name(screen) if screen else None
        if not shown:
            return page_view(view, config)
        return ((PAGE_VIEW_EVENT, view.start_ns, {"version": VERSION, "pageId": shown}),)

    return page_view_of


def page_view(view: View, config: Config) -> Sequence[EventDraft]:
    """Return the page view of a span or log record, if page views are enabled."""
    if config.page_views == "none":
        return ()
    shown = page_id(view) or view.redactor.name(view.name)
    details: dict[str, Any] = {"version": VERSION, "pageId": shown}
    if view.keys.may_have(_OF_VISIT):
        details.update(_visit(view, shown, config))
    return ((PAGE_VIEW_EVENT, view.start_ns, details),)


def _visit(view: View, shown: str, config: Config) -> dict[str, Any]:
    """Return the position of a page view in its session, and what was shown before."""
    found: dict[str, Any] = {}
    interaction = view.integer(INTERACTION)
    if interaction is not None:
        found |= {"interaction": interaction, "pageInteractionId": f"{shown}-{interaction}"}
        parent = view.text(*PARENT_SCREENS)
        if parent and interaction > 0:
            found["parentPageInteractionId"] = f"{view.redactor.name(parent)}-{interaction - 1}"
    millis_before = view.number(SCREEN_PARENT_MILLIS)
    if millis_before is not None:
        found["timeOnParentPage"] = millis_before
    referrer = view.header("referer") or view.text(PREVIOUS_URL)
    if referrer:
        found["referrer"] = view.redactor.url("referrer", referrer, config.url_query_parameters)
        found["referrerDomain"] = urls.hostname(referrer) or ""
    return found


def route_change(view: SpanView) -> EventDraft:
    """Return a navigation within an application; it starts at an epoch time, as in AWS's web client."""
    start_ns, end_ns = view.start_ns, view.end_ns
    millis = (end_ns - start_ns) / NS_PER_MILLI
    details = navigation("route_change", start_millis=start_ns / NS_PER_MILLI, duration_millis=millis)
    return (NAVIGATION_EVENT, end_ns, details)


def navigation(initiator: str, *, start_millis: float, duration_millis: float) -> dict[str, Any]:
    """Return the details that every navigation has."""
    return {
        "version": VERSION,
        "initiatorType": initiator,
        "startTime": start_millis,
        "duration": duration_millis,
    }


def _unlike_a_page(view: SpanView) -> Iterator[str]:
    """Yield why a successful GET request does not look like one for a page; the first reason is the clearest."""
    code, user_agent = http_event.status(view) or 0, view.text(*USER_AGENTS)
    if not HTTPStatus.OK <= code < HTTPStatus.MULTIPLE_CHOICES or code in _WITHOUT_CONTENT:
        yield f"its status is {code}"
    if user_agent and not is_browser(user_agent):
        yield "its user agent is no browser's"
    content_type = next(filter(None, map(view.attributes.get, _CONTENT_TYPES)), None)
    if content_type:
        if "html" not in str(content_type).lower():
            yield "its content type is not HTML"
        return
    shown = page_id(view) or ""
    # Scanners request any path, so only routes are pages, and `/`, for which some frameworks set no route.
    if routes.of_request(view) is None and shown != "/":
        yield "it has no route, and its content type is unknown"
    if NOT_PAGES.fullmatch(shown):
        yield "its path is one that programs request, and its content type is unknown"
    if "." in shown.rpartition("/")[2] and performance_resource.file_type(shown) != "document":
        yield "its path is that of a file, and its content type is unknown"
