"""Screens that a desktop or mobile application shows: page views and navigations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..._attributes import LAST_SCREENS, SCREEN_NAMES, SCREEN_SHOWN
from ...config import Config
from ...rum.event import EventDraft
from ..attribute_keys import AttributeKeys
from ..caches import ObjectCache
from ..log_view import LogView
from ..record_view import Resource, texts
from ..rule import never
from ..span_view import SpanView
from . import page_view

FIRST_DRAWN = frozenset({"app.screen.time_to_first_draw", "app.screen.time_to_first_appear"})
"""Spans of AWS's Android and iOS SDKs that measure how long a screen took to appear."""

LIFECYCLE_SCOPES = frozenset({"io.opentelemetry.lifecycle"})
SHOWN = frozenset({"Created", "Restarted", "Resumed"})
"""Spans of Android's lifecycle after which a screen is visible."""

MOBILE_SDK_VERSION = "rum.sdk.version"
"""Resource attribute of the mobile SDKs. They set the screen on every span and report its appearance separately."""

MAX_RESOURCES = 100

_is_of_mobile_sdk = ObjectCache[Resource, bool](
    lambda resource: MOBILE_SDK_VERSION in resource.attributes, MAX_RESOURCES
).of
"""Whether a resource has it. The SDK's attributes raise and catch an error for each name that they lack."""


def are_shown(keys: AttributeKeys, config: Config) -> Callable[[SpanView], bool]:
    """Return a test whether a span shows a screen: it names one and is a root span in its process."""
    if config.page_views == "none":
        return never
    screen_of = texts(keys, SCREEN_NAMES)

    def is_shown(view: SpanView) -> bool:
        return (
            (view.parent_key is None or view.is_parent_remote)
            and screen_of(view) is not None
            and view.attributes.get(SCREEN_SHOWN) is not False
            and not _is_of_mobile_sdk(view.resource)
        )

    return is_shown


def shown(keys: AttributeKeys, config: Config) -> Callable[[SpanView], Sequence[EventDraft]]:
    """Return a function that returns page view and navigation of a screen."""
    page_view_of = page_view.page_views(keys, config)
    return lambda view: (*page_view_of(view), page_view.route_change(view))


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
