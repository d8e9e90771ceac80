"""Screens of applications shown, on a desktop or a telephone: page views and navigations."""

from __future__ import annotations

from collections.abc import Iterator

from ..._attributes import SCREEN_NAMES, SCREEN_SHOWN
from ...config import Config
from ...rum.event import EventDraft
from ..log_view import LogView
from ..span_view import SpanView
from . import page_view

LAST_SCREEN_NAMES = ("last.screen.name", "app.screen.previous.name")

FIRST_DRAWN = frozenset({"app.screen.time_to_first_draw", "app.screen.time_to_first_appear"})
"""Spans of AWS's SDKs for Android and iOS: how long a screen took to show."""

LIFECYCLE_SCOPE = "io.opentelemetry.lifecycle"
SHOWN = frozenset({"Created", "Restarted", "Resumed"})
"""Spans of Android's life cycle after which a screen can be seen."""

STAMPED = "rum.sdk.version"
"""Resource attribute of the SDKs for telephones. They put the screen on every span, and tell its showing otherwise."""


def is_shown(view: SpanView, config: Config) -> bool:
    """Say whether a span is the showing of a screen: it names one, and nothing in its process caused it."""
    return (
        config.page_views != "none"
        and view.is_local_root
        and view.text(*SCREEN_NAMES) is not None
        and view.attributes.get(SCREEN_SHOWN) is not False
        and STAMPED not in view.resource.attributes
    )


def shown(view: SpanView, config: Config) -> Iterator[EventDraft]:
    """Yield page view and navigation of a screen."""
    yield from page_view.page_view(view, config)
    yield page_view.route_change(view)


def first_drawn(view: SpanView, _: Config) -> Iterator[EventDraft]:
    """Yield the navigation to a screen; another record tells its view."""
    yield page_view.route_change(view)


def is_lifecycle(view: SpanView, _: Config) -> bool:
    """Say whether a span is a step in the life of a screen on Android."""
    return view.scope is not None and view.scope.name == LIFECYCLE_SCOPE


def is_lifecycle_shown(view: SpanView, config: Config) -> bool:
    """Say whether a span is the step after which another screen than before can be seen."""
    return (
        config.page_views != "none"
        and is_lifecycle(view, config)
        and view.is_local_root
        and view.text(*SCREEN_NAMES) not in {None, view.text(*LAST_SCREEN_NAMES)}
    )


def is_appeared(view: LogView, config: Config) -> bool:
    """Say whether a log record is the showing of a screen on iOS."""
    return config.page_views != "none" and view.text(*SCREEN_NAMES) is not None
