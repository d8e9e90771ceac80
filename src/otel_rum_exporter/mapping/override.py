"""Overrides: two attributes with which an application chooses the event of a span or log record.

`rum.event.type` is the event's type: built-in, custom, or `none` for no event. `rum.event.details` is a JSON object,
the event's details; without it, a custom event has the whole span. An invalid override is ignored, and `problem`
returns why: an unknown built-in type, or details that RUM would silently drop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from .._attributes import EVENT_DETAILS, EVENT_TYPE
from .._log import RateLimitedLog
from .._pattern import lazy_pattern
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

_CUSTOM_TYPE = lazy_pattern(r"(?!com\.amazon\.)[A-Za-z0-9_.-]{1,256}", re.IGNORECASE)


class Override(NamedTuple):
    """The event that an application chose; `details` is None if the event has the whole span."""

    type: str
    details: dict[str, Any] | None


class OverrideError(ValueError):
    """An override is invalid; the message says why."""


def is_none(view: View, _: Config) -> bool:
    """Return whether the application excludes a span or log record."""
    return view.attributes.get(EVENT_TYPE) == NONE


def is_set(view: View, _: Config) -> bool:
    """Return whether the application chose the event of a span or log record, and the choice is valid."""
    return EVENT_TYPE in view.attributes and problem(view) is None


def problem(view: View) -> str | None:
    """Return why an override is invalid; None if it is valid or absent."""
    if view.attributes.get(EVENT_TYPE, NONE) == NONE:
        return None
    try:
        _parsed(view)
    except OverrideError as error:
        return str(error)
    return None


def events(view: View, config: Config) -> Iterator[EventDraft]:
    """Yield the event that the application chose; a custom one only if custom events are enabled."""
    chosen = _parsed(view)
    built_in = BUILT_IN.get(chosen.type)
    if built_in is not None or (chosen.details is not None and config.custom_events != "none"):
        is_at_start = built_in is not None and built_in.is_at_start
        yield (chosen.type, view.start_ns if is_at_start else view.end_ns, chosen.details or {})
    elif isinstance(view, SpanView):
        yield from ((chosen.type, time_ns, details) for _, time_ns, details in custom.span_event(view, config))
    elif isinstance(view, LogView):
        yield from ((chosen.type, time_ns, details) for _, time_ns, details in custom.log_event(view, config))


def _parsed(view: View) -> Override:
    kind = view.attributes.get(EVENT_TYPE)
    if not isinstance(kind, str):
        raise OverrideError(f"{kind!r:.60} is not an event type")
    details = _object(view.attributes.get(EVENT_DETAILS))
    built_in = BUILT_IN.get(kind) or BUILT_IN.get(PREFIX + kind)
    if built_in is None:
        if not _CUSTOM_TYPE.fullmatch(kind):
            raise OverrideError(f"{kind!r:.60} is neither a built-in type nor a valid custom type")
        return Override(kind, details)
    whole = {"version": built_in.version, **(details or {})}
    wrong = fields.problem(built_in.fields, whole)
    if wrong:
        raise OverrideError(f"in the details of {kind}, {wrong}")
    return Override(kind if kind.startswith(PREFIX) else PREFIX + kind, whole)


def _object(given: object) -> dict[str, Any] | None:
    if given is None:
        return None
    try:
        found = orjson.loads(given) if isinstance(given, (str, bytes)) else given
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, Mapping):
        raise OverrideError(f"{EVENT_DETAILS} is not a JSON object")
    return json_object(found)


def log_problem(log: RateLimitedLog, view: View) -> None:
    """Log why the event that an application chose is ignored, if it is."""
    found = problem(view)
    if found:
        log.add(
            "override",
            "the event set by rum.event.type on %r is ignored, because RUM would drop it: %s. The default mapping "
            "is used. To fix: correct rum.event.details; docs/mapping.md lists the fields.",
            view.name[:100],
            found,
        )
