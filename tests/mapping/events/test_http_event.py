"""HTTP spans, in both conventions, as AWS's web client would report the same requests."""

from typing import Any

import pytest
from opentelemetry.sdk.trace import Event
from opentelemetry.trace import SpanKind, Status, StatusCode

from otel_rum_exporter.config import Config
from otel_rum_exporter.mapping.events import http_event
from otel_rum_exporter.mapping.events.request_url import request_url
from otel_rum_exporter.mapping.rules import SPAN_RULES
from otel_rum_exporter.mapping.span_view import SpanView
from tests.spans import exception_event, make_config, make_span

CLIENT_OK = [
    pytest.param({"http.method": "GET", "http.url": "https://a.example/p.css?q=1", "http.status_code": 200}, id="old"),
    pytest.param(
        {"http.request.method": "GET", "url.full": "https://a.example/p.css?q=1", "http.response.status_code": 200},
        id="stable",
    ),
]


def client(attributes: dict[str, Any], config: Config | None = None, **span: Any) -> list[tuple[str, dict[str, Any]]]:
    """Map one CLIENT span to (short type, details)."""
    view = SpanView.of(make_span("GET", attributes, kind=SpanKind.CLIENT, **span))
    return [
        (draft[0].rpartition(".")[2], dict(draft[2]))
        for draft in http_event.requests_made(view.keys, config or make_config())(view)
    ]


def server(attributes: dict[str, Any], config: Config | None = None, **span: Any) -> list[dict[str, Any]]:
    """Map one SERVER span to the details of its http_events."""
    view = SpanView.of(make_span("GET", attributes, kind=SpanKind.SERVER, **span))
    return [dict(draft[2]) for draft in http_event.server_events(view, config or make_config())]


@pytest.mark.parametrize("attributes", CLIENT_OK)
def test_a_request_made_is_a_resource_with_its_duration(attributes: dict[str, Any]) -> None:
    """`http_event` has no duration; the resource event has it, in old and stable conventions."""
    assert client(attributes) == [
        (
            "performance_resource_event",
            {
                "version": "1.0.0",
                "initiatorType": "fetch",
                "startTime": 0,
                "duration": 120.0,
                "fileType": "stylesheet",
                "targetUrl": "https://a.example/p.css",
            },
        )
    ]


@pytest.mark.parametrize("status", [400, 404, 499, 500, 599, 404.0, "404", "404.0"])
def test_a_status_of_400_or_above_is_a_failed_request_in_any_encoding(status: Any) -> None:
    """Some exporters send every number as a double or as text."""
    (_, details) = client({"http.method": "GET", "http.url": "http://a.example/", "http.status_code": status})[1]
    assert details["response"]["status"] == int(float(status))
    assert "error" not in details


@pytest.mark.parametrize("status", [101, 199, 200, 204, 301, 304, 399, 200.0, "200", "304.0", " 200 ", "200 OK"])
def test_a_lower_status_is_no_failed_request(status: Any) -> None:
    """Redirects and cached answers are normal."""
    attributes = {"http.method": "GET", "http.url": "http://a.example/", "http.status_code": status}
    assert [kind for kind, _ in client(attributes)] == ["performance_resource_event"]
    assert server(attributes) == []


@pytest.mark.parametrize("status", ["", "abc", "OK", True, 0, 0.0, "0", -1, float("nan"), 200.5, [200], None])
def test_a_status_that_is_no_number_is_no_answer(status: Any) -> None:
    """Browsers report 0 for a request that was blocked."""
    details = client({"http.method": "GET", "http.url": "http://a.example/", "http.status_code": status})[1][1]
    assert details["error"]["type"] == "Error"
    assert "response" not in details


def test_a_request_made_without_a_code_that_ended_well_is_no_failure() -> None:
    """The instrumentation says so by the status OK."""
    ended_well = Status(StatusCode.OK)
    assert [kind for kind, _ in client({"http.method": "GET"}, status=ended_well)] == ["performance_resource_event"]


@pytest.mark.parametrize(
    ("attributes", "status", "expected"),
    [
        ({"http.status_text": "Failed to fetch"}, None, ("Error", "Failed to fetch")),
        ({"http.status_text": "The user aborted a request."}, None, ("AbortError", "The user aborted a request.")),
        (
            {"http.status_text": "signal is aborted without reason"},
            None,
            ("AbortError", "signal is aborted without reason"),
        ),
        ({}, "context canceled", ("AbortError", "context canceled")),
        ({"error.type": "AbortError"}, "The operation was aborted.", ("AbortError", "The operation was aborted.")),
        ({}, "signal timed out, aborted", ("Error", "signal timed out, aborted")),
        ({}, "Connection aborted.", ("Error", "Connection aborted.")),
    ],
)
def test_an_aborted_request_differs_by_the_type_of_its_error(
    attributes: dict[str, Any], status: str | None, expected: tuple[str, str]
) -> None:
    """A time-out and a lost connection are failures. The fetch instrumentation has the message in the status text."""
    found = Status(StatusCode.ERROR, status) if status else None
    error = client({"http.method": "GET", "http.status_code": 0, **attributes}, status=found)[1][1]["error"]
    assert (error["type"], error["message"]) == expected


@pytest.mark.parametrize(("event", "kind"), [("abort", "AbortError"), ("timeout", "TimeoutError"), ("error", "Error")])
def test_the_event_that_ended_a_browser_s_request_is_the_type_of_its_error(event: str, kind: str) -> None:
    """The instrumentation of XMLHttpRequest has no other word about it."""
    events = [Event("send"), Event(event)]
    error = client({"http.method": "GET", "http.status_code": 0}, events=events)[1][1]["error"]
    assert error["type"] == kind


def test_http_events_can_be_all_or_none() -> None:
    """The setting decides, not the status."""
    ok = {"http.method": "GET", "http.status_code": 200}
    assert len(client(ok, make_config(http_events="all"))) == 2
    assert len(client({**ok, "http.status_code": 500}, make_config(http_events="none"))) == 1


def test_a_request_without_response_has_an_error() -> None:
    """A connection error has an `error` and no `response`, and the ids that link it to its trace."""
    stack = 'Traceback (most recent call last):\n  File "a.py", line 7, in f\n    g()\nConnectionError: refused\n'
    span = make_span(
        "POST",
        {"http.request.method": "POST", "url.full": "http://u:p@dead.example:1/x#f"},
        kind=SpanKind.CLIENT,
        events=[exception_event("requests.exceptions.ConnectionError", "refused", stack)],
        status=Status(StatusCode.ERROR, "ConnectionError: refused"),
    )
    view = SpanView.of(span)
    *_, draft = http_event.requests_made(view.keys, make_config())(view)
    assert draft[2] == {
        "version": "1.0.0",
        "request": {"method": "POST", "url": "http://dead.example:1/x"},
        "trace_id": f"1-{view.trace_id[:8]}-{view.trace_id[8:]}",
        "segment_id": view.span_id,
        "error": {
            "version": "1.0.0",
            "type": "requests.exceptions.ConnectionError",
            "message": "refused",
            "filename": "a.py",
            "lineno": 7,
            "stack": stack,
        },
    }
    assert len(draft[2]["trace_id"]) == 35


def test_without_exception_the_error_comes_from_error_type_and_status() -> None:
    """The aiohttp instrumentation and browsers record no exception event. A status code is no error type."""
    attributes = {"http.request.method": "GET", "error.type": "timeout"}
    error = client(attributes, status=Status(StatusCode.ERROR, "took too long"))[1][1]["error"]
    assert error == {"version": "1.0.0", "type": "timeout", "message": "took too long"}
    assert client({**attributes, "error.type": "500"})[1][1]["error"] == {"version": "1.0.0", "type": "Error"}
    named = client({"http.method": "GET"}, status=Status(StatusCode.ERROR, "http.client.BadStatusLine: x"))[1][1][
        "error"
    ]
    assert (named["type"], named["message"]) == ("http.client.BadStatusLine", "http.client.BadStatusLine: x")
    unnamed = client({"http.method": "GET"}, status=Status(StatusCode.ERROR, "no answer: gone"))[1][1]["error"]
    assert unnamed["type"] == "Error"


def test_an_unknown_method_keeps_its_name() -> None:
    """It is in `http.request.method_original`."""
    view = SpanView.of(make_span("x", {"http.request.method": "_OTHER", "http.request.method_original": "PURGE"}))
    assert http_event.method(view) == "PURGE"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param(
            {
                "http.scheme": "https",
                "http.host": "shop.example:8443",
                "net.host.port": 8443,
                "http.target": "/p?token=1",
            },
            "https://shop.example:8443/p",
            id="WSGI, old",
        ),
        pytest.param(
            {
                "url.scheme": "https",
                "server.address": "shop.example:443",
                "server.port": 443,
                "url.path": "/p",
                "url.query": "token=1",
            },
            "https://shop.example/p",
            id="WSGI, stable",
        ),
        pytest.param({"http.url": "http://shop.example/p?token=1"}, "http://shop.example/p", id="ASGI, old"),
        pytest.param({}, None, id="Django, stable, without RAW_URI"),
    ],
)
def test_the_url_of_a_request_served_is_composed(attributes: dict[str, Any], expected: str | None) -> None:
    """Server instrumentations set the parts of a URL, some with the port twice."""
    (details,) = server({"http.method": "GET", "http.status_code": 500, **attributes})
    assert expected == details["request"].get("url")


@pytest.mark.parametrize(("status", "count"), [(200, 0), (302, 0), (404, 1), (503, 1), (None, 0)])
def test_a_request_served_failed_from_400_on(status: int | None, count: int) -> None:
    """A redirect is a normal response. AWS Lambda's spans lack the status of a handler that returns none."""
    attributes = {"http.request.method": "GET"} | ({} if status is None else {"http.response.status_code": status})
    assert len(server(attributes)) == count
    failed = Status(StatusCode.ERROR, "boom")
    assert len(server(attributes, status=failed)) == (count if status else 1)


@pytest.mark.parametrize(
    "attributes",
    [
        {"http.scheme": "https", "net.peer.name": "api.example", "net.peer.port": 8443, "http.target": "/x?token=1"},
        {"url.scheme": "https", "server.address": "api.example", "server.port": 8443, "url.template": "/x"},
    ],
)
def test_the_url_of_a_request_made_is_composed(attributes: dict[str, Any]) -> None:
    """Some client instrumentations set no whole URL."""
    details = client({"http.method": "GET", "http.status_code": 200, **attributes})[0][1]
    assert details["targetUrl"] == "https://api.example:8443/x"


def test_query_parameters_stay_only_when_listed() -> None:
    """The allow-list applies to every URL."""
    attributes = {"http.method": "GET", "http.url": "http://a.example/?q=tea&token=s", "http.status_code": 500}
    config = make_config(url_query_parameters="q")
    assert client(attributes, config)[0][1]["targetUrl"] == "http://a.example/?q=tea"
    assert client(attributes, config)[1][1]["request"]["url"] == "http://a.example/?q=tea"


@pytest.mark.parametrize(
    "attributes",
    [
        {"url.full": "https://dataplane.rum.eu-west-1.amazonaws.com/appmonitors/x"},
        {"http.url": "http://127.0.0.1:8787/appmonitors/00000000-aaaa-4bbb-8ccc-000000000001/"},
        {"rpc.service": "RUM", "rpc.method": "PutRumEvents"},
    ],
)
def test_requests_to_rum_itself_are_detected(attributes: dict[str, Any]) -> None:
    """Telemetry about sending telemetry is not sent."""
    view = SpanView.of(make_span("x", attributes, kind=SpanKind.CLIENT))
    assert http_event.are_own_traffic(view.keys, make_config())(view)
    assert SPAN_RULES.with_settings(make_config()).rule_of(view).name == "a request to RUM itself"
    served = SpanView.of(make_span("x", attributes, kind=SpanKind.SERVER))
    assert SPAN_RULES.with_settings(make_config()).rule_of(served).name != "a request to RUM itself"


@pytest.mark.parametrize(
    ("target", "query", "expected"),
    [
        ("/x?q=1", "q=1", "https://a.example/x?q=1"),
        ("/x", "q=1", "https://a.example/x?q=1"),
        ("/x?q=1", None, "https://a.example/x?q=1"),
    ],
)
def test_a_query_is_appended_once(target: str, query: str | None, expected: str) -> None:
    """`http.target` contains the query, `url.path` does not; instrumentations may set both conventions."""
    parts = {"http.target": target, "http.host": "a.example", "http.scheme": "https", "http.status_code": 500}
    attributes = {"http.method": "GET", **parts}
    if query:
        attributes["url.query"] = query
    span = make_span("GET", attributes, kind=SpanKind.SERVER)
    assert request_url(SpanView.of(span)) == expected
    (details,) = server(attributes, make_config(url_query_parameters="q"))
    assert details["request"]["url"] == expected
