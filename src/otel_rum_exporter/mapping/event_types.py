"""The built-in event types of RUM, with the fields of each."""

from __future__ import annotations

from typing import NamedTuple

from .events import (
    dom,
    http_event,
    js_error,
    page_view,
    performance_resource,
    session_start,
    web_vital,
    xray,
)
from .fields import VERSION_FIELD, Field, Holds

PREFIX = "com.amazon.rum."


class BuiltIn(NamedTuple):
    """A built-in event type. Its time is the span's end, or its start."""

    fields: tuple[Field, ...]
    is_at_start: bool = False

    @property
    def version(self) -> str:
        """The version of its schema."""
        return next(min(field.choices) for field in self.fields if field.name == "version")


BUILT_IN: dict[str, BuiltIn] = {
    session_start.SESSION_START_EVENT: BuiltIn(session_start.SESSION_START_FIELDS, is_at_start=True),
    page_view.PAGE_VIEW_EVENT: BuiltIn(page_view.PAGE_VIEW_FIELDS, is_at_start=True),
    page_view.NAVIGATION_EVENT: BuiltIn(page_view.NAVIGATION_FIELDS),
    performance_resource.RESOURCE_EVENT: BuiltIn(performance_resource.RESOURCE_FIELDS),
    http_event.HTTP_EVENT: BuiltIn(http_event.HTTP_FIELDS),
    xray.XRAY_TRACE_EVENT: BuiltIn(xray.XRAY_FIELDS),
    js_error.JS_ERROR_EVENT: BuiltIn(js_error.JS_ERROR_FIELDS),
    dom.DOM_EVENT: BuiltIn(dom.DOM_FIELDS, is_at_start=True),
    **{vital.type: BuiltIn(vital.fields) for vital in web_vital.VITALS.values()},
    f"{PREFIX}time_to_interactive_event": BuiltIn(
        (VERSION_FIELD, Field("value", holds=Holds.NUMBER, is_required=True))
    ),
    f"{PREFIX}page_close_event": BuiltIn(
        (
            VERSION_FIELD._replace(is_required=False),
            Field("pageId", is_required=True),
            Field("pageInteractionId", is_required=True),
            Field("interaction", holds=Holds.NUMBER, is_required=True),
            Field("duration", holds=Holds.NUMBER),
        )
    ),
    f"{PREFIX}rrweb_event": BuiltIn(
        (
            VERSION_FIELD,
            Field("events", holds=Holds.OBJECTS, is_required=True),
            Field("eventCount", holds=Holds.NUMBER, is_required=True),
        )
    ),
}
"""No span becomes one of the last three, but an application can set them."""
