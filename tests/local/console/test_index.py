"""The index of events: views of an index that followed changes equal those of a new one."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_rum_exporter.local import Batch, Event
from otel_rum_exporter.local.console import index as index_module
from otel_rum_exporter.local.console.fact import Fact
from otel_rum_exporter.local.console.index import Index
from otel_rum_exporter.local.console.received import Received
from otel_rum_exporter.local.console.web import VIEWS
from otel_rum_exporter.local.store import Store
from tests.local.console.records import MONITOR, NOW, error, event, load, page_view, request, scope

VIEW_NAMES = ("overview", "sessions", "session", "errors", "http", "pages", "page", "custom", "devices")
QUERIES: tuple[dict[str, Any], ...] = (
    {},
    {"q": "a"},
    {"q": "-user=u broke,view 1"},
    {"page": "/1"},
    {"from": int(NOW) + 3, "to": int(NOW) + 20},
)


def resource(url: str, millis: float, at: float, **who: Any) -> Event:
    """Make a measured request."""
    return event("performance_resource_event", {"targetUrl": url, "duration": millis}, at, **who)


makers = st.sampled_from(
    [
        lambda n, at, **who: page_view(f"/{n}", at, **who),
        lambda n, at, **who: load(f"/{n}", n * 1500, at, **who),
        lambda n, at, **who: error(f"broke {n}", at, **who),
        lambda n, at, **who: request(f"/api/{n}", 200 + 100 * n, at, **who),
        lambda n, at, **who: resource(f"/api/{n}", 10 * n, at, **who),
        lambda n, at, **who: event(f"work{n % 2}", {"name": f"n{n}", "durationMs": n}, at, **who),
        lambda n, at, **who: event("largest_contentful_paint_event", {"value": n}, at, **who),
    ]
)
one_event = st.builds(
    lambda make, n, at, session, user: make(n, at, session_id=session, user_id=user),
    makers,
    st.integers(0, 3),
    st.integers(0, 30),
    st.sampled_from(["s", "t"]),
    st.sampled_from(["u", "v"]),
)
steps = st.lists(st.tuples(st.lists(one_event, max_size=4), st.integers(0, 3), st.booleans()), max_size=8)


def shown(index: Index, view: str, query: dict[str, Any]) -> Any:
    """Return a view as JSON, without the numbers of forgotten events."""
    found = VIEWS[view](Received(index), scope(id="s", name="/1", **query))
    return json.loads(json.dumps(found), object_hook=lambda one: {k: v for k, v in one.items() if k != "forgotten"})


@settings(max_examples=25)
@given(steps)
def test_index_that_followed_changes_equals_a_new_index(changes: Any) -> None:
    """Any order of additions, removals and views."""
    index, kept = Index(), []
    for added, removed, is_viewed in changes:
        index.add(added)
        kept += added
        if is_viewed:
            shown(index, "overview", {})
        index.forget(removed)
        kept = kept[removed:]
    fresh = Index(kept)
    assert [fact.event for fact in index.facts] == kept
    assert index.choices() == fresh.choices()
    assert index.forgotten == sum(len(added) for added, _, _ in changes) - len(kept)
    # This search reads every event, and all fit; the index has their sums.
    for view in ("overview", "pages", "page", "devices"):
        assert shown(index, view, {"q": "-nothing"}) == shown(index, view, {}), view
    for view in VIEW_NAMES:
        for query in QUERIES:
            # A removed event may have been the other half of a call; of what is left, pairs are found anew.
            if view != "http":
                assert shown(index, view, query) == shown(fresh, view, query), (view, query)


def test_store_reports_additions_removals_and_deletion_to_the_index() -> None:
    """The index also has what was stored before it."""
    store = Store(max_events=3)
    batch = Batch(MONITOR, {}, "b", "u", "s", None, {}, (), 1.0, {}, signed=False, body_bytes=2, raw={})
    store.accept(replace(batch, events=(page_view("/0"), page_view("/1", 1))))
    index = Index()
    store.observe(index)
    store.accept(replace(batch, events=(page_view("/2", 2),)))
    store.accept(replace(batch, events=(page_view("/3", 3), page_view("/4", 4))))
    assert [fact.page for fact in index.facts] == ["/2", "/3", "/4"]
    assert (index.forgotten, index.sessions[MONITOR, "s"].forgotten) == (2, 2)
    store.clear()
    assert (len(index.facts), index.forgotten, index.sessions) == (0, 0, {})


def test_request_and_its_measured_duration_are_one_call() -> None:
    """Equal URL and session, and ends within a second."""
    index = Index(
        [
            request("/a?x=1", 500, 1),
            resource("/a", 20, 1.2),
            resource("/a", 30, 5),
            resource("/a", 40, 5, session_id="t"),
            request("/a", 404, 5.5, session_id="t"),
        ]
    )
    detail = shown(index, "http", {"url": "/a"})["detail"]
    assert [(one["outcome"], one["duration_millis"]) for one in detail["samples"]] == [
        ("4xx", 40),
        (None, 30),
        ("5xx", 20),
    ]
    assert (detail["calls"], detail["timed"]) == (3, 3)
    assert (sum(detail["chart"]["5xx"]), sum(detail["chart"]["timed"])) == (1, 1)
    index.forget(1)
    assert shown(index, "http", {"url": "/a"})["detail"]["calls"] == 3


@pytest.mark.parametrize(
    ("search", "found"), [("", (1, 1, 1)), ("type=com.amazon.rum.http_event", (1, 1, 0)), ("-500", (1, 0, 1))]
)
def test_call_is_counted_when_a_filter_fits_only_one_of_its_events(search: str, found: tuple[int, int, int]) -> None:
    """The other event of the call is not shown, but the call is."""
    index = Index([resource("/a", 20, 1), request("/a", 500, 1)])
    shown_row = shown(index, "http", {"q": search, "url": "/a"})
    row, detail = shown_row["urls"][0], shown_row["detail"]
    assert (row["calls"], row["problems"], row["timed"]) == found
    assert len(detail["samples"]) == detail["calls"] == row["calls"]


def test_texts_of_sessions_are_not_interned() -> None:
    """Python 3.12 never frees interned texts, and the console forgets events."""
    index = Index([error("broken", NOW, session_id="a session of this test")])
    for text in (index.facts[0].shared.words, index.facts[0].shared.ids):
        copy = "".join(list(text))
        assert sys.intern(copy) is copy  # else an equal text was interned before


def test_durations_are_in_order_after_any_additions_and_removals() -> None:
    """Columns order them while events arrive, and again after some were removed."""
    index = Index()
    kept: list[Event] = []
    for step in range(40):
        added = [resource("/a", 997 * (step + n) % 1009, step) for n in range(120)]
        index.add(added)
        index.forget(60)
        kept = [*kept, *added][60:]
        row = shown(index, "http", {})["urls"][0] if step % 7 == 0 else None
        millis = sorted(one.details["duration"] for one in kept)
        assert row is None or (row["timed"], row["p50_millis"]) == (len(kept), millis[len(kept) // 2 - 1])


@pytest.mark.parametrize("query", QUERIES)
def test_views_of_many_events_read_no_details_again(query: dict[str, Any]) -> None:
    """The cost of a view at 200,000 events: what is not shown is not read. Times would depend on the machine."""

    class Unread(dict[str, Any]):
        reads = 0

        def get(self, *arguments: Any) -> Any:
            Unread.reads += 1
            return super().get(*arguments)

    events = [
        replace(one, details=Unread(one.details), metadata=Unread(one.metadata))
        for n in range(2000)
        for one in (
            page_view("/1", n, session_id=f"s{n}"),
            load("/1", n, n, session_id=f"s{n}"),
            request(f"/a/{n}", 500, n, session_id=f"s{n}"),
        )
    ]
    index = Index(events)
    for view in ("overview", "sessions", "http", "pages", "page", "devices"):
        Unread.reads = 0
        VIEWS[view](Received(index), scope(**query))
        assert Unread.reads < 2000, view


def test_sessions_partly_in_a_time_range_are_listed_without_reading_their_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The cost of the list at 200,000 events: only the events of rows that are shown are read."""
    reads = []

    class Counted(Fact):
        def __getattribute__(self, name: str) -> Any:
            reads.append(name)
            return super().__getattribute__(name)

    monkeypatch.setattr(index_module, "Fact", Counted)
    index = Index(error("broke", at, session_id=f"s{n}") for at in range(20) for n in range(100))
    reads.clear()
    query = scope(from_=int(NOW) + 10, sort="events", limit=1)
    found = VIEWS["sessions"](Received(index), query)
    assert found is not None
    assert (found["total"], found["sessions"][0]["events"]) == (100, 10)
    assert len(reads) < 200
