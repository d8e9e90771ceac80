"""The error views: similar errors form a group, shown with its latest stack trace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from .axis import Axis
from .event_fields import JS_ERROR, Json, row_keys, text
from .fact import Fact
from .received import Received
from .scope import Scope
from .selection import Selection
from .session_row import device, session_and_user
from .tags import distribution

_AT = attrgetter("at")
_MAX_GROUPS = 200
_MAX_OCCURRENCES = 50
_MAX_COUNTED = 2000

# Each order with its value of a row. The first order is the default.
_ORDERS: Mapping[str, Callable[[Json], Any]] = {
    "count": lambda row: (row["count"], row["last"]),
    "type": lambda row: (row["type"], row["message"], row["key"]),
    "sessions": lambda row: row["sessions"],
    "last": lambda row: row["last"],
}


def error_list(received: Received, scope: Scope) -> Json:
    """Return the groups of errors in scope, the most frequent first."""
    groups = _groups(Selection(received.index, scope))
    axis = _axis(groups, scope)
    order, found = scope.sorted([_group(key, group, axis) for key, group in groups.items()], _ORDERS, by_name="type")
    return {
        "total": len(found),
        "sort": order,
        "occurrences": sum(map(len, groups.values())),
        "errors": found[:_MAX_GROUPS],
    }


def most_frequent(selected: Selection, limit: int) -> Json:
    """Return the number of groups in scope, and the most frequent ones."""
    groups = _groups(selected)
    axis = _axis(groups, selected.scope)
    found = sorted(groups, key=lambda key: (-len(groups[key]), -groups[key][-1].at))[:limit]
    return {"total": len(groups), "errors": [_group(key, groups[key], axis) for key in found]}


def error_detail(received: Received, scope: Scope) -> Json | None:
    """Return the group with the query's `key` and its latest occurrences; None when there is no such group."""
    index = received.index
    group = _groups(Selection(index, scope)).get(scope.query.get("key", ""))
    if not group:
        return None
    axis = Axis.over(group[0].at, group[-1].at)
    latest = group[: -_MAX_OCCURRENCES - 1 : -1]
    keys = row_keys([fact.event for fact in latest])
    return {
        **_group(scope.query["key"], group, axis),
        "chart": {"start": axis.start, "step_seconds": axis.step_seconds},
        "tags": distribution([fact.event for fact in group[: -_MAX_COUNTED - 1 : -1]]),
        "counted": min(len(group), _MAX_COUNTED),
        "trace": next((trace for fact in latest if (trace := index.trace_of(fact))), ""),
        "occurrences": [
            {
                **session_and_user(fact.event),
                "key": key,
                "event": fact.event.id,
                "timestamp": fact.at,
                "page": fact.page,
                "message": text(fact.event.details, "message"),
                "trace": index.trace_of(fact),
                **device([fact.values]),
            }
            for key, fact in zip(keys, latest, strict=True)
        ],
    }


def _groups(selected: Selection) -> dict[str, list[Fact]]:
    """Group the errors in scope by type and message; each group is in order of time."""
    groups: dict[str, list[Fact]] = defaultdict(list)
    for fact in sorted(selected.of_type(JS_ERROR), key=_AT):
        groups[fact.group.pattern].append(fact)
    return groups


def _axis(groups: Mapping[str, Sequence[Fact]], scope: Scope) -> Axis:
    if not groups:
        return Axis(scope.now, 1, 1)
    return Axis.over(min(group[0].at for group in groups.values()), max(group[-1].at for group in groups.values()))


def _group(key: str, group: Sequence[Fact], axis: Axis) -> Json:
    latest = group[-1].event.details
    return {
        "key": key,
        "type": text(latest, "type"),
        "message": text(latest, "message"),
        "stack": next((found for fact in reversed(group) if (found := text(fact.event.details, "stack"))), ""),
        "where": ":".join(str(latest[name]) for name in ("filename", "lineno", "colno") if latest.get(name)),
        "count": len(group),
        "sessions": len({fact.session for fact in group}),
        "pages": sorted({fact.page for fact in group} - {""})[:10],
        "first": group[0].at,
        "last": group[-1].at,
        "counts": axis.counts([fact.at for fact in group]),
    }
