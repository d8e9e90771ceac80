"""Clicks and other interactions: `dom_event`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...config import Config
from ...rum.event import EventDraft
from ..fields import Field, values_from
from ..log_view import LogView
from ..metadata import ROUTE_CHANGED
from ..record_view import View, text
from ..span_view import SpanView
from . import page_view

DOM_EVENT = "com.amazon.rum.dom_event"
DOM_VERSION = "1.1.0"

CLICKS = frozenset({"browser.user_action.click", "app.widget.click", "app.screen.click"})
"""Names of log records that are clicks."""

DOM_FIELDS = (
    Field("version", note=f"`{DOM_VERSION}`", is_required=True, choices=frozenset({DOM_VERSION})),
    Field("event", ("event_type",), "else `click`", is_required=True),
    Field("element", ("target_element", "browser.tag_name", "app.widget.name"), "else `screen` for `app.screen.click`"),
    Field("elementId", ("app.widget.id",), "else the `id` of `browser.element.attributes`"),
    Field("cssLocator", ("target_xpath", "browser.css_selector")),
    Field("interactionId", ("app.screen.id",), "of a span, the span id"),
)


def is_interaction(view: SpanView, _: Config) -> bool:
    """Return whether a span handles a DOM event."""
    return view.text("event_type") is not None and view.text("target_element") is not None


def span_event(view: SpanView, config: Config) -> Iterator[EventDraft]:
    """Yield the event of an interaction, and the page view if it changed the route.

    Spans that it caused are descendants of its span.
    """
    details = {**_details(view, view.text("event_type") or ""), "interactionId": view.span_id}
    yield (DOM_EVENT, view.start_ns, details)
    if view.name.startswith(ROUTE_CHANGED):
        yield from page_view.page_view(view, config)


def log_event(view: LogView, _: Config) -> Iterator[EventDraft]:
    """Yield the event of a click."""
    details = _details(view, "click")
    if view.name == "app.screen.click":
        details.setdefault("element", "screen")
    attributes = view.attributes.get("browser.element.attributes")
    element_id = text(attributes, "id") if isinstance(attributes, Mapping) else None
    if element_id:
        details.setdefault("elementId", element_id)
    yield (DOM_EVENT, view.start_ns, details)


def _details(view: View, event: str) -> dict[str, Any]:
    return {"version": DOM_VERSION, **values_from(DOM_FIELDS, view.attributes), "event": event}
