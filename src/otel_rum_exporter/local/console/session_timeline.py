"""The timeline of one session: its events by page visit, with dropped events and removed attributes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..record import Dropped, Event, Removed
from ..session import Session, sessions, short_type, summary
from .event_fields import NAVIGATION, PAGE_VIEW, Json, duration_millis, is_problem, kind, number, page
from .received import Received
from .scope import MAX_ROWS, Scope
from .session_list import ANONYMOUS_USER, NO_SESSION, row
from .statistics import SATISFIED_BELOW_MILLIS, TOLERATED_BELOW_MILLIS, VITALS

_ROUNDING_SECONDS = 0.001
"""Tolerance between a page view and the computed start of its load."""

_VITAL_OF = {vital.event_type: vital for vital in VITALS}


def session_detail(received: Received, scope: Scope) -> Json | None:
    """Return the session with the query's `id`; None when there is no event of it."""
    asked = scope.query.get("id", "")
    monitor = scope.wanted.get("monitor")

    def is_asked(event: Event) -> bool:
        return (event.session_id or NO_SESSION) == asked and monitor in {None, event.app_monitor_id}

    dropped = {id(drop.event): drop for drop in received.dropped if is_asked(drop.event)}
    indexed = [
        session
        for (session_monitor, session_id), session in received.index.sessions.items()
        if (session_id or NO_SESSION) == asked and monitor in {None, session_monitor}
    ]
    own = [fact.event for session in indexed for fact in session.facts]
    found = sessions([*own, *(drop.event for drop in dropped.values())])
    if not found:
        return None
    session = found[0]
    key = (session.app_monitor_id, session.id)
    entries = _entries(session)
    kinds = Counter(entry.kind for entry in entries)
    wanted = scope.query.get("kind")
    entries = [entry for entry in entries if wanted in {None, "", entry.kind}]
    limit = scope.number("limit", MAX_ROWS, MAX_ROWS)
    offset = scope.offset(len(entries), limit, shown=_index_of(scope.query.get("event"), entries))
    return {
        **row(session),
        "users": [user for user in session.user_ids if user != ANONYMOUS_USER],
        "kinds": kinds,
        "forgotten": sum(each.forgotten for each in indexed if each.key == key),
        "total": len(entries),
        "offset": offset,
        "limit": limit,
        "visits": _visits(_rows(entries[offset : offset + limit], dropped, received.removed)),
    }


def _index_of(key: str | None, entries: Sequence[_Entry]) -> int:
    """Return the index of the event with this key; 0 when there is none."""
    return next((index for index, each in enumerate(entries) if each.key == key), 0)


class _Entry(NamedTuple):
    """An event of a timeline, before its row is made: only the rows of one page are."""

    event: Event
    key: str
    kind: str
    start: float


def _entries(session: Session) -> list[_Entry]:
    starts = _Starts(session.events)
    seen: Counter[str] = Counter()
    entries = []
    for event in session.events:
        seen[event.id] += 1
        key = event.id if seen[event.id] == 1 else f"{event.id}~{seen[event.id]}"
        entries.append(_Entry(event, key, kind(event), starts.of(event)))
    # The session start comes first, even when clocks or rounding disagree.
    return sorted(entries, key=lambda entry: (entry.kind != "session", entry.start, entry.kind != "page"))


def _rows(entries: Sequence[_Entry], dropped: dict[int, Dropped], removed: Iterable[Removed]) -> list[Json]:
    lost: dict[str, list[Json]] = defaultdict(list)
    for one in removed:
        lost[one.event_id].append({"key": one.key, "value": one.value, "reason": one.reason})
    rows = []
    for event, key, its_kind, start in entries:
        drop = dropped.get(id(event))
        rows.append(
            {
                "key": key,
                "id": event.id,
                "kind": its_kind,
                "type": event.type,
                "name": short_type(event.type),
                "summary": summary(event),
                "start": start,
                "timestamp": event.timestamp,
                "duration_millis": duration_millis(event),
                "rating": _rating(event),
                "problem": is_problem(event),
                "page": page(event),
                "batch_id": event.batch_id,
                "dropped": drop.reason if drop else None,
                "removed": lost[event.id],
                "details": event.details,
                "metadata": event.metadata,
            }
        )
    return rows


class _Starts:
    """The start time of each event of a session: RUM's timestamps are end times."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._views: dict[str, list[float]] = defaultdict(list)
        self._document_starts: dict[str, float] = {}
        for event in events:
            if event.type == PAGE_VIEW:
                self._views[page(event)].append(event.timestamp)
            elif event.type == NAVIGATION:
                before = (duration_millis(event) or 0) + (number(event.details, "startTime") or 0)
                self._document_starts[page(event)] = event.timestamp - before / 1000

    def of(self, event: Event) -> float:
        start = event.timestamp - (duration_millis(event) or 0) / 1000
        if kind(event) == "load":
            # Clients may round to seconds, and a load must not appear to start before its page view.
            views = self._views[page(event)]  # in order of time, as the events of the session
            near = slice(bisect_left(views, start - _ROUNDING_SECONDS), bisect_right(views, start + 1))
            return min(views[near], key=lambda view: abs(view - start), default=start)
        start_time = number(event.details, "startTime")
        if kind(event) == "resource" and start_time and page(event) in self._document_starts:
            # startTime is relative to the start of the page's document.
            return self._document_starts[page(event)] + start_time / 1000
        return start


def _rating(event: Event) -> str | None:
    vital = _VITAL_OF.get(event.type)
    value = number(event.details, "value")
    if vital and value is not None:
        return vital.rating(value)
    millis = duration_millis(event)
    if kind(event) != "load" or millis is None:
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
