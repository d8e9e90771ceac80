"""Web vitals: one RUM event for each of the six, with the attribution of its value if the page reports one.

https://opentelemetry.io/docs/specs/semconv/browser/browser-events/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from ..._attributes import SESSION_ATTRIBUTES
from ...config import Config
from ...rum.event import EventDraft
from .. import fields
from ..fields import VERSION, VERSION_FIELD, Field, Holds
from ..log_view import LogView
from ..record_view import number, text
from ..redaction import Redactor
from ..span_view import SpanView

LOAD_STATES = frozenset({"loading", "dom-interactive", "dom-content-loaded", "complete"})
INTERACTION_TYPES = frozenset({"pointer", "keyboard"})

EVENT_NAME = "browser.web_vital"
NAME, VALUE, ID = (f"{EVENT_NAME}.{name}" for name in ("name", "value", "id"))

VALUE_FIELD = Field(
    "value",
    (VALUE,),
    "else `value` of the body; of a span, the attribute with the vital's name",
    holds=Holds.NUMBER,
    is_required=True,
)


def _number(name: str, *sources: str, is_required: bool = False) -> Field:
    return Field(name, sources or (name,), holds=Holds.NUMBER, is_required=is_required)


def _text(name: str, *sources: str, is_required: bool = False) -> Field:
    return Field(name, sources or (name,), is_required=is_required)


def _choice(name: str, choices: frozenset[str], *, is_required: bool = False) -> Field:
    return Field(name, (name,), choices=choices, is_required=is_required)


class Vital(NamedTuple):
    """A web vital: its RUM event and the fields of its attribution.

    Their sources are members of the web-vitals library's attribution. RUM refuses an attribution that lacks required
    fields.
    """

    type: str
    attribution: tuple[Field, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Return the fields of the event."""
        note = "from these members of the body's JSON, if no required one is missing"
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
"""By OpenTelemetry's name. Values are in milliseconds, except `cls`, which has no unit."""


SPANS = frozenset({"webvitals", *(name.upper() for name in VITALS)})
"""Names of spans of web vitals: Splunk's has all of a page, Honeycomb's have one each."""


def is_span_of_vitals(view: SpanView, _: Config) -> bool:
    """Return whether a span has web vitals as attributes, as agents for browsers set them."""
    return any(_number_of_span(view, name) is not None for name in VITALS)


def span_events(view: SpanView, _: Config) -> Iterator[EventDraft]:
    """Yield the event of each web vital on a span."""
    for name in VITALS:
        value = _number_of_span(view, name)
        if value is not None and value >= 0:
            yield vital(name, value, view.end_ns)


def _number_of_span(view: SpanView, name: str) -> float | None:
    """Return a vital in the attributes of a span: `lcp`, or `lcp.value` of a span `LCP`, as Honeycomb's agent sets."""
    return view.number(f"{name}.value") if view.name.lower() == name else view.number(name)


def supersede(views: Iterable[LogView]) -> None:
    """Mark web vitals that a later record in the same export replaces.

    The web-vitals library reports a vital again under the same id when its value grows. Across exports each report is
    sent, because the last one cannot be known in advance. AWS's web client does the same each time the page is hidden.
    """
    last: dict[tuple[str | None, ...], LogView] = {}
    for view in views:
        found = _name_and_value(view) if view.name == EVENT_NAME else None
        metric_id = view.text(ID) or text(_members(view), "id")
        if found is None or metric_id is None:
            continue
        key = view.identifier(*SESSION_ATTRIBUTES), found[0], metric_id
        if key in last:
            last[key].is_superseded = True
        last[key] = view


def is_superseded(view: LogView, _: Config) -> bool:
    """Return whether a later record replaces a web vital."""
    return view.is_superseded


def is_vital(view: LogView, _: Config) -> bool:
    """Return whether a log record is a web vital that RUM accepts."""
    return _name_and_value(view) is not None


def log_event(view: LogView, config: Config) -> Iterator[EventDraft]:
    """Yield the event of a web vital; a negative value is no measurement."""
    found = _name_and_value(view)
    if found is not None and found[1] >= 0:
        yield vital(*found, view.end_ns, _attribution(found[0], view.body, config))


def vital(name: str, value: float, timestamp_ns: int, attribution: Mapping[str, Any] | None = None) -> EventDraft:
    """Return the event of a web vital."""
    details: dict[str, Any] = {"version": VERSION, "value": value}
    if attribution:
        details["attribution"] = attribution
    return (VITALS[name].type, timestamp_ns, details)


def _name_and_value(view: LogView) -> tuple[str, float] | None:
    """Return name and value from attributes, or from the body, where they were before OpenTelemetry 1.44."""
    body = _members(view)
    name = (view.text(NAME) or text(body, "name") or "").lower()
    value = view.number(VALUE)
    value = number(body, "value") if value is None else value
    return (name, value) if name in VITALS and value is not None else None


def _members(view: LogView) -> Mapping[str, Any]:
    return view.body if isinstance(view.body, Mapping) else {}


def _attribution(name: str, body: object, config: Config) -> dict[str, Any] | None:
    """Return RUM's attribution from the web-vitals attribution in the body (JSON); None if it is incomplete."""
    try:
        given = orjson.loads(body) if isinstance(body, str) else None
    except orjson.JSONDecodeError:
        return None
    if not isinstance(given, dict):
        return None
    attribution = VITALS[name].attribution
    found = fields.values_from(attribution, given)
    if "url" in found:
        found["url"] = Redactor.of(config.redaction).url("url", found["url"], config.url_query_parameters)
    return found if fields.is_complete(attribution, found) else None
