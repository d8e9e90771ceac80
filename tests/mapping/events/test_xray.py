"""Requests made, as X-Ray's segment documents."""

from typing import Any

import pytest
from opentelemetry.trace import SpanKind, Status, StatusCode

from otel_rum_exporter.mapping.events.xray import MAX_FRAMES, frames, segment_id, segment_name
from otel_rum_exporter.mapping.span_view import SpanView
from tests.mapping.event_drafts import mapped, types
from tests.spans import START_NS, exception_event, make_config, make_span

TRACEBACK = """Traceback (most recent call last):
  File "/lib/socket.py", line 10, in connect
    raise OSError
OSError: first

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/main.py", line 3, in <module>
    call()
  File "/app/client.py", line 77, in call
    raise ConnectionError("refused")
ConnectionError: refused
"""


def segment(attributes: dict[str, Any], **span: Any) -> tuple[SpanView, dict[str, Any]]:
    """Map one CLIENT span to its X-Ray event."""
    made = make_span("GET", {"http.request.method": "GET", **attributes}, kind=SpanKind.CLIENT, **span)
    (name, details), *_ = mapped(made, make_config(xray_events=True))
    assert name == "xray_trace_event"
    return SpanView.of(made), dict(details)


def test_a_request_made_is_a_segment_with_one_subsegment() -> None:
    """As in AWS's web client: the subsegment is the span, and the segment is the application."""
    attributes = {
        "url.full": "https://u:p@stock.example:8443/items?token=SECRET",
        "server.address": "stock.example",
        "server.port": 8443,
        "http.response.status_code": 200,
        "http.response.body.size": 1207,
    }
    view, details = segment(attributes)
    times = {"start_time": START_NS / 1e9, "end_time": START_NS / 1e9 + 0.12, "in_progress": False}
    assert details == {
        "version": "1.0.0",
        "name": "shop",
        "origin": "AWS::RUM::AppMonitor",
        "id": segment_id(view.span_id),
        "trace_id": f"1-{view.trace_id[:8]}-{view.trace_id[8:]}",
        **times,
        "subsegments": [
            {
                "id": view.span_id,
                "name": "stock.example",
                "namespace": "remote",
                **times,
                "http": {
                    "request": {"method": "GET", "traced": True, "url": "https://stock.example:8443/items"},
                    "response": {"status": 200, "content_length": 1207},
                },
            }
        ],
    }


def test_it_comes_first_and_its_subsegment_is_that_of_the_http_event() -> None:
    """RUM links the two events by these ids."""
    span = make_span("GET", {"http.method": "GET", "http.status_code": 500}, kind=SpanKind.CLIENT)
    assert types(span) == ["performance_resource_event", "http_event"]
    (_, trace), _, (_, request) = mapped(span, make_config(xray_events=True))
    assert (trace["trace_id"], trace["subsegments"][0]["id"]) == (request["trace_id"], request["segment_id"])


@pytest.mark.parametrize(
    ("code", "flags"),
    [
        (200, set()),
        (302, set()),
        (399, set()),
        (400, {"error"}),
        (404, {"error"}),
        (429, {"throttle"}),
        (500, {"fault"}),
        (599, {"fault"}),
    ],
)
def test_the_status_decides_error_throttle_and_fault(code: int, flags: set[str]) -> None:
    """On the segment and its subsegment; 429 is a throttle and no error."""
    _, details = segment({"http.response.status_code": code})
    for part in (details, details["subsegments"][0]):
        assert {name for name in ("error", "fault", "throttle") if name in part} == flags
        assert all(part[name] is True for name in flags)


def test_a_request_without_response_is_a_fault_with_its_cause() -> None:
    """With the exception's frames, the innermost first."""
    event = exception_event("requests.exceptions.ConnectionError", "refused", TRACEBACK)
    _, details = segment({"url.full": "http://dead.example/"}, events=[event])
    assert details["fault"] is True
    assert "response" not in details["subsegments"][0]["http"]
    assert details["subsegments"][0]["cause"] == {
        "exceptions": [
            {
                "type": "requests.exceptions.ConnectionError",
                "message": "refused",
                "stack": [
                    {"file_name": "/app/client.py", "line": 77, "method_name": "call"},
                    {"file_name": "/app/main.py", "line": 3, "method_name": "<module>"},
                ],
            }
        ]
    }


def test_without_an_exception_the_cause_comes_from_the_span() -> None:
    """Browsers record no exception, only an error type."""
    _, details = segment({"error.type": "timeout"}, status=Status(StatusCode.ERROR, "too slow"))
    assert details["subsegments"][0]["cause"] == {"exceptions": [{"type": "timeout", "message": "too slow"}]}


@pytest.mark.parametrize(
    ("attributes", "name", "namespace"),
    [
        ({"url.full": "https://s3.eu-west-1.amazonaws.com/b"}, "s3.eu-west-1.amazonaws.com", "aws"),
        ({"http.url": "https://amazonaws.com.example/"}, "amazonaws.com.example", "remote"),
        ({"net.peer.name": "old.example"}, "old.example", "remote"),
        ({"server.address": "with-port.example:8443"}, "with-port.example", "remote"),
        ({}, "unknown_service", "remote"),
    ],
)
def test_a_subsegment_is_named_after_the_host_that_was_called(
    attributes: dict[str, Any], name: str, namespace: str
) -> None:
    """AWS hosts have their own namespace."""
    _, details = segment({"http.response.status_code": 200, **attributes})
    assert (details["subsegments"][0]["name"], details["subsegments"][0]["namespace"]) == (name, namespace)


def test_names_have_only_characters_that_xray_accepts() -> None:
    """Unicode letters and digits, spaces and a few signs, at most 200."""
    assert segment_name("Bücher & more: a/b_c.d%e#f=g+h-i@j") == "Bücher & more: a/b_c.d%e#f=g+h-i@j"
    assert segment_name("a<b>c;d\n") == "a_b_c_d_"
    assert segment_name("x" * 300) == "x" * 200
    assert segment_name(" ") == segment_name(None) == "unknown_service"


def test_the_id_of_a_segment_is_always_the_same_and_never_that_of_its_span() -> None:
    """A retry is the same event; X-Ray treats equal ids as one segment."""
    for span_id in ("00f067aa0ba902b7", "0" * 15 + "1", "f" * 16):
        made = segment_id(span_id)
        assert made == segment_id(span_id) != span_id
        assert len(made) == 16


def test_a_stack_has_few_frames_and_of_other_languages_none() -> None:
    """Because an event may have 6 KB."""
    deep = "Traceback (most recent call last):\n" + '  File "a.py", line 1, in f\n    f()\n' * 500
    assert len(frames(deep + "RecursionError: too deep\n")) == MAX_FRAMES
    assert frames("TypeError: x\n    at f (a.js:1:2)") == []
