"""CPU time of each view of the console at 200,000 events, without and with filters.

    python -m benchmarks.console [SHAPE ...]

A shape is a kind of load: `visits` of a web site, `unique` metadata for each event, `one` session with all events, and
`short` sessions of two events. The lowest of several rounds counts, so that other load on the machine matters little.
"""

from __future__ import annotations

import gc
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from time import process_time

from otel_rum_exporter.local import Event
from otel_rum_exporter.local.console.index import Index
from otel_rum_exporter.local.console.received import Received
from otel_rum_exporter.local.console.scope import Scope
from otel_rum_exporter.local.console.web import VIEWS
from tests.local.web_sessions import bodies

EVENTS = 200_000
ROUNDS = 5
NOW = 1_790_000_000.0

FILTERS: Mapping[str, Mapping[str, str]] = {
    "": {},
    "6h": {"range": "6h"},
    "browser=": {"browser": "Firefox"},
    "page=": {"page": "/cart"},
    "-browser=": {"q": "-browser=firefox"},
    "tier=": {"q": "tier=guest"},
    "-tier=": {"q": "-tier=guest"},
    "word": {"q": "teapot"},
    "no word": {"q": "-teapot"},
    "words": {"q": "tea.example kettle,samovar"},
    "own field": {"q": "element=button"},
    "country=": {"q": "country=de,fr,us,jp,br,in"},
    "range, page": {"range": "1d", "page": "/cart", "q": "-tier=guest"},
}


def main() -> None:
    """Print the milliseconds of each view with each filter."""
    slowest = 0.0
    for shape in sys.argv[1:] or SHAPES:
        events = list(SHAPES[shape]())
        started = process_time()
        index = Index(events)
        micros = (process_time() - started) / len(events) * 1e6
        sys.stdout.write(f"\n{shape}: {len(index.sessions)} sessions, {micros:.1f} us to index an event\n")
        sys.stdout.write(f"{'':12}" + "".join(f"{name[:11]:>12}" for name in FILTERS) + "\n")
        gc.collect()
        gc.freeze()
        for view in VIEWS:
            millis = [_millis(index, view, {**_item(index, view), **query}) for query in FILTERS.values()]
            sys.stdout.write(f"{view[:11]:12}" + "".join(f"{each:12.1f}" for each in millis) + "\n")
            slowest = max(slowest, *millis)
    sys.stdout.write(f"\nslowest: {slowest:.0f} ms\n")


def _millis(index: Index, view: str, query: Mapping[str, str]) -> float:
    return min(_once(index, view, query) for _ in range(ROUNDS))


def _once(index: Index, view: str, query: Mapping[str, str]) -> float:
    started = process_time()
    found = VIEWS[view](Received(index), Scope.of(query, NOW))
    json.dumps({**(found or {}), "choices": index.choices()})
    return (process_time() - started) * 1000


def _item(index: Index, view: str) -> Mapping[str, str]:
    """Return the parameters of an item's view: the session, the error and the page with most events."""
    if view == "session":
        most = max(index.sessions.values(), key=lambda session: len(session.facts))
        return {"id": most.key[1] or "", "monitor": most.key[0]}
    if view == "error":
        return {"key": next((fact.group.pattern for fact in index.facts if fact.kind == "error"), "")}
    if view == "user":
        return {"id": next(iter(index.sessions.values())).facts[0].event.user_id or ""}
    if view == "http":
        return {"url": "https://tea.example/assets/cart.{id}.js"}
    if view == "custom":
        return {"type": "add_to_cart"}
    return {"name": "/cart"} if view == "page" else {}


def _visits() -> Iterator[Event]:
    """Yield events of three days, in order of arrival."""
    metadata: dict[str, dict[str, object]] = {}
    for body in bodies(NOW, sessions=6000, minutes=3 * 24 * 60):
        common = json.loads(body["SessionMetadata"])
        for each in body["RumEvents"]:
            key = body["SessionMetadata"] + each["metadata"]
            yield Event(
                id=each["id"],
                timestamp=each["timestamp"],
                type=each["type"],
                details=json.loads(each["details"]),
                metadata=metadata.setdefault(key, common | json.loads(each["metadata"])),
                session_id=body["UserDetails"]["sessionId"],
                user_id=body["UserDetails"]["userId"],
                app_monitor_id=body["AppMonitorDetails"]["id"],
                batch_id=body["BatchId"],
            )


def _changed(change: Callable[[int, Event], Event]) -> Callable[[], Iterator[Event]]:
    return lambda: (change(number, event) for number, event in enumerate(islice(_visits(), EVENTS)))


_random = random.Random(3)

SHAPES: Mapping[str, Callable[[], Iterator[Event]]] = {
    "visits": lambda: islice(_visits(), EVENTS),
    "unique": _changed(lambda number, event: replace(event, metadata={**event.metadata, "request.id": f"r{number}"})),
    "one": _changed(lambda _, event: replace(event, session_id="s", user_id="u")),
    "short": _changed(lambda number, event: replace(event, session_id=f"s{number // 2}", user_id=f"u{number // 2}")),
}

if __name__ == "__main__":
    main()
