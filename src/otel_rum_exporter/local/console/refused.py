"""The view of losses: refused requests, dropped events and removed attributes, with their reasons."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..record import Event, RefusedRequest, Removed
from ..session import short_type, summary
from .event_fields import Json, member, text, without_variables
from .received import Received
from .scope import Scope
from .session_row import session_and_user

_MAX_GROUPS = 100

# Each order with its value of a row. The first order is the default.
_ORDERS: Mapping[str, Callable[[Json], Any]] = {
    "last": lambda row: row["last"],
    "count": lambda row: (row["count"], row["last"]),
    "reason": lambda row: (row.get("message") or row["reason"], row["row"]),
}

# The value that a reason quotes, as in `… must be a UUID, is "x"`.
_QUOTED = re.compile(r'(?<=, is )(?:"(?:[^"\\]|\\.)*(?:"|…)|[\[{].*)')


def loss_list(received: Received, scope: Scope) -> Json:
    """Return the losses in scope, the latest first. Reasons that differ in numbers or ids only are one row."""
    start, end = scope.since or float("-inf"), scope.until or float("inf")
    refused = _grouped(
        (
            {"status": one.status, "error_type": one.error_type, "message": one.message},
            one.received_at,
            {"path": one.path, "at": one.received_at},
        )
        for one in received.refused
        if start <= one.received_at < end and (not scope.has_filters or any(map(scope.fits, _events_of(one))))
    )
    dropped = _grouped(
        (
            {"name": short_type(one.event.type), "reason": one.reason},
            one.event.timestamp,
            {
                **session_and_user(one.event),
                "event": one.event.id,
                "summary": summary(one.event),
            },
        )
        for one in received.dropped
        if scope.fits(one.event) and start <= one.event.timestamp < end
    )
    removed = _grouped(
        (
            {"key": one.key, "name": short_type(one.event_type), "reason": one.reason},
            event.timestamp if event else 0.0,
            {"event": one.event_id, "value": one.value, **(session_and_user(event) if event else {})},
        )
        for one, event in _with_events(received)
        if not scope.narrows or (event and start <= event.timestamp < end and scope.fits(event))
    )
    answers = Counter(one.status or 0 for one in received.requests if start <= one.received_at < end)
    kinds = {"refused": refused, "dropped": dropped, "removed": removed}
    ordered = {name: scope.sorted(rows, _ORDERS, by_name="reason") for name, rows in kinds.items()}
    return {
        "sort": ordered["refused"][0],
        "answers": [[status, count] for status, count in sorted(answers.items())],
        **{name: {"total": len(rows), "rows": rows[:_MAX_GROUPS]} for name, (_, rows) in ordered.items()},
        "totals": totals(received),
    }


def totals(received: Received) -> Json:
    """Return the number of losses of each kind."""
    return {"refused": len(received.refused), "dropped": len(received.dropped), "removed": len(received.removed)}


def _grouped(losses: Iterable[tuple[Json, float, Json]]) -> list[Json]:
    """Return a row per reason with the number of losses and the latest one; `row` identifies the row."""
    groups: dict[str, Json] = {}
    counts: Counter[str] = Counter()
    for reason, seconds, latest in losses:
        row = without_variables(_QUOTED.sub("#", "\0".join(map(str, reason.values()))))
        counts[row] += 1
        if row not in groups or seconds >= groups[row]["last"]:
            groups[row] = {**reason, "last": seconds, **latest}
    return [{**group, "row": row, "count": counts[row]} for row, group in groups.items()]


def _with_events(received: Received) -> Iterator[tuple[Removed, Event | None]]:
    """Yield the removed attributes with their events, None for an event that is no longer stored."""
    ids = {one.event_id for one in received.removed}
    events = {fact.event.id: fact.event for fact in received.index.facts if fact.event.id in ids} if ids else {}
    for one in received.removed:
        yield one, events.get(one.event_id)


def _events_of(refused: RefusedRequest) -> Iterator[Event]:
    """Yield the events of a refused request as far as they can be read; at least one, with the request's message."""
    common: dict[str, Any] = {
        "timestamp": refused.received_at,
        "app_monitor_id": refused.path.rpartition("/")[2],
        "batch_id": text(refused.raw, "BatchId"),
        "session_id": text(refused.raw, "UserDetails", "sessionId") or None,
        "user_id": text(refused.raw, "UserDetails", "userId") or None,
    }
    session_metadata = _decoded(member(refused.raw, "SessionMetadata"))
    sent = member(refused.raw, "RumEvents")
    for each in (sent if isinstance(sent, list) else None) or [{}]:
        details = {"": f"{refused.status} {refused.error_type} {refused.message}", **_decoded(member(each, "details"))}
        metadata = {**session_metadata, **_decoded(member(each, "metadata"))}
        yield Event(id=text(each, "id"), type=text(each, "type"), details=details, metadata=metadata, **common)


def _decoded(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}
