"""Validation of decoded PutRumEvents requests by RUM's documented rules.

Pure: no clock, no HTTP, no store. A request that RUM refuses raises `Violation`. Events and attributes that RUM drops
without an error are returned as dropped and removed. Members and patterns follow the service model,
https://docs.aws.amazon.com/cloudwatchrum/latest/APIReference/API_PutRumEvents.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from . import schema
from .app_monitor import AppMonitor
from .json_text import dump, parse, quote
from .record import RUM_PREFIX, Decision, Dropped, Event, Removed

# "Each event must be under 6 KB serialized (including metadata). Larger events are dropped silently."
# aws-rum-web, docs/troubleshooting.md
MAX_EVENT_BYTES = 6 * 1024

# A session replay event contains whole pages, which AWS plays back, so the limit cannot apply to it.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-RUM-session-replay.html
_REPLAY = f"{RUM_PREFIX}rrweb_event"

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-RUM-custom-metadata.html
MAX_CUSTOM_ATTRIBUTES = 10
MAX_VALUE_CHARACTERS = 256
_CUSTOM_KEY = re.compile(r"(?!pageTags)(?!aws:)[a-zA-Z0-9_:]{1,128}")

# Ten digits before the decimal point: September 2001 to November 2286. Detects milliseconds and monotonic clocks.
_EARLIEST_SECONDS, _LATEST_SECONDS = 1_000_000_000, 9_999_999_999

_UUID = re.compile(r"[a-fA-F0-9]{8}-([a-fA-F0-9]{4}-){3}[a-fA-F0-9]{12}")
_EVENT_TYPE = re.compile(r"[a-zA-Z0-9_.-]{1,256}")
_MAX_ALIAS_CHARACTERS = 255

_DROPPED = ", so RUM drops the event. To fix:"


class Violation(ValueError):  # noqa: N818 - reports invalid input, not an error of this program
    """RUM would answer the request with a ValidationException; `decisions` has one entry per event."""

    def __init__(self, message: str, decisions: tuple[Decision, ...] = ()) -> None:
        super().__init__(message)
        self.decisions = decisions


@dataclass(frozen=True, slots=True)
class ValidRequest:
    """The content of a valid request: accepted events, dropped events and removed attributes."""

    app_monitor_id: str
    batch_id: str
    app_monitor: dict[str, Any]
    user_id: str | None
    session_id: str | None
    alias: str | None
    session_metadata: dict[str, Any]
    events: tuple[Event, ...]
    dropped: tuple[Dropped, ...]
    removed: tuple[Removed, ...]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class _Context:
    app_monitor_id: str
    monitor: AppMonitor
    batch_id: str
    user_id: str | None
    session_id: str | None
    metadata: dict[str, Any]


def validate(app_monitor_id: str, body: object, monitor: AppMonitor | None = None) -> ValidRequest:
    """Validate a decoded body by the configuration of its app monitor; raise Violation when RUM would refuse it."""
    _matching(_UUID, app_monitor_id, "the app monitor id in the path", "a UUID")
    request = _members(
        body,
        "the request body",
        required=("BatchId", "AppMonitorDetails", "UserDetails", "RumEvents"),
        optional=("Alias", "SessionMetadata"),
    )
    app_monitor = _app_monitor(request["AppMonitorDetails"], app_monitor_id)
    user = _members(request["UserDetails"], "UserDetails", optional=("userId", "sessionId"))
    context = _Context(
        app_monitor_id=app_monitor_id,
        monitor=monitor or AppMonitor(),
        batch_id=_uuid(request["BatchId"], "BatchId"),
        user_id=_uuid(user["userId"], "UserDetails.userId") if "userId" in user else None,
        session_id=_uuid(user["sessionId"], "UserDetails.sessionId") if "sessionId" in user else None,
        metadata=_json_object(request.get("SessionMetadata", "{}"), "SessionMetadata"),
    )
    alias = _alias(request["Alias"]) if "Alias" in request else None
    checked = _check_events(request["RumEvents"], context)
    return ValidRequest(
        app_monitor_id=app_monitor_id,
        batch_id=context.batch_id,
        app_monitor=app_monitor,
        user_id=context.user_id,
        session_id=context.session_id,
        alias=alias,
        session_metadata=context.metadata,
        events=tuple(event for event, _ in checked if isinstance(event, Event)),
        dropped=tuple(event for event, _ in checked if isinstance(event, Dropped)),
        removed=tuple(attribute for _, removed in checked for attribute in removed),
        decisions=tuple(_decision(*one) for one in checked),
    )


def _check_events(values: object, context: _Context) -> list[tuple[Event | Dropped, list[Removed]]]:
    if not isinstance(values, list):
        raise Violation(f"RumEvents must be a list, is {quote(values)}")
    checked = []
    violations: dict[int, str] = {}
    for n, value in enumerate(values):
        at = f"RumEvents[{n}]"
        try:
            checked.append(_check_event(_event(value, at, context), at, context.monitor))
        except Violation as violation:
            violations[n] = str(violation)
    if violations:
        first = f"RumEvents[{next(iter(violations))}]"
        other = f"{first} in the same request is invalid, so RUM refuses the whole request. To fix: correct {first}"
        decisions = tuple(
            Decision(_text(value, "id"), _text(value, "type"), "refused", violations.get(n, other))
            for n, value in enumerate(values)
        )
        raise Violation(next(iter(violations.values())), decisions)
    return checked


def _decision(event: Event | Dropped, removed: list[Removed]) -> Decision:
    if isinstance(event, Dropped):
        return Decision(event.event.id, event.event.type, "dropped", event.reason)
    reason = "; ".join(f"attribute {quote(one.key)} removed: {one.reason}" for one in removed)
    return Decision(event.id, event.type, "accepted", reason or None)


def _text(event: object, member: str) -> str | None:
    value = event.get(member) if isinstance(event, dict) else None
    return value if isinstance(value, str) else None


def _event(value: object, at: str, context: _Context) -> Event:
    members = _members(value, at, required=("id", "timestamp", "type", "details"), optional=("metadata",))
    return Event(
        id=_uuid(members["id"], f"{at}.id"),
        timestamp=_timestamp(members["timestamp"], f"{at}.timestamp"),
        type=_event_type(members["type"], f"{at}.type"),
        details=_json_object(members["details"], f"{at}.details"),
        metadata={**context.metadata, **_json_object(members.get("metadata", "{}"), f"{at}.metadata")},
        session_id=context.session_id,
        user_id=context.user_id,
        app_monitor_id=context.app_monitor_id,
        batch_id=context.batch_id,
    )


def _check_event(sent: Event, at: str, monitor: AppMonitor) -> tuple[Event | Dropped, list[Removed]]:
    removed = _removed_attributes(sent)
    removed_keys = {attribute.key for attribute in removed}
    metadata = {key: value for key, value in sent.metadata.items() if key not in removed_keys}
    problem = schema.violation(schema.METADATA, metadata, f"{at}.metadata")
    if problem:
        raise Violation(f"{problem} (the event's own metadata merged over SessionMetadata)")
    if sent.type.startswith(RUM_PREFIX):
        problem = schema.violation(sent.type.removeprefix(RUM_PREFIX), sent.details, f"{at}.details")
        if problem:
            raise Violation(problem)
    reason = _drop_reason(sent, monitor)
    return (Dropped(sent, reason), []) if reason else (replace(sent, metadata=metadata), removed)


def _drop_reason(event: Event, monitor: AppMonitor) -> str | None:
    if not monitor.custom_events and not event.type.startswith(RUM_PREFIX):
        return f"custom events are disabled in the app monitor{_DROPPED} enable custom events"
    # "collected only if the app monitor has X-Ray tracing activated"
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-RUM-datacollected.html
    if not monitor.xray and event.type == f"{RUM_PREFIX}xray_trace_event":
        return f"X-Ray tracing is disabled in the app monitor{_DROPPED} enable X-Ray tracing"
    domain = event.metadata.get("domain")
    if not monitor.accepts_domain(domain):
        domains = ", ".join(monitor.domains)
        return f"the app monitor accepts {domains} and not the domain {quote(domain)}{_DROPPED} add the domain"
    size = event_bytes(event)
    if size > MAX_EVENT_BYTES and event.type != _REPLAY:
        limit = f"above RUM's limit of {MAX_EVENT_BYTES}"
        return f"the event has {size} bytes with merged metadata, {limit}{_DROPPED} shorten details or metadata"
    return None


def event_bytes(event: Event) -> int:
    """Return the size of an event as compact JSON in UTF-8: id, timestamp, type, details and merged metadata."""
    measured = {
        "id": event.id,
        "timestamp": event.timestamp,
        "type": event.type,
        "metadata": event.metadata,
        "details": event.details,
    }
    return len(dump(measured).encode())


def _removed_attributes(event: Event) -> list[Removed]:
    removed = []
    kept = 0
    for key, value in event.metadata.items():
        if key in schema.METADATA_MEMBERS:
            continue
        if not _CUSTOM_KEY.fullmatch(key):
            reason = "the key must be 1 to 128 of A-Z a-z 0-9 _ : and must not begin with aws: or pageTags"
        elif not isinstance(value, (str, int, float)):
            reason = "the value must be a string, a number or a boolean"
        elif isinstance(value, str) and len(value) > MAX_VALUE_CHARACTERS:
            reason = f"the value must have at most {MAX_VALUE_CHARACTERS} characters, has {len(value)}"
        elif kept == MAX_CUSTOM_ATTRIBUTES:
            reason = f"an event must have at most {MAX_CUSTOM_ATTRIBUTES} custom attributes"
        else:
            kept += 1
            continue
        removed.append(Removed(event.id, event.type, key, value, reason))
    return removed


def _app_monitor(value: object, app_monitor_id: str) -> dict[str, Any]:
    details = _members(value, "AppMonitorDetails", optional=("id", "name", "version"))
    for name, member in details.items():
        if not isinstance(member, str):
            raise Violation(f"AppMonitorDetails.{name} must be a string, is {quote(member)}")
    if details.get("id", app_monitor_id) != app_monitor_id:
        raise Violation(
            f"AppMonitorDetails.id {quote(details['id'])} is not the id in the path, {quote(app_monitor_id)}"
        )
    return details


def _alias(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= _MAX_ALIAS_CHARACTERS:
        raise Violation(f"Alias must be a string of 1 to {_MAX_ALIAS_CHARACTERS} characters, is {quote(value)}")
    return value


def _event_type(value: object, at: str) -> str:
    event_type = _matching(_EVENT_TYPE, value, at, "1 to 256 of A-Z a-z 0-9 _ . -")
    if event_type.startswith(RUM_PREFIX) and event_type.removeprefix(RUM_PREFIX) not in schema.EVENT_TYPES:
        raise Violation(
            f"{at} {quote(event_type)} is unknown: the prefix {RUM_PREFIX} is reserved for RUM's event types"
        )
    return event_type


def _timestamp(value: object, at: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Violation(f"{at} must be a number of epoch seconds, is {quote(value)}")
    if not _EARLIEST_SECONDS <= value <= _LATEST_SECONDS:
        hint = ", which looks like milliseconds. To fix: divide by 1000" if value > _LATEST_SECONDS else ""
        raise Violation(f"{at} must be epoch seconds between 2001 and 2286, is {quote(value)}{hint}")
    return value


def _uuid(value: object, at: str) -> str:
    return _matching(_UUID, value, at, "a UUID of 36 characters")


def _matching(pattern: re.Pattern[str], value: object, at: str, rule: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Violation(f"{at} must be {rule}, is {quote(value)}")
    return value


def _json_object(value: object, at: str) -> dict[str, Any]:
    if not isinstance(value, str):
        raise Violation(f"{at} must be a string that holds a JSON object, is {quote(value)}")
    try:
        document = parse(value)
    except ValueError as error:
        raise Violation(f"{at} must hold a JSON object, is {quote(value)}: {error}") from error
    if not isinstance(document, dict):
        raise Violation(f"{at} must hold a JSON object, holds {quote(document)}")
    return document


def _members(
    value: object, at: str, *, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Violation(f"{at} must be a JSON object, is {quote(value)}")
    prefix = "" if at == "the request body" else f"{at}."
    for name in required:
        if name not in value:
            raise Violation(f"{prefix}{name} is required")
    for name in value:
        if name not in (*required, *optional):
            raise Violation(f"{at} has the unknown member {quote(name)}")
    return value
