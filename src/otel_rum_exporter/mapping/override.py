"""What the application itself says of a span or log record: two attributes that go before every other rule.

`rum.event.type` is the type of the event: one of RUM's own, a custom one, or `none` for no event at all.
`rum.event.details` is a JSON object, the details of the event. Without it a custom event tells the whole span, as
others do. An override that cannot be carried out is none, and `fault` says why: an unknown type of RUM's, details that
are no JSON object or do not fit the type, which RUM would drop without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from .._attributes import EVENT_DETAILS, EVENT_TYPE
from ..config import Config
from ..rum.event import EventDraft
from . import fields
from .attribute_values import json_object
from .event_types import BUILT_IN, PREFIX
from .events import custom
from .log_view import LogView
from .record_view import View
from .span_view import SpanView

NONE = "none"

_CUSTOM_TYPE = re.compile(r"(?!com\.amazon\.)[A-Za-z0-9_.-]{1,256}", re.IGNORECASE)


class Told(NamedTuple):
    """The event that an application tells; `details` are None where the whole span is to be told."""

    type: str
    details: dict[str, Any] | None


class OverrideError(ValueError):
    """Say why an override cannot be carried out."""


def is_none(view: View, _: Config) -> bool:
    """Say whether the application keeps a span or log record from RUM."""
    return view.attributes.get(EVENT_TYPE) == NONE


def is_told(view: View, _: Config) -> bool:
    """Say whether the application tells the event that a span or log record becomes."""
    return EVENT_TYPE in view.attributes and fault(view) is None


def fault(view: View) -> str | None:
    """Return why an override cannot be carried out; None where it can, or where there is none."""
    if view.attributes.get(EVENT_TYPE, NONE) == NONE:
        return None
    try:
        _told(view)
    except OverrideError as error:
        return str(error)
    return None


def events(view: View, config: Config) -> Iterator[EventDraft]:
    """Yield the event that the application told; a custom one where custom events are wanted."""
    told = _told(view)
    built_in = BUILT_IN.get(told.type)
    if built_in is not None or (told.details is not None and config.custom_events):
        is_at_start = built_in is not None and built_in.is_at_start
        yield EventDraft(told.type, view.start_ns if is_at_start else view.end_ns, told.details or {})
    elif isinstance(view, SpanView):
        yield from (draft._replace(type=told.type) for draft in custom.span_event(view, config))
    elif isinstance(view, LogView):
        yield from (draft._replace(type=told.type) for draft in custom.log_event(view, config))


def _told(view: View) -> Told:
    kind = view.attributes.get(EVENT_TYPE)
    if not isinstance(kind, str):
        raise OverrideError(f"{kind!r:.60} is no type of events")
    details = _object(view.attributes.get(EVENT_DETAILS))
    built_in = BUILT_IN.get(kind) or BUILT_IN.get(PREFIX + kind)
    if built_in is None:
        if not _CUSTOM_TYPE.fullmatch(kind):
            raise OverrideError(f"{kind!r:.60} is neither a type of RUM's nor one for a custom event")
        return Told(kind, details)
    whole = {"version": built_in.version, **(details or {})}
    wrong = fields.fault(built_in.fields, whole)
    if wrong:
        raise OverrideError(f"of the details of {kind}, {wrong}")
    return Told(kind if kind.startswith(PREFIX) else PREFIX + kind, whole)


def _object(told: object) -> dict[str, Any] | None:
    if told is None:
        return None
    try:
        found = orjson.loads(told) if isinstance(told, (str, bytes)) else told
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, Mapping):
        raise OverrideError(f"{EVENT_DETAILS} is no JSON object")
    return json_object(found)
