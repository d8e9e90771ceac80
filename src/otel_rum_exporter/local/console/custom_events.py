"""The view of custom events, by type: number, durations and attributes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..session import summary
from .axis import Axis
from .event_fields import Json, row_keys, text
from .fact import Fact
from .received import Received
from .scope import Scope
from .selection import Selection
from .session_row import session_and_user
from .statistics import percentile
from .tags import distribution

_MAX_TYPES = 200
_MAX_NAMES = 20
_MAX_SAMPLES = 50
_MAX_COUNTED = 2000

# Each order with its value of a row. The first order is the default.
_ORDERS: Mapping[str, Callable[[Json], Any]] = {
    "count": lambda row: (row["count"], row["last"]),
    "type": lambda row: row["type"],
    "sessions": lambda row: row["sessions"],
    "p50_millis": lambda row: row["p50_millis"] or 0,
    "p75_millis": lambda row: row["p75_millis"] or 0,
    "slowest_millis": lambda row: row["slowest_millis"] or 0,
    "last": lambda row: row["last"],
}


def custom_list(received: Received, scope: Scope) -> Json:
    """Return the types of custom events in scope, and the latest events of the query's `type`."""
    selected = Selection(received.index, scope)
    groups = {name: facts for name in received.index.custom_types if (facts := selected.of_type(name))}
    every = [fact.at for facts in groups.values() for fact in facts]
    axis = Axis.over(min(every), max(every)) if every else Axis(scope.now, 1, 1)
    asked = scope.query.get("type", "")
    detail = _detail(asked, list(groups[asked])) if asked in groups else None
    order, rows = scope.sorted([_row(name, list(facts), axis) for name, facts in groups.items()], _ORDERS, "type")
    return {"total": len(rows), "events": len(every), "sort": order, "types": rows[:_MAX_TYPES], "detail": detail}


def _row(name: str, facts: Sequence[Fact], axis: Axis) -> Json:
    times = [fact.at for fact in facts]
    millis = sorted([fact.millis for fact in facts if fact.millis is not None])
    return {
        "type": name,
        "count": len(facts),
        "sessions": len({fact.session for fact in facts}),
        "timed": len(millis),
        "p50_millis": percentile(millis, 50),
        "p75_millis": percentile(millis, 75),
        "slowest_millis": millis[-1] if millis else None,
        "last": max(times),
        "counts": axis.counts(times),
    }


def _detail(name: str, facts: list[Fact]) -> Json:
    facts.sort(key=lambda fact: fact.at, reverse=True)
    axis = Axis.over(facts[-1].at, facts[0].at)
    latest = facts[:_MAX_SAMPLES]
    names = Counter([text(fact.event.details, "name") for fact in facts])
    del names[""]
    return {
        **_row(name, facts, axis),
        "chart": {"start": axis.start, "step_seconds": axis.step_seconds},
        "names": [[each, count] for each, count in names.most_common(_MAX_NAMES)],
        "other_names": max(len(names) - _MAX_NAMES, 0),
        "tags": distribution([fact.event for fact in facts[:_MAX_COUNTED]], with_details=True),
        "counted": min(len(facts), _MAX_COUNTED),
        "samples": [
            {
                **session_and_user(fact.event),
                "key": key,
                "event": fact.event.id,
                "timestamp": fact.at,
                "name": text(fact.event.details, "name"),
                "summary": summary(fact.event),
                "duration_millis": fact.millis,
                "page": fact.page,
            }
            for key, fact in zip(row_keys([fact.event for fact in latest]), latest, strict=True)
        ],
    }
