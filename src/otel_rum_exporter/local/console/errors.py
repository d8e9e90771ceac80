"""The error views: similar errors form a group, shown with its latest stack trace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ..record import Event
from .axis import Axis
from .event_fields import JS_ERROR, Json, page, row_keys, text
from .received import Received
from .scope import Scope
from .selection import Selection
from .session_list import device, session_and_user

_MAX_GROUPS = 200
_MAX_OCCURRENCES = 50


def error_list(received: Received, scope: Scope) -> Json:
    """Return the groups of errors in scope, the most frequent first."""
    groups = _groups(received, scope)
    every = [event.timestamp for group in groups.values() for event in group]
    axis = Axis.over(min(every), max(every)) if every else Axis(scope.now, 1, 1)
    found = [_group(key, group, axis) for key, group in groups.items()]
    found.sort(key=lambda group: (-group["count"], -group["last"], group["key"]))
    return {"total": len(found), "occurrences": len(every), "errors": found[:_MAX_GROUPS]}


def error_detail(received: Received, scope: Scope) -> Json | None:
    """Return the group with the query's `key` and its latest occurrences; None when there is no such group."""
    group = _groups(received, scope).get(scope.query.get("key", ""))
    if not group:
        return None
    axis = Axis.over(group[0].timestamp, group[-1].timestamp)
    latest = group[: -_MAX_OCCURRENCES - 1 : -1]
    keys = row_keys(latest)
    return {
        **_group(scope.query["key"], group, axis),
        "chart": {"start": axis.start, "step_seconds": axis.step_seconds},
        "occurrences": [
            {
                **session_and_user(event),
                "key": key,
                "event": event.id,
                "timestamp": event.timestamp,
                "page": page(event),
                "message": text(event.details, "message"),
                **device([event]),
            }
            for key, event in zip(keys, latest, strict=True)
        ],
    }


def _groups(received: Received, scope: Scope) -> dict[str, list[Event]]:
    """Group the errors in scope by type and message; each group is in order of time."""
    groups: dict[str, list[Event]] = defaultdict(list)
    for fact in sorted(Selection(received.index, scope).of_type(JS_ERROR), key=lambda fact: fact.at):
        groups[fact.pattern].append(fact.event)
    return groups


def _group(key: str, group: Sequence[Event], axis: Axis) -> Json:
    latest = group[-1].details
    return {
        "key": key,
        "type": text(latest, "type"),
        "message": text(latest, "message"),
        "stack": next((found for event in reversed(group) if (found := text(event.details, "stack"))), ""),
        "where": ":".join(str(latest[name]) for name in ("filename", "lineno", "colno") if latest.get(name)),
        "count": len(group),
        "sessions": len({(event.app_monitor_id, event.session_id) for event in group}),
        "pages": sorted({page(event) for event in group} - {""})[:10],
        "first": group[0].timestamp,
        "last": group[-1].timestamp,
        "counts": axis.counts(event.timestamp for event in group),
    }
