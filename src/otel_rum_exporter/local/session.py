"""Events grouped by session, and a one-line summary of an event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .json_text import quote, visible
from .record import RUM_PREFIX, Event


@dataclass(frozen=True, slots=True)
class Session:
    """The events of one session of one app monitor, ordered by timestamp; times are in epoch seconds.

    A session has several users after a login.
    """

    id: str | None
    user_ids: tuple[str, ...]
    app_monitor_id: str
    first: float
    last: float
    counts: Mapping[str, int]
    events: tuple[Event, ...]


def sessions(events: Iterable[Event]) -> tuple[Session, ...]:
    """Group events into sessions, ordered by their latest event, newest first."""
    groups: dict[tuple[str, str | None], list[Event]] = {}
    for event in events:
        groups.setdefault((event.app_monitor_id, event.session_id), []).append(event)
    found = (session_of(sorted(group, key=lambda event: event.timestamp)) for group in groups.values())
    return tuple(sorted(found, key=lambda session: session.last, reverse=True))


def short_type(event_type: str) -> str:
    """Return an event type without RUM's prefix."""
    return event_type.removeprefix(RUM_PREFIX)


def summary(event: Event) -> str:
    """Describe an event in one line."""
    is_custom = not event.type.startswith(RUM_PREFIX)
    describe = _custom if is_custom else _SUMMARIES.get(short_type(event.type), _value)
    try:
        return visible(" ".join(describe(event.details).split()))
    except (AttributeError, KeyError, TypeError):
        # The details do not match the schema, for example in a dropped event.
        return quote(event.details)


def session_of(events: list[Event]) -> Session:
    """Return the session of events that are ordered by timestamp; at least one."""
    first = events[0]
    return Session(
        id=first.session_id,
        user_ids=tuple(dict.fromkeys(event.user_id for event in events if event.user_id)),
        app_monitor_id=first.app_monitor_id,
        first=first.timestamp,
        last=events[-1].timestamp,
        counts=dict(Counter(short_type(event.type) for event in events)),
        events=tuple(events),
    )


def _custom(details: dict[str, Any]) -> str:
    """Describe a custom event by its conventional `name` and `durationMs`, else by its details."""
    name, duration = details.get("name"), details.get("durationMs")
    if not isinstance(name, str):
        return quote(details)
    if isinstance(duration, (int, float)) and not isinstance(duration, bool):
        return f"{name}, {_milliseconds(duration)}"
    return name


def _page(details: dict[str, Any]) -> str:
    return str(details["pageId"])


def _http(details: dict[str, Any]) -> str:
    request = details["request"]
    outcome = ""
    if "response" in details:
        # Clients send 0 or -1 without an answer.
        status = details["response"]["status"]
        outcome = f" → {status}" if status >= 100 else " → no answer"
    elif "error" in details:
        outcome = f" failed: {_error(details['error'])}"
    return f"{request['method']} {request.get('url', '')}{outcome}"


def _error(details: dict[str, Any]) -> str:
    found = [details[name] for name in ("type", "message") if details.get(name, "").strip()]
    return ": ".join(found) or "no type and no message"


def _navigation(details: dict[str, Any]) -> str:
    return f"{details['initiatorType']}, {_milliseconds(details['duration'])}"


def _resource(details: dict[str, Any]) -> str:
    return f"{details.get('targetUrl', details['fileType'])}, {_milliseconds(details['duration'])}"


def _trace(details: dict[str, Any]) -> str:
    return f"{details['name']}, trace {details['trace_id']}"


def _dom(details: dict[str, Any]) -> str:
    return " ".join(details[name] for name in ("event", "element", "elementId") if name in details)


def _vital(details: dict[str, Any]) -> str:
    return _milliseconds(details["value"])


def _value(details: dict[str, Any]) -> str:
    value = details.get("value", "")
    return str(round(value, 4) if isinstance(value, float) else value)


def _milliseconds(number: float) -> str:
    return f"{str(round(number, 1)).removesuffix('.0')} ms"


_SUMMARIES: dict[str, Callable[[dict[str, Any]], str]] = {
    "page_view_event": _page,
    "page_close_event": _page,
    "http_event": _http,
    "js_error_event": _error,
    "performance_navigation_event": _navigation,
    "performance_resource_event": _resource,
    "xray_trace_event": _trace,
    "dom_event": _dom,
    "largest_contentful_paint_event": _vital,
    "first_input_delay_event": _vital,
    "interaction_to_next_paint_event": _vital,
    "first_contentful_paint_event": _vital,
    "time_to_first_byte_event": _vital,
    "time_to_interactive_event": _vital,
}
