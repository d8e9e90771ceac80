"""The view of losses: refused requests, dropped events and removed attributes, with their reasons."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from ..session import short_type, summary
from .event_fields import Json
from .received import Received
from .scope import Scope
from .session_list import session_and_user

_MAX_GROUPS = 100


def loss_list(received: Received, scope: Scope) -> Json:
    """Return the losses, one row per reason, the latest first."""
    start, end = scope.since or float("-inf"), scope.until or float("inf")
    refused = _grouped(
        ((one.status, one.error_type, one.message), one.received_at, {"path": one.path, "at": one.received_at})
        for one in received.refused
        if start <= one.received_at < end
    )
    dropped = _grouped(
        (
            (short_type(one.event.type), one.reason),
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
        ((one.key, short_type(one.event_type), one.reason), 0.0, {"event": one.event_id, "value": one.value})
        for one in received.removed
    )
    answers = Counter(one.status or 0 for one in received.requests if start <= one.received_at < end)
    return {
        "answers": [[status, count] for status, count in sorted(answers.items())],
        "refused": _named(refused, "status", "error_type", "message"),
        "dropped": _named(dropped, "name", "reason"),
        "removed": _named(removed, "key", "name", "reason"),
        "totals": totals(received),
    }


def totals(received: Received) -> Json:
    """Return the number of losses of each kind."""
    return {"refused": len(received.refused), "dropped": len(received.dropped), "removed": len(received.removed)}


_Group = dict[tuple[Any, ...], list[tuple[float, Json]]]


def _grouped(losses: Iterable[tuple[tuple[Any, ...], float, Json]]) -> _Group:
    groups: _Group = defaultdict(list)
    for reason, seconds, latest in losses:
        groups[reason].append((seconds, latest))
    return groups


def _named(groups: _Group, *names: str) -> list[Json]:
    rows = [
        {**dict(zip(names, reason, strict=True)), "count": len(group), "last": group[-1][0], **group[-1][1]}
        for reason, group in groups.items()
    ]
    rows.reverse()
    return sorted(rows, key=lambda row: row["last"], reverse=True)[:_MAX_GROUPS]
