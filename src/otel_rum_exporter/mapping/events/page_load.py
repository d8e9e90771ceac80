"""Documents that a browser loads and navigates: page views, navigations and the first paint.

A document load span starts with the fetch, so its timings exclude redirects and the unloading of the previous page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..._attributes import SESSION_ATTRIBUTES
from ...config import Config
from ...rum.event import EventDraft
from ..log_view import LogView
from ..metadata import MAX_VALUE_CHARS, page_id
from ..record_view import View, identifier
from ..span_view import SpanView
from . import page_view, timing, web_vital

LOAD_RECORDS = frozenset({"documentLoad", "browser.navigation", "browser.navigation_timing", web_vital.EVENT_NAME})
"""Names of spans and log records that report a document load; two instrumentations may report the same load."""

FIRST_PAINT = web_vital.VITALS["fcp"].type
_REPORTED_TWICE = frozenset({page_view.PAGE_VIEW_EVENT, page_view.NAVIGATION_EVENT, FIRST_PAINT})


class Load(NamedTuple):
    """One event type of one document load; it is sent once. `page` is None for web vitals, which name no page."""

    session: str
    page: str | None
    event_type: str


def load_of(view: View, draft: EventDraft) -> Load | None:
    """Return the load that an event draft reports, if another record may report it too; else None."""
    kind, _, _ = draft
    if kind not in _REPORTED_TWICE or view.attributes.get("browser.navigation.same_document") is True:
        return None
    session = view.identifier(*SESSION_ATTRIBUTES) or identifier(view.resource.attributes, *SESSION_ATTRIBUTES)
    shown = None if kind == FIRST_PAINT else (page_id(view) or "")[:MAX_VALUE_CHARS]
    return Load(session, shown, kind) if session else None


def loaded(view: SpanView, config: Config) -> Iterator[EventDraft]:
    """Yield page view, navigation and first contentful paint of a document load, with the timings of its fetch."""
    moments = timing.moments_of_span(view)
    fetch = view.part
    if fetch is not None:
        moments = timing.moments_of_span(fetch, since_ns=view.start_ns) | moments
    yield from page_view.page_view(view, config)
    details = page_view.navigation("navigation", start_millis=0, duration_millis=view.duration_millis)
    details |= timing.fields(timing.NAVIGATION, moments) | timing.size_of_span(fetch or view)
    details["navigationTimingLevel"] = timing.NAVIGATION_TIMING_LEVEL
    yield (page_view.NAVIGATION_EVENT, view.end_ns, details)
    painted = moments.get("firstContentfulPaint", -1)
    if painted >= 0:
        yield web_vital.vital("fcp", painted, view.end_ns)


def route_changed(view: SpanView, config: Config) -> Iterator[EventDraft]:
    """Yield page view and navigation of a route change within a document."""
    yield from page_view.page_view(view, config)
    yield page_view.route_change(view)


def are_pages_wanted(_: LogView, config: Config) -> bool:
    """Return whether the settings ask for page views."""
    return config.page_views != "none"


def timed(view: LogView, _: Config) -> Iterator[EventDraft]:
    """Yield the navigation of a log record, with timings from its attributes."""
    moments = timing.moments_of_log(view)
    duration = timing.measured(view, "browser.resource_timing.duration", "browser.navigation_timing.duration")
    details = page_view.navigation(
        "navigation",
        start_millis=0,
        duration_millis=moments.get("loadEventEnd", 0) if duration is None else duration,
    )
    details |= timing.fields(timing.NAVIGATION, moments) | timing.sizes_of_log(view)
    details["navigationTimingLevel"] = timing.NAVIGATION_TIMING_LEVEL
    kind = view.text("browser.navigation_timing.type")
    if kind in page_view.NAVIGATION_TYPES:
        details["navigationType"] = kind
    redirects = view.integer("browser.navigation_timing.redirect_count")
    if redirects is not None and redirects >= 0:
        details["redirectCount"] = redirects
    yield (page_view.NAVIGATION_EVENT, view.end_ns, details)
