"""The timeline of one session: its events by page visit, with dropped events and removed attributes."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..record import Dropped, Event
from ..session import short_type, summary
from .event_fields import NAVIGATION, PAGE_VIEW, Json, duration_millis, number, row_keys
from .fact import START, Fact
from .index import Index
from .received import Received
from .scope import MAX_ROWS, Scope
from .session_row import NO_SESSION, row, users
from .statistics import SATISFIED_BELOW_MILLIS, TOLERATED_BELOW_MILLIS, VITALS

_ROUNDING_SECONDS = 0.001
"""Tolerance between a page view and the computed start of its load."""

# The end of a summary; a timeline shows the duration in a column.
_DURATION = re.compile(r", [\d.]+ ms$")

_LONG_STRIP_STEPS = 120

_VITAL_OF = {vital.event_type: vital for vital in VITALS}


def session_detail(received: Received, scope: Scope) -> Json | None:
    """Return the session with the query's `id`; None when there is no event of it."""
    asked = scope.query.get("id", "")
    monitor = scope.wanted.get("monitor")

    def is_asked(event: Event) -> bool:
        return (event.session_id or NO_SESSION) == asked and monitor in {None, event.app_monitor_id}

    dropped = {id(drop.event): drop for drop in received.dropped if is_asked(drop.event)}
    sessions = [
        session
        for known in (received.index, Index(drop.event for drop in dropped.values()))
        for (session_monitor, session_id), session in known.sessions.items()
        if (session_id or NO_SESSION) == asked and monitor in {None, session_monitor}
    ]
    if not sessions:
        return None
    key = max(sessions, key=lambda session: session.last).key
    session, *others = [session for session in sessions if session.key == key]  # accepted events first
    facts = list(session.in_order())
    kinds = Counter(session.summary.kinds)
    for other in others:
        kinds.update(other.summary.kinds)
        for fact in other.facts:
            insort(facts, fact, key=START)
    wanted = scope.query.get("kind")
    shown = [fact for fact in facts if fact.kind == wanted] if wanted else facts
    limit = scope.number("limit", MAX_ROWS, MAX_ROWS)
    offset = scope.offset(len(shown), limit, shown=_index_of(scope.query.get("event", ""), shown))
    entries = _entries(shown, facts, offset, offset + limit)
    return {
        **row(key, session.summary),
        "users": users(session.summary),
        "kinds": kinds,
        "long_strip": session.summary.strip(_LONG_STRIP_STEPS),
        "forgotten": session.forgotten,
        "total": len(shown),
        "offset": offset,
        "limit": limit,
        "visits": _visits(_rows(entries, dropped, received)),
    }


def _index_of(key: str, facts: Sequence[Fact]) -> int:
    """Return the index of the event with this key; 0 when there is none."""
    if not key:
        return 0
    event_id, _, number_of_id = key.partition("~")
    same = [index for index, fact in enumerate(facts) if fact.event.id == event_id]
    is_number = number_of_id.isascii() and number_of_id.isdigit() and len(number_of_id) < 10
    nth = int(number_of_id) if is_number else 1
    return same[nth - 1] if 0 < nth <= len(same) else 0


class _Entry(NamedTuple):
    """An event of a timeline, before its row is made."""

    fact: Fact
    key: str
    start: float


def _entries(shown: Sequence[Fact], facts: Sequence[Fact], begin: int, end: int) -> list[_Entry]:
    """Return the entries of a page of events. Only those are made: a session can have 200,000 events."""
    page = shown[begin:end]
    if not page:
        return []
    first, last = page[0].start, page[-1].start
    begin, end = bisect_left(facts, first, key=START), bisect_right(facts, last, key=START)
    starts = _Starts(facts[max(begin - MAX_ROWS, 0) : end + MAX_ROWS])
    # An event that was sent again has the same id and the same start.
    latest = facts[begin:end][::-1]
    keys = dict(zip(map(id, latest), row_keys([fact.event for fact in latest]), strict=True))
    entries = [_Entry(fact, keys[id(fact)], starts.of(fact)) for fact in page]
    # The session start comes first, even when clocks or rounding disagree.
    return sorted(entries, key=lambda one: (one.fact.kind != "session", one.start, one.fact.kind != "page"))


def _rows(entries: Sequence[_Entry], dropped: dict[int, Dropped], received: Received) -> list[Json]:
    lost: dict[str, list[Json]] = defaultdict(list)
    for one in received.removed:
        lost[one.event_id].append({"key": one.key, "value": one.value, "reason": one.reason})
    rows = []
    for fact, key, start in entries:
        event = fact.event
        drop = dropped.get(id(event))
        millis = duration_millis(event)
        rows.append(
            {
                "key": key,
                "id": event.id,
                "kind": fact.kind,
                "type": event.type,
                "name": short_type(event.type),
                "summary": summary(event) if millis is None else _DURATION.sub("", summary(event)),
                "start": start,
                "timestamp": event.timestamp,
                "duration_millis": millis,
                "rating": _rating(event, fact.kind),
                "problem": fact.is_problem,
                "page": fact.page,
                "batch_id": event.batch_id,
                "user": event.user_id,
                "trace": received.index.trace_of(fact),
                "dropped": drop.reason if drop else None,
                "removed": lost[event.id],
                "details": event.details,
                "metadata": event.metadata,
            }
        )
    return rows


class _Starts:
    """The start time of each event of a session: RUM's timestamps are end times."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._views: dict[str, list[float]] = defaultdict(list)
        self._document_starts: dict[str, float] = {}
        for fact in facts:
            if fact.type == PAGE_VIEW:
                self._views[fact.page].append(fact.at)
            elif fact.type == NAVIGATION:
                before = number(fact.event.details, "startTime") or 0
                self._document_starts[fact.page] = fact.start - before / 1000

    def of(self, fact: Fact) -> float:
        if fact.kind == "load":
            # Clients may round to seconds, and a load must not appear to start before its page view.
            views = self._views[fact.page]  # in order of time
            near = slice(bisect_left(views, fact.start - _ROUNDING_SECONDS), bisect_right(views, fact.start + 1))
            return min(views[near], key=lambda view: abs(view - fact.start), default=fact.start)
        start_time = number(fact.event.details, "startTime")
        if fact.kind == "resource" and start_time and fact.page in self._document_starts:
            # startTime is relative to the start of the page's document.
            return self._document_starts[fact.page] + start_time / 1000
        return fact.start


def _rating(event: Event, kind: str) -> str | None:
    vital = _VITAL_OF.get(event.type)
    value = number(event.details, "value")
    if vital and value is not None:
        return vital.rating(value)
    millis = duration_millis(event)
    if kind != "load" or millis is None:
        return None
    if millis < SATISFIED_BELOW_MILLIS:
        return "good"
    return "fair" if millis < TOLERATED_BELOW_MILLIS else "poor"


def _visits(rows: Sequence[Json]) -> list[Json]:
    """Split events into page visits, so that a timeline does not include the pauses between visits.

    Events before the first page view belong to its visit, unless they have another page.
    """
    visits: list[list[Json]] = [[]]
    for each in rows:
        begins = each["type"] == PAGE_VIEW and any(
            other["type"] == PAGE_VIEW or other["page"] not in {"", each["page"]} for other in visits[-1]
        )
        if begins:
            visits.append([])
        visits[-1].append(each)
    return [_visit(each) for each in visits if each]


def _visit(rows: Sequence[Json]) -> Json:
    ends = [max(each["timestamp"], each["start"] + (each["duration_millis"] or 0) / 1000) for each in rows]
    return {
        "page": next((each["page"] for each in rows if each["page"]), ""),
        "start": min(each["start"] for each in rows),
        "end": max(ends),
        "events": rows,
    }
