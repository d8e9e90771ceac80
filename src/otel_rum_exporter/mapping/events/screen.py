"""Screens that a desktop or mobile application shows: page views and navigations."""

from __future__ import annotations

from collections.abc import Sequence

from ..._attributes import LAST_SCREENS, SCREEN_NAMES, SCREEN_SHOWN
from ...config import Config
from ...rum.event import EventDraft
from ..log_view import LogView
from ..span_view import SpanView
from . import page_view

FIRST_DRAWN = frozenset({"app.screen.time_to_first_draw", "app.screen.time_to_first_appear"})
"""Spans of AWS's Android and iOS SDKs that measure how long a screen took to appear."""

LIFECYCLE_SCOPES = frozenset({"io.opentelemetry.lifecycle"})
SHOWN = frozenset({"Created", "Restarted", "Resumed"})
"""Spans of Android's lifecycle after which a screen is visible."""

MOBILE_SDK_VERSION = "rum.sdk.version"
"""Resource attribute of the mobile SDKs. They set the screen on every span and report its appearance separately."""


def is_shown(view: SpanView, config: Config) -> bool:
    """Return whether a span shows a screen: it names one and is a root span in its process."""
    return (
        config.page_views != "none"
        and view.is_local_root
        and view.text(*SCREEN_NAMES) is not None
        and view.attributes.get(SCREEN_SHOWN) is not False
        and MOBILE_SDK_VERSION not in view.resource.attributes
    )


def shown(view: SpanView, config: Config) -> Sequence[EventDraft]:
    """Return page view and navigation of a screen."""
    return *page_view.page_view(view, config), page_view.route_change(view)


def first_drawn(view: SpanView, _: Config) -> Sequence[EventDraft]:
    """Return the navigation to a screen; another record reports its page view."""
    return (page_view.route_change(view),)


def is_lifecycle_shown(view: SpanView, config: Config) -> bool:
    """Return whether a span is the lifecycle step after which a different screen is visible."""
    return (
        config.page_views != "none"
        and view.is_local_root
        and view.text(*SCREEN_NAMES) not in {None, view.text(*LAST_SCREENS)}
    )


def is_appeared(view: LogView, config: Config) -> bool:
    """Return whether a log record reports that an iOS screen appeared."""
    return config.page_views != "none" and view.text(*SCREEN_NAMES) is not None
