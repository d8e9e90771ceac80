"""Exceptions as RUM's errors."""

import json
import traceback
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import Status, StatusCode

from otel_rum_exporter.mapping.events.js_error import JS_ERROR_EVENT, js_error_details
from otel_rum_exporter.mapping.log_view import LogView
from otel_rum_exporter.mapping.mapper import Mapper
from otel_rum_exporter.mapping.recorded_exception import RecordedException
from otel_rum_exporter.mapping.span_view import SpanView
from tests.logs import make_log
from tests.mapping.event_drafts import drafts_of, mapped, types
from tests.spans import MILLI_NS, START_NS, exception_event, make_config, make_span

STACK = """Traceback (most recent call last):
  File "/app/outer.py", line 3, in outer
    inner()
  File "/app/inner.py", line 12, in inner
    raise ValueError("no")
ValueError: no
"""


def exception(stack: str = STACK, message: str = "no") -> dict[str, str]:
    """Make the attributes of a recorded exception."""
    return {"exception.type": "ValueError", "exception.message": message, "exception.stacktrace": stack}


def test_a_python_exception_has_the_line_that_raised_it() -> None:
    """The innermost frame is the last of a Python traceback."""
    assert js_error_details(RecordedException.of(exception()), 4000) == {
        "version": "1.0.0",
        "type": "ValueError",
        "message": "no",
        "filename": "/app/inner.py",
        "lineno": 12,
        "stack": STACK,
    }


@pytest.mark.parametrize(
    "stack",
    [
        "TypeError: x\n    at f (http://a.example:3000/app.js?v=SECRET:1:20)\n    at g (http://a.example:3000/b.js:7:1)",
        "f@http://a.example:3000/app.js:1:20\n@http://a.example:3000/b.js:7:1",
    ],
)
def test_a_javascript_exception_has_the_place_that_raised_it(stack: str) -> None:
    """The innermost frame is the first. The stack is unchanged because RUM applies source maps to it."""
    details = js_error_details(RecordedException.of(exception(stack)), 4000)
    assert details["stack"] == stack.replace("?v=SECRET", "")
    assert (details["filename"], details["lineno"], details["colno"]) == ("http://a.example:3000/app.js", 1, 20)


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        ('Traceback (most recent call last):\n  File "/home/ann/a.py", line 4, in f\nE: no\n', "/home/***/a.py"),
        ("E: no\n   at A.B() in C:\\Users\\ann\\A.cs:line 4", "C:\\Users\\***\\A.cs"),
        ("main.f()\n\t/home/ann/a.go:4 +0x1", "/home/***/a.go"),
        ("E: no\n    at f (webpack-internal:///./src/a.js:4:2)", "webpack-internal:///./src/a.js"),
    ],
)
def test_a_file_name_has_no_name_of_a_user(stack: str, expected: str) -> None:
    """Neither there nor in the stack; the rest of it stays as it is."""
    ((_, details),) = mapped(make_log("exception", {"exception.type": "E", "exception.stacktrace": stack}))
    assert (details["filename"], details["lineno"]) == (expected, 4)
    assert "ann" not in details["stack"]


def test_a_stack_with_escaped_lines_is_read() -> None:
    """Some exporters write line feeds as JSON does."""
    stack = "TypeError: no\\n    at f (https://a.example/a.js:4:2)\\n    at g (https://a.example/b.js:5:6)"
    ((_, details),) = mapped(make_log("exception", {"exception.stacktrace": stack}))
    assert (details["type"], details["message"], details["filename"], details["lineno"]) == (
        "TypeError",
        "no",
        "https://a.example/a.js",
        4,
    )


def test_message_and_type_are_always_text() -> None:
    """RUM refuses an error without a text message."""
    assert js_error_details(RecordedException.of({"exception.message": 42}), 4000) == {
        "version": "1.0.0",
        "type": "Error",
        "message": "",
    }


@pytest.mark.parametrize(
    ("name", "attributes", "body", "expected"),
    [
        ("exception", {"exception.type": "TypeError", "exception.message": "x"}, None, ("TypeError", "x")),
        ("ValueError", {"exception.type": "ValueError"}, "Exception in thread", ("ValueError", "Exception in thread")),
        (None, {"exception.type": "KeyError", "exception.message": "'a'"}, "Failed", ("KeyError", "'a'")),
        (None, {"exception.message": "no type"}, None, ("Error", "no type")),
        ("app.crash", {"exception.type": "E", "exception.message": "m"}, None, ("E", "m")),
        ("device.crash", {"exception.type": "crash", "recovered_context": False}, None, ("crash", "device.crash")),
        ("device.anr", {"exception.stacktrace": "main\n  at a.b.C"}, None, ("Error", "device.anr")),
        ("db.client.operation.exception", {"exception.type": "Lost"}, None, ("Lost", "db.client.operation.exception")),
        ("app.crash", {"error.type": "SIGSEGV"}, None, ("SIGSEGV", "app.crash")),
    ],
)
def test_every_form_of_a_logged_exception_is_an_error(
    name: str | None, attributes: dict[str, Any], body: Any, expected: tuple[str, str]
) -> None:
    """Exception attributes or certain names make a log record an error."""
    ((kind, details),) = mapped(make_log(name, attributes, body=body, severity=SeverityNumber.ERROR))
    assert (kind, details["type"], details["message"]) == ("js_error_event", *expected)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyError("sku"), "'sku'"),
        (FileNotFoundError(2, "No such file or directory", "a.txt"), "[Errno 2] No such file or directory: 'a.txt'"),
        (ValueError("a", 1), "('a', 1)"),
        (ValueError("two\nlines"), "two\nlines"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "'utf-8' codec can't decode byte 0xff in position 0: bad"),
        (json.JSONDecodeError("no", "{", 1), "no: line 1 column 2 (char 1)"),
    ],
)
def test_a_logged_exception_has_the_message_that_the_span_records(error: Exception, expected: str) -> None:
    """OpenTelemetry's `logging` handler records only the exception's first argument as message."""
    stack = traced(error)
    logged = {
        "exception.type": type(error).__name__,
        "exception.message": str(error.args[0]),
        "exception.stacktrace": stack,
    }
    span = make_span(events=[exception_event(type(error).__qualname__, str(error), stack)])
    mapper = Mapper(make_config())
    drafts = [*mapper.map(LogView.of(make_log(None, logged, span=span)))[1], *mapper.map(SpanView.of(span))[1]]
    assert [draft[2]["message"] for draft in drafts if draft[0] == JS_ERROR_EVENT] == [expected]


def test_notes_of_a_logged_exception_are_no_part_of_its_message() -> None:
    """They follow the message at the end of a traceback."""
    stack = f"{STACK}a note\nanother\n"
    ((_, details),) = mapped(make_log(None, exception(stack)))
    assert details["message"] == "no"


def test_a_logged_stack_without_a_type_is_reported_once() -> None:
    """The instrumentation of structlog sends it, and that of logging sends the exception as well."""
    mapper, stack = Mapper(make_config()), traced(KeyError("total"))
    alone = make_log(None, {"exception.stacktrace": stack.rstrip()}, body="report failed")
    whole = make_log(
        None, {"exception.type": "KeyError", "exception.message": "total", "exception.stacktrace": stack}, body="{}"
    )
    (draft,) = [draft for record in (alone, whole) for draft in mapper.map(LogView.of(record))[1]]
    assert (draft[2]["type"], draft[2]["message"]) == ("KeyError", "'total'")


def test_a_line_of_source_is_no_message_of_a_logged_exception() -> None:
    """A traceback quotes the line that failed, which may have a colon."""
    stack = STACK.replace("\nValueError: ", "\n    total: int = pay()\nValueError: ")
    assert stack != STACK
    ((_, details),) = mapped(make_log(None, exception(stack)))
    assert details["message"] == "no"


def traced(error: Exception) -> str:
    """Raise an exception, and return its traceback."""
    try:
        raise error
    except type(error) as caught:
        return "".join(traceback.format_exception(type(caught), caught, caught.__traceback__))


def test_an_exception_logged_at_debug_level_is_no_error() -> None:
    """It did not affect a user; with an event name it is a custom event."""
    attributes = {"exception.type": "ValueError"}
    assert not types(make_log(None, attributes, severity=SeverityNumber.DEBUG4))
    assert types(make_log("retry", attributes, severity=SeverityNumber.DEBUG)) == ["retry"]
    assert types(make_log("retry", attributes, severity=None)) == ["js_error_event"]


def test_the_log_record_of_a_failed_request_is_left_to_its_span() -> None:
    """OTel's instrumentations log `http.client.request.exception` within the request's span."""
    attributes = {"exception.type": "ConnectionError"}
    assert not types(make_log("http.client.request.exception", attributes, span=make_span()))
    assert types(make_log("http.client.request.exception", attributes)) == ["js_error_event"]


def test_an_ios_hang_span_is_an_error() -> None:
    """AWS's SDK sets the exception attributes on the span itself."""
    attributes = {"exception.type": "hang", "exception.message": "Hang detected", "exception.stacktrace": "0 main"}
    assert mapped(make_span("device.hang", attributes)) == [
        ("js_error_event", {"version": "1.0.0", "type": "hang", "message": "Hang detected", "stack": "0 main"})
    ]


def test_an_error_span_without_a_message_has_the_description_of_its_status() -> None:
    """Some instrumentations write the message there only."""
    failed = make_span("boom", {"exception.type": "E"}, status=Status(StatusCode.ERROR, "no such order"))
    ((_, details),) = mapped(failed)
    assert (details["type"], details["message"]) == ("E", "no such order")


def test_a_splunk_error_span_is_an_error() -> None:
    """Splunk's agent uses its own attribute names."""
    attributes = {
        "component": "error",
        "error": True,
        "error.object": "TypeError",
        "error.message": "x is undefined",
        "error.stack": "TypeError: x is undefined\n    at f (https://a.example/app.js:1:20)",
    }
    ((kind, details),) = mapped(make_span("onerror", attributes))
    assert (kind, details["type"], details["message"], details["lineno"]) == (
        "js_error_event",
        "TypeError",
        "x is undefined",
        1,
    )


@pytest.mark.parametrize(
    "attributes",
    [
        {"component": "user-interaction", "error.message": "x is undefined"},
        {"error.message": "x is undefined"},
        {"component": "error"},
    ],
)
def test_a_span_without_both_splunk_attributes_is_no_error(attributes: dict[str, str]) -> None:
    """The component must be `error`, and there must be a message or a stack."""
    assert types(make_span("onerror", attributes)) == ["onerror"]


def test_an_error_has_the_time_of_its_exception() -> None:
    """Not the end of the span, which can be much later."""
    span = make_span(events=[exception_event()], duration_millis=5000)
    (error,) = [draft for draft in drafts_of(span) if draft[0] == JS_ERROR_EVENT]
    assert error[1] == START_NS + MILLI_NS


def test_a_message_contains_no_secrets_of_urls() -> None:
    """HTTP libraries include the whole URL in their messages."""
    details = js_error_details(
        RecordedException.of({"exception.message": "Max retries: https://u:p@a.example/x?token=SECRET refused"}), 4000
    )
    assert details["message"] == "Max retries: https://a.example/x refused"
