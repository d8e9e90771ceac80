"""Fields of events. These functions never raise, because dropped events may violate the schema of their type."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from ..record import RUM_PREFIX, Event
from .user_agent import read_user_agent

Json = dict[str, Any]

SESSION_START = f"{RUM_PREFIX}session_start_event"
PAGE_VIEW = f"{RUM_PREFIX}page_view_event"
HTTP = f"{RUM_PREFIX}http_event"
JS_ERROR = f"{RUM_PREFIX}js_error_event"
RESOURCE = f"{RUM_PREFIX}performance_resource_event"
NAVIGATION = f"{RUM_PREFIX}performance_navigation_event"

PROBLEMS = ("4xx", "5xx", "failed")
"""The outcomes of failed HTTP requests."""

_KINDS = {
    RUM_PREFIX + name: kind
    for name, kind in (
        ("session_start_event", "session"),
        ("page_view_event", "page"),
        ("page_close_event", "page"),
        ("performance_navigation_event", "load"),
        ("performance_resource_event", "resource"),
        ("http_event", "http"),
        ("js_error_event", "error"),
        ("dom_event", "action"),
        ("largest_contentful_paint_event", "vital"),
        ("interaction_to_next_paint_event", "vital"),
        ("cumulative_layout_shift_event", "vital"),
        ("first_contentful_paint_event", "vital"),
        ("first_input_delay_event", "vital"),
        ("time_to_first_byte_event", "vital"),
        ("time_to_interactive_event", "vital"),
        ("xray_trace_event", "trace"),
        ("rrweb_event", "replay"),
    )
}

NAME_END = "\x1f"
"""Separates name and value in a searched text."""

_KEY_CHARACTERS = 12
_EXPORTER = "otel-rum-exporter"
# The ids of events of spans have an 8 before the last digit of the span id; those of log records a 9, and no span id.
_EVENT_ID = re.compile(
    r"([0-9a-f]{8})-([0-9a-f]{4})-8([0-9a-f]{3})-([89])([0-9a-f])[0-9a-f]{2}-([0-9a-f]{12})", re.ASCII
)
_HEXADECIMAL = frozenset("0123456789abcdef")
_VARIABLE = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|0x[0-9a-fA-F]+|\d+(?:[.,]\d+)*")

# Far above any measured value, and low enough that sums stay finite.
_LARGEST = 1e15


def without_variables(message: str) -> str:
    """Replace the parts of a message that differ between its occurrences: ids, addresses, numbers."""
    return _VARIABLE.sub("#", message)


def error_key(event: Event) -> str:
    """Return a key that errors with the same type and a similar message have."""
    alike = without_variables(text(event.details, "message"))
    same = f"{text(event.details, 'type')}\0{alike}".encode("utf-8", "replace")
    return sha256(same).hexdigest()[:_KEY_CHARACTERS]


def row_keys(events: Sequence[Event]) -> list[str]:
    """Return a key of each event that stays when later events arrive: its id, with a number when it is repeated.

    The latest event comes first.
    """
    seen: Counter[str] = Counter()
    keys = []
    for event in reversed(events):
        seen[event.id] += 1
        keys.append(event.id if seen[event.id] == 1 else f"{event.id}~{seen[event.id]}")
    keys.reverse()
    return keys


def kind(event: Event) -> str:
    """Return the kind of an event in the console."""
    return _KINDS.get(event.type, "custom")


def member(value: Any, *path: str) -> Any:
    """Return a nested member; None when missing."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def number(value: Any, *path: str) -> float | None:
    """Return a member as a float; None when it is not a number or too large to sum."""
    found = member(value, *path)
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return None
    return float(found) if abs(found) <= _LARGEST else None


def text(value: Any, *path: str) -> str:
    """Return a member that is a string, else the empty string."""
    found = member(value, *path)
    return found if isinstance(found, str) else ""


def page(event: Event) -> str:
    """Return the page of an event; the empty string when it has none."""
    own = text(event.details, "pageId") if kind(event) == "page" else ""
    return own or text(event.metadata, "pageId")


def trace_id(event: Event) -> str:
    """Return the trace of an event as 32 hexadecimal digits, from X-Ray's or OpenTelemetry's form; else empty."""
    given = text(event.details, "trace_id") or text(event.details, "traceId")
    found = given.removeprefix("1-").replace("-", "").lower()
    return found if len(found) == 32 and _HEXADECIMAL.issuperset(found) else ""


def id_words(session_id: str | None, user_id: str | None) -> str:
    """Return the text that a search reads of the ids of session and user."""
    return lines([("session", session_id or ""), ("user", user_id or "")])


def shared_words(event: Event) -> str:
    """Return the text that a search reads of the dimensions and the metadata of an event, which many events share.

    It has a line with name and value for each. Values are in lower case and names in upper case, so that the words of a
    search find values only.
    """
    found = [(name, value_of(event)) for name, value_of in DIMENSIONS.items()]
    return lines([*found, *_members(event.metadata)])


def span_of(event: Event) -> tuple[str, str]:
    """Return the span id and the last 12 digits of the trace id of an event, which this exporter writes into its id.

    Both are empty for other events: the details of most types have no place for a trace id. Events of log records have
    no span id.
    """
    if event.metadata.get("aws:client") != _EXPORTER or not (found := _EVENT_ID.fullmatch(event.id)):
        return "", ""
    *start, variant, last, trace_end = found.groups()
    return "".join([*start, last]) if variant == "8" else "", trace_end


def own_fields(event: Event) -> list[tuple[str, str]]:
    """Return names and values of the rest that a search reads of an event beside its type: its id and details."""
    return [("event", event.id), *_members(event.details)]


def _members(members: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in members.items():
        if isinstance(value, dict):
            # `attributes` of a custom event are the application's own names.
            prefix = "" if name == "attributes" else f"{name}."
            yield from ((prefix + key, plain(one)) for key, one in value.items() if not isinstance(one, (dict, list)))
        elif not isinstance(value, list):
            yield name, plain(value)


def lines(found: Iterable[tuple[str, str]]) -> str:
    """Return fields as the text that a search reads."""
    return "\n".join(["", *(f"{name.upper()}{NAME_END}{value.lower()}" for name, value in found), ""])


def plain(value: Any) -> str:
    """Return a value as a search writes it: `true` for True, `3` for 3.0."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _user_agent(event: Event) -> tuple[str, str, str]:
    return read_user_agent(text(event.metadata, "aws:userAgent"))


DIMENSIONS: Mapping[str, Callable[[Event], str]] = {
    "monitor": lambda event: event.app_monitor_id,
    "page": page,
    "browser": lambda event: text(event.metadata, "browserName") or _user_agent(event)[0],
    "os": lambda event: text(event.metadata, "osName") or _user_agent(event)[1],
    "device": lambda event: text(event.metadata, "deviceType") or _user_agent(event)[2],
    "country": lambda event: text(event.metadata, "countryCode"),
}
"""The dimensions that filter events: those of RUM's metrics."""


def duration_millis(event: Event) -> float | None:
    """Return the duration of an event; None when it has none."""
    millis = number(event.details, "durationMs" if kind(event) == "custom" else "duration")
    if kind(event) == "trace":
        start, end = number(event.details, "start_time"), number(event.details, "end_time")
        millis = None if start is None or end is None else (end - start) * 1000
    return millis if millis is not None and millis >= 0 else None


def status(event: Event) -> int:
    """Return the status of an HTTP request; 0 without a response, for which clients also send -1."""
    found = number(event.details, "response", "status") or 0
    return int(found) if found >= 100 else 0


def outcome(event: Event) -> str:
    """Return how an HTTP request ended: `ok`, `4xx`, `5xx`, or `failed` without a response."""
    found = status(event)
    if found < 400:
        return "ok" if found else "failed"
    return "4xx" if found < 500 else "5xx"


def is_problem(event: Event) -> bool:
    """Return whether an event is an error or a failed request."""
    return kind(event) == "error" or (kind(event) == "http" and outcome(event) != "ok")
