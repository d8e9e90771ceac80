"""The waterfall of one trace: X-Ray segments, requests and spans of the same trace id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..session import short_type, summary
from .event_fields import Json, member, number, text
from .fact import Fact
from .received import Received
from .scope import MAX_ROWS, Scope
from .session_row import session_and_user


@dataclass(slots=True)
class _Step:
    """A row of a waterfall; times are in epoch seconds."""

    id: str
    parent: str
    name: str
    what: str
    start: float
    end: float
    is_problem: bool
    fact: Fact
    depth: int = 0
    status: int | None = None


def trace_detail(received: Received, scope: Scope) -> Json | None:
    """Return the trace with the query's `id`, 32 hexadecimal digits; None when no stored event has it."""
    asked = scope.query.get("id", "")
    facts = received.index.of_trace(asked)
    if not facts:
        return None
    steps = [step for fact in facts for step in _steps(fact)]
    ordered = _in_tree(steps)
    start = min(step.start for step in steps)
    return {
        "id": asked,
        "start": start,
        "end": max(step.end for step in steps),
        "problems": sum(step.is_problem for step in steps),
        "total": len(steps),
        "steps": [_row(number_, step) for number_, step in enumerate(ordered[:MAX_ROWS])],
    }


def _steps(fact: Fact) -> Iterator[_Step]:
    details = fact.event.details
    if fact.kind == "resource" and fact.other and fact.other.trace:
        return  # the request is a step, with this duration
    if fact.kind == "trace":
        yield from _segments(details, text(details, "parent_id"), fact, 0)
        return
    start = fact.start
    if fact.other and fact.other.millis is not None:
        start = fact.at - fact.other.millis / 1000
    # An error is a moment of its span, and the other events are their spans.
    is_error = fact.kind == "error"
    name = {"load": fact.page, "resource": fact.url}.get(fact.kind) or text(details, "name")
    yield _Step(
        id=text(details, "spanId") or text(details, "segment_id") or ("" if is_error else fact.span),
        parent=text(details, "parentSpanId") or (fact.span if is_error else ""),
        name=name or summary(fact.event),
        what=short_type(fact.type),
        start=start,
        end=fact.at,
        is_problem=fact.is_problem or text(details, "otel", "status_code") == "ERROR",
        fact=fact,
        status=fact.group.status or None,
    )


def _segments(segment: Any, parent: str, fact: Fact, level: int) -> Iterator[_Step]:
    """Yield a segment and the subsegments in it."""
    if not isinstance(segment, dict):
        return
    start = number(segment, "start_time")
    end = number(segment, "end_time")
    status = number(segment, "http", "response", "status")
    request = " ".join(filter(None, (text(segment, "http", "request", name) for name in ("method", "url"))))
    yield _Step(
        id=text(segment, "id"),
        parent=parent,
        name=text(segment, "name"),
        what=request or ("subsegment" if level else "segment"),
        start=fact.at if start is None else start,
        end=max(fact.at if end is None else end, fact.at if start is None else start),
        is_problem=any(segment.get(name) is True for name in ("error", "fault", "throttle")),
        fact=fact,
        status=None if status is None else int(status),
    )
    inner = member(segment, "subsegments")
    if isinstance(inner, list) and level < 20:
        for each in inner:
            yield from _segments(each, text(segment, "id"), fact, level + 1)


def _in_tree(steps: Sequence[_Step]) -> list[_Step]:
    """Order steps depth first, each below its parent; a parent that is not stored makes a root."""
    by_id = {step.id: step for step in steps if step.id}
    _stretch(steps, by_id)
    children: dict[str, list[_Step]] = defaultdict(list)
    roots = []
    for step in sorted(steps, key=lambda one: (one.start, -one.end)):
        if step.parent in by_id and by_id[step.parent] is not step:
            children[step.parent].append(step)
        else:
            roots.append(step)
    ordered: dict[int, _Step] = {}
    # Steps in a circle have no root, and come last.
    waiting = [(step, 0) for step in [*steps, *reversed(roots)]]
    while waiting:
        step, depth = waiting.pop()
        if id(step) not in ordered:
            step.depth = min(depth, 20)
            ordered[id(step)] = step
            below = children[step.id] if by_id.get(step.id) is step else []
            waiting += [(one, depth + 1) for one in reversed(below)]
    return list(ordered.values())


def _stretch(steps: Sequence[_Step], by_id: dict[str, _Step]) -> None:
    """Let a step without a duration begin with the first step below it: requests that were served are sent without."""
    pointed = {id(step) for step in steps if step.start == step.end}
    for step in sorted(steps, key=lambda one: one.start):
        above = by_id.get(step.parent)
        while above and id(above) in pointed and step.start < above.start:
            above.start = step.start
            above = by_id.get(above.parent)


def _row(key: int, step: _Step) -> Json:
    return {
        **session_and_user(step.fact.event),
        "key": f"{step.fact.event.id}-{key}",
        "event": step.fact.event.id,
        "kind": step.fact.kind,
        "name": step.name,
        "what": step.what,
        "start": step.start,
        "duration_millis": (step.end - step.start) * 1000,
        "depth": step.depth,
        "status": step.status,
        "problem": step.is_problem,
    }
