"""Web vitals: one RUM event for each of the six, with what caused its value where the page told it.

https://opentelemetry.io/docs/specs/semconv/browser/browser-events/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from .. import url
from ..config import Config
from ..log_record import LogView
from ..span import SpanView
from ..view import number, text
from .rum_event import VERSION, Draft

LOAD_STATES = frozenset({"loading", "dom-interactive", "dom-content-loaded", "complete"})
INTERACTION_TYPES = frozenset({"pointer", "keyboard"})


class Cause(NamedTuple):
    """A field of RUM's `attribution`, and the members of web-vitals' own attribution that tell it.

    A field is text where it `is_text`, one of `choices` where there are some, and a number otherwise. RUM refuses an
    attribution without those that it requires.
    """

    field: str
    sources: tuple[str, ...]
    is_text: bool = False
    choices: frozenset[str] = frozenset()
    is_required: bool = False


def _number(field: str, *sources: str, is_required: bool = False) -> Cause:
    return Cause(field, sources or (field,), is_required=is_required)


def _text(field: str, *sources: str, is_required: bool = False) -> Cause:
    return Cause(field, sources or (field,), is_text=True, is_required=is_required)


def _choice(field: str, choices: frozenset[str], *, is_required: bool = False) -> Cause:
    return Cause(field, (field,), choices=choices, is_required=is_required)


class Vital(NamedTuple):
    """A web vital: the RUM event that tells it, and the fields of its attribution."""

    type: str
    attribution: tuple[Cause, ...]


VITALS: dict[str, Vital] = {
    "lcp": Vital(
        "com.amazon.rum.largest_contentful_paint_event",
        (
            _text("element", "element", "target"),
            _text("url"),
            _number("timeToFirstByte", is_required=True),
            _number("resourceLoadDelay", is_required=True),
            _number("resourceLoadTime", "resourceLoadDuration", "resourceLoadTime", is_required=True),
            _number("elementRenderDelay", is_required=True),
        ),
    ),
    "fcp": Vital(
        "com.amazon.rum.first_contentful_paint_event",
        (
            _number("timeToFirstByte", is_required=True),
            _number("firstByteToFCP", is_required=True),
            _choice("loadState", LOAD_STATES, is_required=True),
        ),
    ),
    "cls": Vital(
        "com.amazon.rum.cumulative_layout_shift_event",
        (
            _text("largestShiftTarget"),
            _number("largestShiftValue"),
            _number("largestShiftTime"),
            _choice("loadState", LOAD_STATES),
        ),
    ),
    "inp": Vital(
        "com.amazon.rum.interaction_to_next_paint_event",
        (
            _text("interactionTarget"),
            _number("interactionTime"),
            _number("nextPaintTime"),
            _choice("interactionType", INTERACTION_TYPES),
            _number("inputDelay"),
            _number("processingDuration"),
            _number("presentationDelay"),
            _choice("loadState", LOAD_STATES),
        ),
    ),
    "ttfb": Vital(
        "com.amazon.rum.time_to_first_byte_event",
        (
            _number("waitingDuration", is_required=True),
            _number("cacheDuration", is_required=True),
            _number("dnsDuration", is_required=True),
            _number("connectionDuration", is_required=True),
            _number("requestDuration", is_required=True),
        ),
    ),
    "fid": Vital(
        "com.amazon.rum.first_input_delay_event",
        (
            _text("eventTarget", is_required=True),
            _text("eventType", is_required=True),
            _number("eventTime", is_required=True),
            _choice("loadState", LOAD_STATES, is_required=True),
        ),
    ),
}
"""By the name that OTel gives a web vital. Values are in milliseconds, but for that of `cls`, which has no unit."""


def is_span_of_vitals(view: SpanView, _: Config) -> bool:
    """Say whether a span tells web vitals, as Splunk's agent has it: an attribute for each."""
    return view.name == "webvitals" and any(view.number(name) is not None for name in VITALS)


def span_events(view: SpanView, _: Config) -> Iterator[Draft]:
    """Yield the event of each web vital that a span tells."""
    for name in VITALS:
        value = view.number(name)
        if value is not None:
            yield vital(name, value, view.end_ns)


def is_vital(view: LogView, _: Config) -> bool:
    """Say whether a log record tells a web vital that RUM knows."""
    return view.name == "browser.web_vital" and _told(view) is not None


def log_event(view: LogView, config: Config) -> Iterator[Draft]:
    """Yield the event of a web vital."""
    told = _told(view)
    if told is not None:
        yield vital(*told, view.end_ns, _attribution(told[0], view.body, config))


def vital(name: str, value: float, timestamp_ns: int, attribution: Mapping[str, Any] | None = None) -> Draft:
    """Return the event of a web vital."""
    details: dict[str, Any] = {"version": VERSION, "value": value}
    if attribution:
        details["attribution"] = attribution
    return Draft(VITALS[name].type, timestamp_ns, details)


def _told(view: LogView) -> tuple[str, float] | None:
    """Return name and value: attributes of their own, or members of the body, as before OTel 1.44."""
    body = view.body if isinstance(view.body, Mapping) else {}
    name = (view.text("browser.web_vital.name") or text(body, "name") or "").lower()
    value = view.number("browser.web_vital.value")
    value = number(body, "value") if value is None else value
    return (name, value) if name in VITALS and value is not None else None


def _attribution(name: str, body: object, config: Config) -> dict[str, Any] | None:
    """Return RUM's attribution from that of web-vitals, which the body is as JSON; None where it is not whole."""
    try:
        told = orjson.loads(body) if isinstance(body, str) else None
    except orjson.JSONDecodeError:
        return None
    if not isinstance(told, dict):
        return None
    found: dict[str, Any] = {}
    for cause in VITALS[name].attribution:
        value = _cause(cause, told)
        if value is not None:
            found[cause.field] = value
        elif cause.is_required:
            return None
    if "url" in found:
        found["url"] = url.scrub(found["url"], config.url_query_parameters)
    return found


def _cause(cause: Cause, told: Mapping[str, Any]) -> str | float | None:
    if cause.is_text:
        return text(told, *cause.sources)
    if cause.choices:
        value = text(told, *cause.sources)
        return value if value in cause.choices else None
    return number(told, *cause.sources)
