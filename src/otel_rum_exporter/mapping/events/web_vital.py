"""Web vitals: one RUM event for each of the six, with what caused its value where the page told it.

https://opentelemetry.io/docs/specs/semconv/browser/browser-events/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from ..._attributes import SESSION_ATTRIBUTES
from ...config import Config
from ...rum.event import EventDraft
from .. import fields, urls
from ..fields import VERSION, VERSION_FIELD, Field, Holds
from ..log_view import LogView
from ..record_view import number, text
from ..span_view import SpanView

LOAD_STATES = frozenset({"loading", "dom-interactive", "dom-content-loaded", "complete"})
INTERACTION_TYPES = frozenset({"pointer", "keyboard"})

EVENT_NAME = "browser.web_vital"
NAME, VALUE, ID = (f"{EVENT_NAME}.{name}" for name in ("name", "value", "id"))

VALUE_FIELD = Field(
    "value",
    (VALUE,),
    "or `value` of the body; of a span, the attribute named as the vital",
    holds=Holds.NUMBER,
    is_required=True,
)


def _number(name: str, *told_by: str, is_required: bool = False) -> Field:
    return Field(name, told_by or (name,), holds=Holds.NUMBER, is_required=is_required)


def _text(name: str, *told_by: str, is_required: bool = False) -> Field:
    return Field(name, told_by or (name,), is_required=is_required)


def _choice(name: str, choices: frozenset[str], *, is_required: bool = False) -> Field:
    return Field(name, (name,), choices=choices, is_required=is_required)


class Vital(NamedTuple):
    """A web vital: the RUM event that tells it, and the fields of its attribution.

    They are told by members of web-vitals' own attribution. RUM refuses an attribution without those that are required.
    """

    type: str
    attribution: tuple[Field, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Return the fields of the event."""
        note = "of those members of the JSON in the body, where none of the required is missing"
        attribution = Field("attribution", note=note, holds=Holds.OBJECT, members=self.attribution)
        return VERSION_FIELD, VALUE_FIELD, attribution


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
            Field("navigationEntry"),
            Field("lcpResourceEntry"),
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
    return any(view.number(name) is not None for name in VITALS)


def span_events(view: SpanView, _: Config) -> Iterator[EventDraft]:
    """Yield the event of each web vital that a span tells."""
    for name in VITALS:
        value = view.number(name)
        if value is not None:
            yield vital(name, value, view.end_ns)


def supersede(views: Iterable[LogView]) -> None:
    """Mark the web vitals that a later one of the same export corrects.

    The web-vitals library tells one again as it grows, under the same id; how often is up to the page. Those that come
    minutes apart are told each: nobody can know which is the last, and AWS's web client tells one more each time that
    the page is hidden too.
    """
    last: dict[tuple[str | None, ...], LogView] = {}
    for view in views:
        told = _told(view) if view.name == EVENT_NAME else None
        metric_id = view.text(ID) or text(_members(view), "id")
        if told is None or metric_id is None:
            continue
        key = view.text(*SESSION_ATTRIBUTES), told[0], metric_id
        if key in last:
            last[key].is_superseded = True
        last[key] = view


def is_superseded(view: LogView, _: Config) -> bool:
    """Say whether a later record corrects the web vital that one tells."""
    return view.is_superseded


def is_vital(view: LogView, _: Config) -> bool:
    """Say whether a log record tells a web vital that RUM knows."""
    return _told(view) is not None


def log_event(view: LogView, config: Config) -> Iterator[EventDraft]:
    """Yield the event of a web vital."""
    told = _told(view)
    if told is not None:
        yield vital(*told, view.end_ns, _attribution(told[0], view.body, config))


def vital(name: str, value: float, timestamp_ns: int, attribution: Mapping[str, Any] | None = None) -> EventDraft:
    """Return the event of a web vital."""
    details: dict[str, Any] = {"version": VERSION, "value": value}
    if attribution:
        details["attribution"] = attribution
    return EventDraft(VITALS[name].type, timestamp_ns, details)


def _told(view: LogView) -> tuple[str, float] | None:
    """Return name and value: attributes of their own, or members of the body, as before OTel 1.44."""
    body = _members(view)
    name = (view.text(NAME) or text(body, "name") or "").lower()
    value = view.number(VALUE)
    value = number(body, "value") if value is None else value
    return (name, value) if name in VITALS and value is not None else None


def _members(view: LogView) -> Mapping[str, Any]:
    return view.body if isinstance(view.body, Mapping) else {}


def _attribution(name: str, body: object, config: Config) -> dict[str, Any] | None:
    """Return RUM's attribution from that of web-vitals, which the body is as JSON; None where it is not whole."""
    try:
        told = orjson.loads(body) if isinstance(body, str) else None
    except orjson.JSONDecodeError:
        return None
    if not isinstance(told, dict):
        return None
    attribution = VITALS[name].attribution
    found = fields.told(attribution, told)
    if "url" in found:
        found["url"] = urls.scrub(found["url"], config.url_query_parameters)
    return found if fields.is_whole(attribution, found) else None
