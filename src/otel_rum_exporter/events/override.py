"""What the application itself says of a span or log record: two attributes that go before every other rule.

`rum.event.type` is the type of the event: one of RUM's own, a custom one, or `none` for no event at all.
`rum.event.details` is a JSON object, the details of the event. Without it a custom event tells the whole span, as
others do. An override that cannot be carried out is none: an unknown type of RUM's, one of RUM's types without
details, details that are no JSON object. RUM's own types have closed schemas, and RUM drops what does not fit them
without a word.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from ..anyvalue import json_object
from ..config import Config
from ..log_record import LogView
from ..span import SpanView
from ..view import View
from . import custom
from .dom import DOM_EVENT
from .http import HTTP_EVENT
from .js_error import JS_ERROR_EVENT
from .page import NAVIGATION_EVENT, PAGE_VIEW_EVENT
from .resource import RESOURCE_EVENT
from .rum_event import EVENT_DETAILS, EVENT_TYPE, Draft
from .session import SESSION_START_EVENT
from .web_vital import VITALS
from .xray import XRAY_TRACE_EVENT

NONE = "none"
PREFIX = "com.amazon.rum."
"""Of RUM's own types; it may be left out, as the documentation does."""

AT_START = frozenset({PAGE_VIEW_EVENT, SESSION_START_EVENT, DOM_EVENT})
"""Types of events that happen when a span starts; all others happen when it ends."""

BUILT_IN_TYPES = frozenset(
    (
        *AT_START,
        *(HTTP_EVENT, JS_ERROR_EVENT, NAVIGATION_EVENT, RESOURCE_EVENT, XRAY_TRACE_EVENT),
        *(vital.type for vital in VITALS.values()),
        *("com.amazon.rum.page_close_event", "com.amazon.rum.rrweb_event", "com.amazon.rum.time_to_interactive_event"),
    )
)

_CUSTOM_TYPE = re.compile(r"(?!com\.amazon\.)[A-Za-z0-9_.-]{1,256}", re.IGNORECASE)


def is_none(view: View, _: Config) -> bool:
    """Say whether the application keeps a span or log record from RUM."""
    return view.attributes.get(EVENT_TYPE) == NONE


def is_told(view: View, _: Config) -> bool:
    """Say whether the application tells the event that a span or log record becomes."""
    return EVENT_TYPE in view.attributes and _told(view) is not None


def events(view: View, config: Config) -> Iterator[Draft]:
    """Yield the event that the application told; a custom one where custom events are wanted."""
    told = _told(view)
    if told is None:
        return
    kind, details = told
    if kind in BUILT_IN_TYPES or (details is not None and config.custom_events):
        yield Draft(kind, view.start_ns if kind in AT_START else view.end_ns, details or {})
    elif isinstance(view, SpanView):
        yield from (dataclasses.replace(draft, type=kind) for draft in custom.span_event(view, config))
    elif isinstance(view, LogView):
        yield from (dataclasses.replace(draft, type=kind) for draft in custom.log_event(view, config))


def _told(view: View) -> tuple[str, dict[str, Any] | None] | None:
    """Return type and details; None where the override cannot be carried out."""
    kind, told = view.text(EVENT_TYPE), view.attributes.get(EVENT_DETAILS)
    if kind is None:
        return None
    if f"{PREFIX}{kind}" in BUILT_IN_TYPES:
        kind = f"{PREFIX}{kind}"
    details = None if told is None else _object(told)
    if kind in BUILT_IN_TYPES:
        return None if details is None else (kind, details)
    is_whole = told is None or details is not None
    return (kind, details) if is_whole and _CUSTOM_TYPE.fullmatch(kind) else None


def _object(told: object) -> dict[str, Any] | None:
    try:
        found = orjson.loads(told) if isinstance(told, (str, bytes)) else told
    except orjson.JSONDecodeError:
        return None
    return json_object(found) if isinstance(found, Mapping) else None
