"""The views of custom events, browsers and devices, one page, one user and one trace, as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from otel_rum_exporter.local import Event
from otel_rum_exporter.local.console.received import Received
from otel_rum_exporter.local.console.web import VIEWS
from otel_rum_exporter.mapping.metadata import CLIENT_NAME
from otel_rum_exporter.rum.ids import id_within_span, id_within_trace
from tests.local.console.records import NOW, error, event, load, page_view, received, request, scope

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "a" * 16
XRAY_TRACE = f"1-{TRACE[:8]}-{TRACE[8:]}"

MOZILLA, CHROME = "Mozilla/5.0", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/139.0.0.0"
IPHONE = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"


def show(view: str, what: Received, **query: Any) -> Any:
    """Return a view as decoded JSON."""
    return json.loads(json.dumps(VIEWS[view](what, scope(**query))))


def work(name: str, millis: float | None, at: float = 0.0, **attributes: Any) -> Any:
    """Make a custom event."""
    details = {"name": name, "attributes": attributes, "traceId": TRACE}
    return event(
        "checkout", details | ({} if millis is None else {"durationMs": millis}), at, metadata={"zone": f"z{at}"}
    )


def test_custom_events_are_counted_and_timed_by_type() -> None:
    """RUM's own events are not listed."""
    shown = show("custom", received(work("a", 10), work("b", 30, 1), work("b", None, 2), event("cart"), page_view("/")))
    assert (shown["total"], shown["events"], shown["detail"]) == (2, 4, None)
    first, second = shown["types"]
    assert (first["type"], first["count"], first["sessions"], first["timed"]) == ("checkout", 3, 1, 2)
    assert (first["p50_millis"], first["slowest_millis"], sum(first["counts"])) == (10, 30, 3)
    assert (second["type"], second["p75_millis"], second["slowest_millis"]) == ("cart", None, None)
    assert [row["type"] for row in show("custom", received(work("a", 1), event("cart")), sort="type")["types"]] == [
        "cart",
        "checkout",
    ]


def test_type_of_custom_events_has_names_attributes_and_latest_events() -> None:
    """Attributes have the number of events of each value; ids of traces and durations are none."""
    many = received(
        work("a", 1, 1, payment="card", items=2), work("b", 2, 2, payment="card"), work("b", 3, 3, tier="x")
    )
    detail = show("custom", many, type="checkout")["detail"]
    assert detail["names"] == [["b", 2], ["a", 1]]
    tags = {tag["name"]: tag["values"] for tag in detail["tags"]}
    assert (tags["payment"], tags["items"]) == ([["card", 2]], [["2", 1]])
    assert list(tags) == ["payment", "items", "tier", "zone"], "the event's own come first"
    assert [(one["name"], one["duration_millis"]) for one in detail["samples"]] == [("b", 3), ("b", 2), ("a", 1)]
    assert sum(detail["counts"]) == 3
    assert show("custom", received(page_view("/")), type="checkout")["detail"] is None


def test_error_has_the_distribution_of_its_metadata() -> None:
    """Names with few values first; long lists of values are cut, and say so."""
    errors = [
        error("broke", n, metadata={"browserName": "Edge" if n else "Chrome", "tenant": f"t{n}", "version": "1.0.0"})
        for n in range(9)
    ]
    (group,) = show("errors", received(*errors))["errors"]
    browser, tenant = show("error", received(*errors), key=group["key"])["tags"]
    assert (browser["name"], browser["values"]) == ("browserName", [["Edge", 8], ["Chrome", 1]])
    assert (tenant["name"], tenant["events"], len(tenant["values"]), tenant["other_values"]) == ("tenant", 9, 6, 3)


def test_user_has_all_sessions_the_latest_first() -> None:
    """A session after a login has two users."""
    many = received(
        page_view("/", 1, user_id="ann", session_id="a"),
        page_view("/", 2, user_id="bob", session_id="b"),
        error("broke", 3, user_id="ann", session_id="b"),
        page_view("/", 4, user_id="eve", session_id="c"),
    )
    shown = show("user", many, id="ann")
    assert [row["id"] for row in shown["sessions"]] == ["b", "a"]
    assert (shown["total"], shown["events"], shown["errors"], shown["other_users"]) == (2, 2, 1, 1)
    assert (shown["first"], shown["last"]) == (NOW + 1, NOW + 3)
    assert show("user", many, id="00000000-0000-0000-0000-000000000000") is None


def test_page_has_its_own_figures_requests_and_neighbours() -> None:
    """Of its own events only; the empty neighbour is the start or the end of a session."""
    here: dict[str, Any] = {"metadata": {"pageId": "/cart"}}
    many = received(
        *(page_view(page, n) for n, page in enumerate(("/", "/cart", "/pay", "/cart"))),
        page_view("/cart", session_id="t"),
        load("/cart", 100, 1),
        load("/", 9000, 1),
        request("/api/a", 500, 2, **here),
        request("/api/b", 200, 2),
        error("broke", 2, **here),
    )
    shown = show("page", many, name="/cart")
    assert (shown["name"], shown["sessions"]["total"], shown["errors"]["total"]) == ("/cart", 2, 1)
    assert sum(shown["chart"]["page_views"]) == 3
    assert shown["load_millis"] == {"50": 100, "75": 100, "95": 100}
    assert [row["url"] for row in shown["requests"]["urls"]] == ["/api/a"]
    assert shown["before"] == [["", 1], ["/", 1], ["/pay", 1]]
    assert shown["after"] == [["", 2], ["/pay", 1]]


def test_sessions_loads_and_errors_are_counted_by_browser_and_country() -> None:
    """Events without a value count for the value that the session has."""
    firefox = {"browserName": "Firefox", "pageId": "/"}
    many = received(
        page_view("/", metadata=firefox),
        load("/", 500, 1, metadata=firefox),
        error("broke", 2, metadata=firefox),
        page_view("/", 3),
        request("/a", 404, 4, session_id="t", metadata={"browserName": "Chrome", "countryCode": "DE"}),
    )
    shown = show("devices", many)
    browsers = {row["value"]: row for row in shown["dimensions"][0]["rows"]}
    assert (browsers["Firefox"]["sessions"], browsers["Firefox"]["p75_millis"], browsers["Firefox"]["errors"]) == (
        1,
        500,
        1,
    )
    assert (browsers["Chrome"]["sessions"], browsers["Chrome"]["failed_requests"]) == (1, 1)
    countries = shown["dimensions"][3]
    assert (countries["name"], [row["value"] for row in countries["rows"]]) == ("country", ["", "DE"])
    assert show("devices", many, browser="Chrome")["sessions"] == 1


@pytest.mark.parametrize(
    ("user_agent", "found"),
    [
        (f"{CHROME} Safari/537.36 Edg/139.0.0.0", ("Edge", "Windows", "desktop")),
        (f"{CHROME} Safari/537.36", ("Chrome", "Windows", "desktop")),
        (f"{MOZILLA} (iPhone; CPU iPhone OS 18_5 like Mac OS X) {IPHONE}", ("Mobile Safari", "iOS", "mobile")),
        (f"{MOZILLA} (Linux; Android 15) Chrome/138.0 Mobile Safari/537.36", ("Chrome", "Android", "mobile")),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0", ("Firefox", "Linux", "desktop")),
        (f"{MOZILLA} (Macintosh; Mac OS X 10_15_7) Version/18.5 Safari/605.1.15", ("Safari", "Mac OS", "desktop")),
        ("python-requests/2.32", ("", "", "")),
        ("", ("", "", "")),
    ],
)
def test_browser_and_device_are_read_from_the_user_agent_as_in_rum(user_agent: str, found: tuple[str, ...]) -> None:
    """Sessions of a server have no other. What a client sends itself comes first."""
    served = page_view("/", metadata={"aws:userAgent": user_agent})
    dimensions = show("devices", received(served))["dimensions"]
    assert tuple(one["rows"][0]["value"] for one in dimensions[:3]) == found
    own = page_view("/", metadata={"aws:userAgent": user_agent, "browserName": "Own"})
    assert show("devices", received(own))["dimensions"][0]["rows"][0]["value"] == "Own"


def segment(segment_id: str, start: float, end: float, parent: str | None = None, **others: Any) -> Any:
    """Make an X-Ray segment."""
    details = {"name": segment_id, "id": segment_id, "trace_id": XRAY_TRACE, "start_time": NOW + start}
    details |= {"end_time": NOW + end, **({"parent_id": parent} if parent else {}), **others}
    return event("xray_trace_event", details, end)


def test_trace_has_segments_and_spans_below_their_parents() -> None:
    """X-Ray's and OpenTelemetry's forms of an id are the same trace."""
    inner = {"id": "b", "name": "api", "start_time": NOW + 1, "end_time": NOW + 3, "fault": True}
    inner["http"] = {"request": {"method": "GET", "url": "/api"}, "response": {"status": 500}}
    span = {"name": "work", "durationMs": 500, "traceId": TRACE, "spanId": "c", "parentSpanId": "b"}
    shown = show(
        "trace",
        received(
            event("work", span, 2.5),
            segment("z", 3, 4, "no such parent"),
            segment("a", 0, 4, subsegments=[inner, 7]),
            event("work", {"traceId": "f" * 32}),
        ),
        id=TRACE,
    )
    assert [(step["name"], step["depth"], step["duration_millis"]) for step in shown["steps"]] == [
        ("a", 0, 4000),
        ("api", 1, 2000),
        ("work", 2, 500),
        ("z", 0, 1000),
    ]
    assert (shown["steps"][1]["what"], shown["steps"][1]["status"], shown["steps"][1]["problem"]) == (
        "GET /api",
        500,
        True,
    )
    assert (shown["start"], shown["end"], shown["problems"]) == (NOW, NOW + 4, 1)


def test_request_without_a_duration_begins_with_the_first_step_below_it() -> None:
    """Also through another one; `http_event` has no duration."""
    outer = {"request": {"method": "GET", "url": "/"}, "response": {"status": 200}, "trace_id": XRAY_TRACE}
    spans = ({"spanId": "b", "parentSpanId": "a"}, {"spanId": "c", "parentSpanId": "b", "durationMs": 3000})
    shown = show(
        "trace",
        received(
            event("http_event", {**outer, "segment_id": "a"}, 5),
            *(event("work", {"name": span["spanId"], "traceId": TRACE, **span}, 4) for span in spans),
        ),
        id=TRACE,
    )
    steps = [(step["depth"], step["start"] - NOW, step["duration_millis"]) for step in shown["steps"]]
    assert steps == [(0, 1, 4000), (1, 1, 3000), (2, 1, 3000)]


def of_span(name: str, index: int, at: float, details: dict[str, Any]) -> Event:
    """Make an event as the exporter sends it for a span that ended at `at`: its id has the span's."""
    ours = {"aws:client": CLIENT_NAME, "pageId": "/pay"}
    return event(name, details, at, id=id_within_span(TRACE, SPAN, index), metadata=ours)


def test_error_of_the_exporter_links_to_the_trace_of_its_request() -> None:
    """RUM's schema of an error has no trace, but its id has the span; the error is a step below the request."""
    call = {"request": {"method": "GET", "url": "/pay"}, "response": {"status": 500}}
    failed = of_span("http_event", 0, 5, {**call, "trace_id": XRAY_TRACE, "segment_id": SPAN})
    broke = of_span("js_error_event", 1, 4, {"type": "KeyError", "message": "sku"})
    other = error("other", 4, id=broke.id)  # of another client, by chance
    every = received(failed, broke, other)
    keys = {row["message"]: row["key"] for row in show("errors", every)["errors"]}
    for key, trace in ((keys["sku"], TRACE), (keys["other"], "")):
        shown = show("error", every, key=key)
        assert (shown["trace"], shown["occurrences"][0]["trace"]) == (trace, trace)
    steps = show("trace", every, id=TRACE)["steps"]
    assert [(step["name"], step["depth"], step["problem"]) for step in steps] == [
        ("GET /pay → 500", 0, True),
        ("KeyError: sku", 1, True),
    ]
    # Without another event that has the whole trace id, it is unknown.
    assert show("error", received(broke), key=keys["sku"])["trace"] == ""
    assert show("trace", received(broke), id=TRACE) is None


def test_error_of_a_log_record_links_to_its_trace() -> None:
    """Its id has the trace, and no span. Two events of such ids are no call of one span."""
    call = {"request": {"method": "GET", "url": "/pay"}, "response": {"status": 500}}
    failed = of_span("http_event", 0, 5, {**call, "trace_id": XRAY_TRACE, "segment_id": SPAN})
    broke = of_span("js_error_event", 1, 4, {"type": "KeyError", "message": "sku"})
    logged = replace(broke, id=id_within_trace(TRACE, "a log record"))
    (row,) = show("errors", received(failed, logged))["errors"]
    shown = show("error", received(failed, logged), key=row["key"])
    assert (shown["trace"], shown["occurrences"][0]["trace"]) == (TRACE, TRACE)
    steps = show("trace", received(failed, logged), id=TRACE)["steps"]
    assert {(step["name"], step["depth"]) for step in steps} == {("GET /pay → 500", 0), ("KeyError: sku", 0)}
    timed = event("performance_resource_event", {"targetUrl": "/other", "duration": 1}, 5)
    calls = [replace(one, id=id_within_trace(TRACE, one.type), metadata=broke.metadata) for one in (failed, timed)]
    assert len(show("http", received(*calls))["urls"]) == 2
    assert all(fact.other is None for fact in received(*calls).index.facts)


def test_requests_served_and_made_by_an_application_are_rows_of_their_own() -> None:
    """The exporter measures only those that are made. A browser makes all."""
    call = {"request": {"method": "GET", "url": "/pay"}, "response": {"status": 500}}
    served = of_span("http_event", 0, 5, call)
    made = replace(of_span("http_event", 1, 5, call), id=id_within_span(TRACE, "b" * 16, 1))
    timing = {"targetUrl": "/pay", "duration": 20, "fileType": "other"}
    measured = replace(of_span("performance_resource_event", 0, 5, timing), id=id_within_span(TRACE, "b" * 16, 0))
    every = received(served, measured, made, request("/browser", 404))
    shown = show("http", every, sort="url")
    assert [(row["url"], row["direction"], row["calls"], row["p50_millis"]) for row in shown["urls"]] == [
        ("/browser", "made", 1, None),
        ("/pay", "served", 1, None),
        ("/pay", "made", 1, 20),
    ]
    assert shown["directions"] == {"made": 2, "served": 1}
    assert [row["url"] for row in show("http", every, direction="served")["urls"]] == ["/pay"]
    for direction, event_id in (("served", served.id), ("made", made.id)):
        (sample,) = show("http", every, url="/pay", direction=direction)["detail"]["samples"]
        assert sample["event"] == event_id


@pytest.mark.parametrize("parents", [("a", "b"), ("b", "a"), (None, None)])
def test_trace_with_circles_and_equal_ids_shows_each_step_once(parents: tuple[str | None, str | None]) -> None:
    """A client can send anything."""
    steps = [segment("a", 0, 1, parents[0]), segment("b", 0, 1, parents[1]), segment("b", 0, 1, parents[1])]
    assert len(show("trace", received(*steps), id=TRACE)["steps"]) == 3


def test_session_event_has_the_trace_that_it_belongs_to() -> None:
    """In the form of the URL of the trace."""
    rows = show("session", received(segment("a", 0, 1), work("x", 1, 5), event("cart", {"trace_id": "1-2"}, 6)), id="s")
    assert [one["trace"] for one in rows["visits"][0]["events"]] == [TRACE, TRACE, ""]
