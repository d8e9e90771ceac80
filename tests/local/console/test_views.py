"""The views of the console, as JSON."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.cli.doctor.sending import EVENT_TYPE as DOCTOR
from otel_rum_exporter.local import Batch, Decision, Dropped, Exchange, RefusedRequest, Removed
from otel_rum_exporter.local import schema as schemas
from otel_rum_exporter.local.console.received import Received
from otel_rum_exporter.local.console.scope import MAX_ROWS, Scope
from otel_rum_exporter.local.console.web import VIEWS
from otel_rum_exporter.rum import price
from tests.local.console.records import MONITOR, NOW, RUM, error, event, load, page_view, received, request, scope

TRACE = "0af7651916cd43dd8448eb211c80319c"
XRAY_TRACE = f"1-{TRACE[:8]}-{TRACE[8:]}"

values = st.recursive(
    st.none()
    | st.sampled_from([TRACE, XRAY_TRACE])
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
members = st.sampled_from(
    ["pageId", "duration", "durationMs", "startTime", "value", "request", "response", "error", "status", "url",
     "message", "type", "stack", "name", "trace_id", "start_time", "end_time", "traceId", "spanId", "parentSpanId",
     "id", "parent_id", "subsegments", "targetUrl", "method", "filename"]
)  # fmt: skip
details = st.dictionaries(members, values | st.dictionaries(members, values, max_size=3), max_size=5)
names = st.sampled_from(sorted(schemas.EVENT_TYPES)) | st.just("checkout")
events = st.builds(
    event,
    names,
    details,
    at=st.floats(-1e9, 1e9),
    id=st.sampled_from(["1", "2"]),
    metadata=st.dictionaries(st.sampled_from(["pageId", "browserName", "countryCode"]), values, max_size=2),
    session_id=st.sampled_from(["s", None]),
    user_id=st.sampled_from(["u", None]),
)


def show(view: str, what: Received, **query: Any) -> Any:
    """Return a view as decoded JSON."""
    return json.loads(json.dumps(VIEWS[view](what, scope(**query))))


@given(st.lists(events, max_size=12), st.lists(events, max_size=3), st.sampled_from(sorted(VIEWS)))
def test_views_accept_details_of_any_structure(kept: Any, lost: Any, view: str) -> None:
    """Events that violate the schema of their type are shown too."""
    everything = received(*kept, dropped=tuple(Dropped(one, "why") for one in lost))
    asked = {"id": "s", "batch": "b", "key": "", "url": "(no URL)", "q": "a", "type": "checkout", "name": "/"}
    for query in (
        asked,
        {"id": "none"},
        {"id": TRACE},
        {"id": "u", "type": "checkout"},
        {"sort": "p75_millis", "kind": "load", "from": "1700000000"},
    ):
        json.dumps(VIEWS[view](everything, Scope.of(query, NOW)), allow_nan=False)
    json.dumps(everything.index.choices())


@pytest.mark.parametrize("view", ["overview", "sessions", "errors", "http", "pages", "custom", "devices", "refused"])
def test_views_accept_an_empty_store(view: str) -> None:
    """An empty store has empty views."""
    assert show(view, received()) is not None


@pytest.mark.parametrize("view", ["session", "error", "page", "user", "trace", "request", "refused_request"])
def test_view_of_an_unknown_item_is_none(view: str) -> None:
    """A link can be older than the stored records."""
    assert show(view, received(page_view("/")), id="x", key="x", name="x", batch="x", at="x") is None


def test_overview_counts_sessions_users_pages_errors_and_requests() -> None:
    """Requests are counted by outcome, and sessions that started as RUM's SessionCount counts them."""
    shown = show(
        "overview",
        received(
            event("session_start_event"),
            page_view("/", user_id="00000000-0000-0000-0000-000000000000"),
            page_view("/cart", 5),
            page_view("/", 6, session_id="t", user_id="v"),
            error("a", 7),
            request("/a", 404, 8),
            request("/a", 500, 9),
            request("/a", 0, 10),
            request("/a", 200, 11),
        ),
    )
    chart = {
        name: sum(counts) for name, counts in shown["chart"].items() if isinstance(counts, list) and "p75" not in name
    }
    assert (shown["sessions"]["started"], shown["sessions"]["total"]) == (1, 2)
    assert (shown["users"], shown["events"]) == (2, 9)
    assert shown["usd"] == price.usd(9)
    types = [(row["name"], row["count"], row["usd"]) for row in shown["types"]["rows"]]
    assert types[:2] == [("http_event", 4, price.usd(4)), ("page_view_event", 3, price.usd(3))]
    assert chart == {"sessions": 1, "page_views": 3, "errors": 1, "4xx": 1, "5xx": 1, "failed": 1}


def test_overview_has_apdex_load_times_and_vitals() -> None:
    """Load times are also a series over time."""
    paints = [event("largest_contentful_paint_event", {"value": value}) for value in (1000, 3000, 5000)]
    shown = show("overview", received(load("/", 1000, 1), load("/", 3000, 30), load("/", 9000, 59), *paints))
    assert shown["apdex"]["score"] == 0.5
    assert shown["load_p75_millis"] == 9000
    assert [value for value in shown["chart"]["load_p75_millis"] if value] == [1000, 3000, 9000]
    lcp = shown["vitals"][0]
    assert (lcp["name"], lcp["good"], lcp["fair"], lcp["poor"]) == ("LCP", 1, 1, 1)


def test_overview_counts_matching_events_only() -> None:
    """The filters of the URL apply."""
    shown = show("overview", received(page_view("/"), page_view("/cart")), page="/cart")
    assert shown["events"] == 1
    assert [row["page"] for row in shown["pages"]["rows"]] == ["/cart"]


def test_session_row_has_pages_and_problems_and_latest_is_first() -> None:
    """The content of a row."""
    shown = show(
        "sessions",
        received(
            page_view("/", session_id="old"),
            page_view("/", 10),
            page_view("/", 11),
            page_view("/cart", 12, metadata={"browserName": "Firefox", "countryCode": "DE"}),
            error("a", 20),
            request("/a", 500, 21),
            request("/a", 200, 22),
        ),
    )
    assert [row["id"] for row in shown["sessions"]] == ["s", "old"]
    row = shown["sessions"][0]
    assert (row["journey"], row["page_views"], row["errors"], row["failed_requests"]) == (["/", "/cart"], 3, 1, 1)
    assert (row["browser"], row["os"], row["country"], row["user"]) == ("Firefox", "", "DE", "u")
    assert row["strip"].strip(" ")[0] == "p"
    assert "x" in row["strip"]


def test_session_list_is_paged_and_filters_problems() -> None:
    """The list has a limited length."""
    many = received(*(page_view("/", at, session_id=f"s{at}") for at in range(120)), error("a", 200, session_id="s7"))
    shown = show("sessions", many, offset=50)
    assert (shown["total"], shown["offset"], len(shown["sessions"])) == (120, 50, 50)
    assert len(show("sessions", many, limit=10_000)["sessions"]) == 120
    assert [row["id"] for row in show("sessions", many, only="problems")["sessions"]] == ["s7"]


@pytest.mark.parametrize(
    ("sort", "ids"),
    [("", ["b", "a", "c"]), ("-last", ["c", "a", "b"]), ("events", ["c", "b", "a"]), ("problems", ["a", "b", "c"]),
     ("duration", ["c", "b", "a"]), ("nonsense", ["b", "a", "c"])],
)  # fmt: skip
def test_sessions_are_sorted_by_any_column(sort: str, ids: list[str]) -> None:
    """Sessions that are equal stay in order of their last events."""
    times = {"a": (10,), "b": (11, 12), "c": (1, 2, 5)}
    many = [page_view("/", at, session_id=name) for name, some in times.items() for at in some]
    shown = show("sessions", received(*many, error("broke", 9.5, session_id="a")), sort=sort)
    assert [row["id"] for row in shown["sessions"]] == ids
    assert shown["sort"] == (sort if sort not in {"", "nonsense"} else "last")


@pytest.mark.parametrize(
    ("sort", "messages"), [("count", "ba"), ("-count", "ab"), ("last", "ab"), ("sessions", "ba"), ("type", "ab")]
)
def test_errors_are_sorted_by_any_column(sort: str, messages: str) -> None:
    """The type ascends, numbers descend."""
    errors = (error("b", 1), error("b", 2, session_id="t"), error("a", 3))
    shown = show("errors", received(*errors), sort=sort)
    assert "".join(one["message"] for one in shown["errors"]) == messages


def test_session_is_listed_with_all_events_when_one_matches() -> None:
    """The row counts events that do not match."""
    shown = show(
        "sessions", received(page_view("/"), page_view("/cart", 1), page_view("/", session_id="t")), page="/cart"
    )
    assert [(row["id"], row["events"]) for row in shown["sessions"]] == [("s", 2)]


def test_session_has_one_visit_per_page_view() -> None:
    """Events before the first page view belong to its visit."""
    shown = show(
        "session",
        received(
            event("session_start_event", at=1.5),
            page_view("/", 1),
            error("a", 2),
            page_view("/cart", 60),
            error("b", 61),
        ),
        id="s",
    )
    assert [(visit["page"], len(visit["events"])) for visit in shown["visits"]] == [("/", 3), ("/cart", 2)]
    assert [visit["start"] - NOW for visit in shown["visits"]] == [1, 60]
    assert shown["visits"][0]["events"][0]["name"] == "session_start_event"


def test_events_of_another_page_are_a_visit_of_their_own() -> None:
    """A page that was not found has no page view; its visit has its name."""
    failed = request("/sale", 404, 0, metadata={"pageId": "/sale"})
    shown = show("session", received(failed, page_view("/", 1)), id="s")
    assert [visit["page"] for visit in shown["visits"]] == ["/sale", "/"]


def test_event_starts_its_duration_before_its_timestamp() -> None:
    """RUM's timestamps are end times; resources are relative to their document."""
    resource = {"targetUrl": "/tea.css", "startTime": 300, "duration": 100, "fileType": "stylesheet"}
    shown = show(
        "session",
        received(
            page_view("/", 1),
            load("/", 2000, 3),
            event("performance_resource_event", resource, 3, metadata={"pageId": "/"}),
            event("work", {"name": "order", "durationMs": 500}, 9),
            event("xray_trace_event", {"name": "x", "trace_id": "1", "start_time": 5.0, "end_time": 5.25}, 10),
        ),
        id="s",
    )
    rows = shown["visits"][0]["events"]
    assert [(row["name"], round(row["start"] - NOW, 3), row["duration_millis"]) for row in rows] == [
        ("page_view_event", 1, None),
        ("performance_navigation_event", 1, 2000),
        ("performance_resource_event", 1.3, 100),
        ("work", 8.5, 500),
        ("xray_trace_event", 9.75, 250),
    ]


def test_load_does_not_start_before_its_page_view() -> None:
    """A client that rounds to seconds reports the end of a load too early."""
    shown = show("session", received(page_view("/", 0), page_view("/cart", 10), load("/cart", 900, 10.5)), id="s")
    assert [row["name"] for row in shown["visits"][1]["events"]] == ["page_view_event", "performance_navigation_event"]


def test_load_of_a_page_viewed_twice_belongs_to_the_nearest_view() -> None:
    """Rounding may put the computed start before the page view."""
    first, again = 1795557352.821744, 1795557352.824778
    loads = (load("/", 0.493777, 1795557352.822238), load("/", 0.486986, 1795557352.825265))
    shown = show("session", received(page_view("/", first), page_view("/", again), *loads), id="s")
    names = [[row["name"] for row in visit["events"]] for visit in shown["visits"]]
    assert names == [["page_view_event", "performance_navigation_event"]] * 2


def test_session_events_have_drop_reasons_and_removed_attributes() -> None:
    """Accepted, dropped and changed events differ."""
    large = event("large", {"text": "x"}, 5)
    shown = show(
        "session",
        received(
            page_view("/", id="1"),
            dropped=(Dropped(large, "too large"), Dropped(event("other", session_id="t"), "not of this session")),
            removed=(Removed("1", "t", "a.b", 1, "no dots"),),
        ),
        id="s",
    )
    first, second = shown["visits"][0]["events"]
    assert (first["dropped"], first["removed"]) == (None, [{"key": "a.b", "value": 1, "reason": "no dots"}])
    assert (second["name"], second["dropped"], second["removed"]) == ("large", "too large", [])


def test_events_with_equal_ids_have_different_keys() -> None:
    """A repeated request has the same event ids."""
    shown = show("session", received(event("a", id="1"), event("a", id="1"), event("a", id="2")), id="s")
    assert [row["key"] for row in shown["visits"][0]["events"]] == ["1", "1~2", "2"]


@pytest.mark.parametrize("key", ["0", "0~0", "x~0", "x~2", f"x~{'9' * 5000}", "~", "~~"])
def test_session_at_an_unknown_event_begins_at_its_first_event(key: str) -> None:
    """The key comes from a URL."""
    events = received(*(event("a", at=number, id=str(number)) for number in range(3)))
    assert show("session", events, id="s", event=key, limit=1)["offset"] == 0


def test_session_of_many_events_reads_only_the_shown_page() -> None:
    """The row of a session is kept while its events arrive, in any order."""
    reads = Counter[str]()

    class Counted(dict[str, Any]):
        def get(self, name: Any, default: Any = None) -> Any:
            reads[name] += 1
            return super().get(name, default)

    many = [error("broke", at, details=Counted(type="E", message="broke")) for at in range(5000)]
    index = received(*reversed(many))
    for query in ({}, {"event": many[4000].id}, {"kind": "error", "offset": 3000}):
        reads.clear()
        shown = show("session", index, id="s", **query)
        assert (shown["events"], shown["errors"], shown["kinds"]) == (5000, 5000, {"error": 5000})
        assert (shown["first"], shown["last"]) == (NOW, NOW + 4999)
        assert sum(reads.values()) < 10 * MAX_ROWS
    assert shown["visits"][0]["events"][0]["start"] == NOW + 3000
    assert set(show("session", index, id="s")["long_strip"]) == {"x"}


def test_session_events_are_paged_and_filtered_by_kind() -> None:
    """The page gets a limited number of events."""
    many = received(*(event("a", at=at) for at in range(MAX_ROWS + 10)), error("b", 9999))
    shown = show("session", many, id="s", offset=MAX_ROWS)
    assert (shown["total"], shown["kinds"], len(shown["visits"][0]["events"])) == (511, {"custom": 510, "error": 1}, 11)
    assert show("session", many, id="s", kind="error")["total"] == 1


def test_equal_session_ids_of_two_app_monitors_are_two_sessions() -> None:
    """A session is identified by id and app monitor."""
    other = "22222222-2222-4222-8222-222222222222"
    both = received(page_view("/"), page_view("/", 5, app_monitor_id=other), page_view("/a", 6, app_monitor_id=other))
    assert show("sessions", both)["total"] == 2
    assert show("session", both, id="s", monitor=MONITOR)["events"] == 1
    assert show("session", both, id="s", monitor=other)["events"] == 2


def test_errors_that_differ_in_numbers_only_are_one_group() -> None:
    """The group shows the latest message."""
    shown = show(
        "errors",
        received(
            error("order 1 timed out", 1),
            error("order 22 timed out", 2, session_id="t", metadata={"pageId": "/cart"}),
            error("no such coupon", 3),
        ),
    )
    assert [(one["message"], one["count"], one["sessions"], one["stack"]) for one in shown["errors"]] == [
        ("order 22 timed out", 2, 2, "at 2"),
        ("no such coupon", 1, 1, "at 3"),
    ]
    assert shown["errors"][0]["pages"] == ["/cart"]
    assert (shown["total"], shown["occurrences"]) == (2, 3)


def test_error_detail_lists_sessions_latest_first() -> None:
    """Each occurrence has its session."""
    hit = received(error("a", 1), error("a", 2, session_id="t", metadata={"pageId": "/cart", "browserName": "Edge"}))
    (group,) = show("errors", hit)["errors"]
    shown = show("error", hit, key=group["key"])
    assert [(one["session"], one["page"], one["browser"]) for one in shown["occurrences"]] == [
        ("t", "/cart", "Edge"),
        ("s", "", ""),
    ]
    assert sum(shown["counts"]) == 2


def test_requests_are_grouped_by_url_without_query() -> None:
    """Outcomes come from `http_event`, durations from resources."""
    timed = [
        event("performance_resource_event", {"targetUrl": "/api", "duration": millis, "fileType": "other"}, millis)
        for millis in (10, 20, 30, 40)
    ]
    shown = show("http", received(request("/api?q=1", 500), request("/api#x", 404), request("/ok", 200), *timed))
    first, second = shown["urls"]
    assert (first["url"], first["problems"], first["timed"]) == ("/api", 2, 4)
    assert (first["p50_millis"], first["p75_millis"]) == (20, 30)
    assert first["statuses"] == [[404, 1], [500, 1]]
    assert (second["url"], second["problems"]) == ("/ok", 0)
    assert shown["outcomes"] == {"ok": 1, "4xx": 1, "5xx": 1, "failed": 0}


@pytest.mark.parametrize(("status", "urls"), [("4xx", ["/a"]), ("5xx", ["/b"]), ("failed", ["/c"]), ("ok", ["/d"])])
def test_requests_are_filtered_by_outcome(status: str, urls: list[str]) -> None:
    """The overview links to these filters."""
    every = received(request("/a", 404), request("/b", 503), request("/c", -1), request("/d", 200))
    assert [row["url"] for row in show("http", every, status=status)["urls"]] == urls


def test_url_detail_lists_requests_with_session_and_event() -> None:
    """The page links to the event in its session."""
    shown = show("http", received(request("/a", 404, 1), request("/a", 200, 2), request("/b", 200)), url="/a")
    assert [(one["session"], one["event"], one["outcome"]) for one in shown["detail"]["samples"]] == [
        ("s", "http_event-2", "ok"),
        ("s", "http_event-1", "4xx"),
    ]


def test_pages_have_views_load_times_and_problems() -> None:
    """The most viewed first, or in the requested order."""
    here: dict[str, Any] = {"metadata": {"pageId": "/cart"}}
    many = received(
        page_view("/"),
        page_view("/"),
        load("/", 100),
        page_view("/cart"),
        load("/cart", 9000),
        error("a", **here),
        request("/a", 500, **here),
        event("largest_contentful_paint_event", {"value": 5000}, **here),
    )
    shown = show("pages", many)
    assert [(row["page"], row["views"]) for row in shown["pages"]] == [("/", 2), ("/cart", 1)]
    cart = shown["pages"][1]
    assert (cart["p75_millis"], cart["apdex"]["frustrated"], cart["errors"], cart["failed_requests"]) == (9000, 1, 1, 1)
    assert cart["lcp"]["rating"] == "poor"
    assert [row["page"] for row in show("pages", many, sort="p75_millis")["pages"]] == ["/cart", "/"]


@pytest.mark.parametrize(
    "order", ["views", "page", "sessions", "p50_millis", "slowest_millis", "loads", "lcp", "errors"]
)
def test_pages_are_sorted_both_ways(order: str) -> None:
    """A minus reverses the order."""
    many = received(
        *(page_view(f"/{n}", at, session_id=f"s{at}") for n in range(3) for at in range(n + 1)),
        *(load(f"/{n}", n * 4500 + 1) for n in range(3)),
        *(error("a", metadata={"pageId": f"/{n}"}) for n in range(3) for _ in range(n)),
        *(event("largest_contentful_paint_event", {"value": n + 1}, metadata={"pageId": f"/{n}"}) for n in range(3)),
    )
    ways = [[row["page"] for row in show("pages", many, sort=sort)["pages"]] for sort in (order, f"-{order}")]
    assert ways[0] == ways[1][::-1]
    assert sorted(ways[0]) == ["/0", "/1", "/2"]
    assert ways[0] in (["/0", "/1", "/2"], ["/2", "/1", "/0"])


@pytest.mark.parametrize(
    ("urls", "pattern"),
    [
        (["https://a.example/orders/17", "https://a.example/orders/18?x=1#y"], "https://a.example/orders/{id}"),
        (["/u/6f1c0c8e-5b0c-4b8e-9d43-0a3c6f1d2b11", "/u/ada@example.com"], "/u/{id}"),
        (["/f/ORD-2024-000123", "/f/usr_1a2b3c4d", "/f/d41d8cd98f00b204e9800998ecf8427e"], "/f/{id}"),
        (
            ["https://a.example/js/cart.8f2c41aa.js", "https://a.example/js/cart.00ff12ab.js"],
            "https://a.example/js/cart.{id}.js",
        ),
        (["/api/v2/orders", "/api/v2/orders"], "/api/v2/orders"),
        (["https://a.example", "https://a.example#x"], "https://a.example"),
        (["/products/first-flush"], "/products/first-flush"),
    ],
)
def test_urls_of_one_endpoint_are_one_row(urls: list[str], pattern: str) -> None:
    """Ids become a placeholder, words stay."""
    shown = show("http", received(*(request(url, 200, at) for at, url in enumerate(urls))))
    assert [(row["url"], row["calls"]) for row in shown["urls"]] == [(pattern, len(urls))]


def test_losses_with_equal_reasons_are_one_row() -> None:
    """A row has the count and the latest loss."""
    refused = [
        RefusedRequest(400, "ValidationException", "BatchId is required", "/appmonitors/x", NOW + at) for at in (1, 2)
    ]
    shown = show(
        "refused",
        received(
            refused=(*refused, RefusedRequest(413, "TooLarge", "the body is too large", "/y", NOW)),
            dropped=(Dropped(event("large", {"name": "cart"}), "too large"),),
            removed=(Removed("1", RUM + "http_event", "a.b", 1, "no dots"),) * 3,
            requests=(
                Exchange("/", {}, False, 200, None, NOW),
                Exchange("/", {}, False, 429, None, NOW),
                Exchange("/", {}, False, None, None, NOW),
            ),
        ),
    )
    assert [(row["message"], row["count"], row["last"]) for row in shown["refused"]["rows"]] == [
        ("BatchId is required", 2, NOW + 2),
        ("the body is too large", 1, NOW),
    ]
    assert [(row["name"], row["reason"], row["session"]) for row in shown["dropped"]["rows"]] == [
        ("large", "too large", "s")
    ]
    assert [(row["key"], row["name"], row["count"]) for row in shown["removed"]["rows"]] == [("a.b", "http_event", 3)]
    assert shown["answers"] == [[0, 1], [200, 1], [429, 1]]


def test_losses_that_differ_in_values_only_are_one_row() -> None:
    """Numbers, ids and quoted values; the latest is shown."""
    reasons = (
        "6145 bytes are above 6144",
        "9,000 bytes are above 6144",
        'must be a UUID, is "a\\"b"',
        'must be a UUID, is "c…',
    )
    dropped = tuple(Dropped(event("a", at=at), reason) for at, reason in enumerate(reasons))
    shown = show("refused", received(dropped=dropped))["dropped"]
    assert [(row["reason"], row["count"]) for row in shown["rows"]] == [(reasons[3], 2), (reasons[1], 2)]


@pytest.mark.parametrize(
    ("sort", "reasons"), [("", "cba"), ("last", "cba"), ("-last", "abc"), ("count", "bca"), ("reason", "abc")]
)
def test_losses_are_sorted_by_time_count_and_reason(sort: str, reasons: str) -> None:
    """Each kind of loss alike; the latest first unless another order is asked for."""
    lost = received(
        dropped=tuple(Dropped(event("a", at=at), reason) for at, reason in enumerate("bbabc")),
        refused=tuple(RefusedRequest(400, "E", reason, "/", NOW + at) for at, reason in enumerate("bbabc")),
    )
    shown = show("refused", lost, sort=sort)
    assert "".join(row["reason"] for row in shown["dropped"]["rows"]) == reasons
    assert "".join(row["message"] for row in shown["refused"]["rows"]) == reasons


@pytest.mark.parametrize(
    ("query", "counts"),
    [
        ({}, [2, 2, 2]),
        ({"page": "/cart"}, [1, 1, 1]),
        ({"monitor": MONITOR}, [1, 2, 2]),
        ({"q": "teapot"}, [1, 1, 0]),
        ({"browser": "Firefox"}, [1, 0, 0]),
        ({"range": "5m"}, [2, 2, 2]),
        ({"to": int(NOW) - 10}, [0, 0, 0]),
    ],
)
def test_filters_apply_to_losses(query: dict[str, Any], counts: list[int]) -> None:
    """A refused request is filtered by the events in its body."""
    sent = {"type": "a", "metadata": json.dumps({"pageId": "/cart"}), "details": json.dumps({"name": "teapot"})}
    raw = {"SessionMetadata": json.dumps({"browserName": "Firefox"}), "RumEvents": [sent]}
    kept = event("kept", id="1", metadata={"pageId": "/cart"})
    shown = show(
        "refused",
        received(
            kept,
            event("other", id="2"),
            refused=(
                RefusedRequest(400, "V", "no id", f"/appmonitors/{MONITOR}", NOW, raw),
                RefusedRequest(413, "V", "too large", "/appmonitors/x", NOW),
            ),
            dropped=(
                Dropped(event("b", {"name": "teapot"}, metadata={"pageId": "/cart"}), "too large"),
                Dropped(event("b"), "disabled"),
            ),
            removed=(Removed("1", "kept", "a.b", 1, "no dots"), Removed("2", "other", "c.d", 1, "no dots")),
        ),
        **query,
    )
    assert [shown[name]["total"] for name in ("refused", "dropped", "removed")] == counts


def test_session_opens_at_the_page_of_events_with_the_event() -> None:
    """A given offset wins; one beyond the end is that of the last page."""
    many = received(*(event("a", at=at, id=f"e{at}") for at in range(MAX_ROWS * 2 + 10)))
    for query, offset in (
        ({"event": f"e{MAX_ROWS}"}, MAX_ROWS),
        ({"event": f"e{MAX_ROWS - 1}"}, 0),
        ({"event": "e1009", "offset": 0}, 0),
        ({"event": "no such event"}, 0),
        ({"offset": 10**6}, MAX_ROWS * 2),
    ):
        assert show("session", many, id="s", **query)["offset"] == offset


def test_request_detail_lists_all_attempts() -> None:
    """A throttled request has two answers."""
    decisions = (Decision("1", "a", "accepted"), Decision("2", "b", "dropped", "too large"))
    raw: dict[str, Any] = {"RumEvents": [{}] * 300}
    batch = Batch(MONITOR, {}, "b", "u", "s", None, {}, (), NOW, {"host": "x"}, True, 512, raw, decisions)
    tries = tuple(Exchange("/", {}, True, status, "b", NOW) for status in (None, 429, 200))
    shown = show("request", received(batches=(batch,), requests=tries), batch="b")
    assert [one["status"] for one in shown["answers"]] == [None, 429, 200]
    (sent,) = shown["requests"]
    assert (sent["events"], len(sent["body"]["RumEvents"])) == (300, 100)
    assert (sent["headers"], sent["signed"], sent["decisions"]) == ({"host": "x"}, True, {"accepted": 1, "dropped": 1})


@pytest.mark.parametrize("raw", [None, [], {"RumEvents": 1}, {"RumEvents": [1, 2]}])
def test_refused_request_detail_has_a_decision_per_event(raw: Any) -> None:
    """For any request body."""
    at = NOW + 0.123456
    decisions = (Decision("1", "a", "refused", "no id"), Decision(None, None, "refused"))
    refused_request = RefusedRequest(400, "ValidationException", "no id", "/appmonitors/x", at, raw, decisions)
    (row,) = show("refused", received(refused=(refused_request,)))["refused"]["rows"]
    shown = show("refused_request", received(refused=(refused_request,)), at=row["at"])
    assert (shown["body"], [one["reason"] for one in shown["decisions"]]) == (raw, ["no id", None])


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_view_size_is_limited_for_many_events(many_events: Received, view: str) -> None:
    """Twenty thousand events give about the size of twenty."""
    at = next(iter(many_events.refused)).received_at
    shown = show(view, many_events, id="s7", key="x", batch="b", at=at, url="/api/7")
    assert len(json.dumps(shown)) < 250_000


@pytest.fixture(scope="module")
def many_events() -> Received:
    """Make 20,000 events of 2,000 sessions with different pages, URLs and messages."""
    kinds = (
        page_view,
        lambda page, at, **who: error(f"{page} broke", at, **who),
        lambda url, at, **who: request(url, 500, at, **who),
    )
    letters = "abcdefghijklmnopqrstuvwxyz"
    events = [
        kinds[n % 3](
            f"/api/{n % 700}/{letters[n % 26]}{letters[n // 26 % 26]}{letters[n // 676 % 26]}",
            n,
            session_id=f"s{n % 2000}",
        )
        for n in range(20_000)
    ]
    refused = tuple(RefusedRequest(400, "ValidationException", f"message {n}", "/", NOW + n) for n in range(1000))
    return received(*events, dropped=tuple(Dropped(one, f"reason {one.id}") for one in events[:1000]), refused=refused)


def test_overview_lists_the_sessions_of_doctor_last() -> None:
    """Doctor's test events are later but of no user."""
    shown = show("overview", received(page_view("/", 0), event(DOCTOR, at=5, session_id="d")))
    assert [row["id"] for row in shown["sessions"]["rows"]] == ["s", "d"]


def test_statuses_below_100_are_one_row_without_an_answer() -> None:
    """Clients send 0 or -1."""
    calls = [event("http_event", {"request": {"url": "/a"}, "response": {"status": status}}) for status in (0, -1, 500)]
    (row,) = show("http", received(*calls))["urls"]
    assert row["statuses"] == [[0, 2], [500, 1]]
