"""The HTTP view, by URL: results from `http_event`, durations from `performance_resource_event`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from ..record import Event
from ..session import summary
from .event_fields import Json, duration_millis, kind, number, outcome, page, row_keys, text
from .received import Received
from .scope import Scope
from .session_list import session_and_user
from .statistics import percentile

_MAX_URLS = 200
_MAX_SAMPLES = 50
_OUTCOMES = ("ok", "4xx", "5xx", "failed")
_ORDERS = ("problems", "timed", "p75_millis", "url")


def request_list(received: Received, scope: Scope) -> Json:
    """Return the requested URLs in scope, and the latest requests of the query's `url`."""
    groups: dict[str, list[Event]] = defaultdict(list)
    for event in scope.in_time(received.events):
        if kind(event) in {"http", "resource"} and scope.fits(event):
            groups[_url(event)].append(event)
    wanted = scope.query.get("status", "")
    rows = [_row(url, group) for url, group in groups.items()]
    if wanted in _OUTCOMES:
        rows = [row for row in rows if row["outcomes"][wanted]]
    order = scope.query.get("sort", "")
    order = order if order in _ORDERS else _ORDERS[0]
    rows.sort(key=lambda row: row["url"])
    if order != "url":
        rows.sort(key=lambda row: (row[order] or 0, row["timed"]), reverse=True)
    outcomes = {name: sum(row["outcomes"][name] for row in rows) for name in _OUTCOMES}
    asked = scope.query.get("url", "")
    return {
        "total": len(rows),
        "sort": order,
        "outcomes": outcomes,
        "urls": rows[:_MAX_URLS],
        "detail": {**_row(asked, groups[asked]), "requests": len(groups[asked]), "samples": _samples(groups[asked])}
        if asked in groups
        else None,
    }


def _url(event: Event) -> str:
    """Return the URL without query and fragment, which differ between requests."""
    sent = text(event.details, "request", "url") if kind(event) == "http" else text(event.details, "targetUrl")
    return sent.partition("#")[0].partition("?")[0] or "(no URL)"


def _row(url: str, group: Sequence[Event]) -> Json:
    requests = [event for event in group if kind(event) == "http"]
    timed = [event for event in group if kind(event) == "resource"]
    millis = [found for event in timed if (found := duration_millis(event)) is not None]
    outcomes = Counter(map(outcome, requests))
    statuses = Counter(int(number(event.details, "response", "status") or 0) for event in requests)
    return {
        "url": url,
        "methods": sorted({text(event.details, "request", "method") for event in requests} - {""}),
        "file_types": sorted({text(event.details, "fileType") for event in timed} - {""}),
        "outcomes": {name: outcomes[name] for name in _OUTCOMES},
        "statuses": [[status, count] for status, count in sorted(statuses.items())],
        "problems": len(requests) - outcomes["ok"],
        "timed": len(timed),
        "p50_millis": percentile(millis, 50),
        "p75_millis": percentile(millis, 75),
        "last": max(event.timestamp for event in group),
    }


def _samples(group: Sequence[Event]) -> list[Json]:
    latest = sorted(group, key=lambda event: event.timestamp, reverse=True)[:_MAX_SAMPLES]
    return [
        {
            **session_and_user(event),
            "key": key,
            "event": event.id,
            "timestamp": event.timestamp,
            "summary": summary(event),
            "outcome": outcome(event) if kind(event) == "http" else None,
            "error": text(event.details, "error", "message"),
            "duration_millis": duration_millis(event),
            "page": page(event),
        }
        for key, event in zip(row_keys(latest), latest, strict=True)
    ]
