"""Documents that a browser loads and moves through: page views, navigations and the first paint.

A span of a document's load begins when its fetch does, so its times leave out redirects and the unloading of the
page before.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..config import Config
from ..log_record import LogView
from ..span import SpanView
from . import page, timing, web_vital
from .rum_event import Draft


def loaded(view: SpanView, config: Config) -> Iterator[Draft]:
    """Yield page view, navigation and first contentful paint of a document loaded, with the timings of its fetch."""
    moments = timing.moments_of_span(view)
    fetch = view.part
    if fetch is not None:
        moments = timing.moments_of_span(fetch, since_ns=view.start_ns) | moments
    yield from page.page_view(view, config)
    details = page.navigation("navigation", start_millis=0, duration_millis=view.duration_millis)
    details |= timing.fields(timing.NAVIGATION, moments) | timing.size_of_span(fetch or view)
    details["navigationTimingLevel"] = timing.NAVIGATION_TIMING_LEVEL
    yield Draft(page.NAVIGATION_EVENT, view.end_ns, details)
    painted = moments.get("firstContentfulPaint", -1)
    if painted >= 0:
        yield web_vital.vital("fcp", painted, view.end_ns)


def route_changed(view: SpanView, config: Config) -> Iterator[Draft]:
    """Yield page view and navigation of a change of route within a document."""
    yield from page.page_view(view, config)
    yield page.route_change(view)


def are_pages_wanted(_: LogView, config: Config) -> bool:
    """Say whether the showing of another page is a page view."""
    return config.page_views != "none"


def timed(view: LogView, _: Config) -> Iterator[Draft]:
    """Yield the navigation of a log record, with its timings from the attributes."""
    moments = timing.moments_of_log(view)
    duration = view.number("browser.resource_timing.duration", "browser.navigation_timing.duration")
    details = page.navigation(
        "navigation",
        start_millis=0,
        duration_millis=moments.get("loadEventEnd", 0) if duration is None else duration,
    )
    details |= timing.fields(timing.NAVIGATION, moments) | timing.sizes_of_log(view)
    details["navigationTimingLevel"] = timing.NAVIGATION_TIMING_LEVEL
    kind = view.text("browser.navigation_timing.type")
    if kind in page.NAVIGATION_TYPES:
        details["navigationType"] = kind
    redirects = view.integer("browser.navigation_timing.redirect_count")
    if redirects is not None:
        details["redirectCount"] = redirects
    yield Draft(page.NAVIGATION_EVENT, view.end_ns, details)
