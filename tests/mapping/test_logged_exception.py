"""Errors in log records that do not use OpenTelemetry's attributes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber

from tests.logs import make_log
from tests.mapping.event_drafts import mapped

PYTHON = (
    'Traceback (most recent call last):\n  File "/srv/app.py", line 40, in pay\n    fail()\nshop.TypeError: no total'
)
SCRIPT = "TypeError: no total\n    at pay (https://shop.example/app.js:40:11)"
FRAMES = [{"filename": "/srv/main.py", "lineno": 7}, {"file": "/srv/app.py", "line": 40, "function": "pay"}]
FORMS: dict[str, tuple[dict[str, Any], Any]] = {
    "Sumo Logic": ({"error.name": "TypeError", "error.message": "no total", "error.stack": SCRIPT}, "Uncaught"),
    "Datadog": ({"error.kind": "TypeError", "error.message": "no total", "error.stack": SCRIPT}, "failed"),
    "Elastic": ({"error.type": "TypeError", "error.message": "no total", "error.stack_trace": SCRIPT}, "failed"),
    "pino": ({"err": {"type": "TypeError", "message": "no total", "stack": SCRIPT}}, "failed"),
    "pino, flat": ({"err.type": "TypeError", "err.message": "no total", "err.stack": SCRIPT}, "failed"),
    "winston": ({"stack": SCRIPT}, "failed"),
    "Log4j": (
        {"thrown.name": "TypeError", "thrown.message": "no total", "thrown.extendedStackTrace": SCRIPT},
        "failed",
    ),
    "Serilog": ({"Exception": SCRIPT}, "failed"),
    "Serilog, compact": ({"@x": SCRIPT}, "failed"),
    "zap": ({"error.type": "TypeError", "error": "no total", "stacktrace": SCRIPT.partition("\n")[2]}, "failed"),
    "Faro": (
        {"kind": "exception"},
        f'kind=exception type=TypeError value="no total" stacktrace={json.dumps(SCRIPT)} app_name=shop',
    ),
    "structlog, as keywords": ({"exception": PYTHON, "code.file.path": "/venv/structlog/_base.py"}, "failed"),
    "structlog, as a map": ({}, {"event": "failed", "exception": PYTHON}),
    "structlog, as JSON": ({}, json.dumps({"event": "failed", "exception": PYTHON})),
    "structlog, for a console": ({}, f"failed    order=4\n{PYTHON}"),
    "structlog, as dicts": (
        {},
        json.dumps(
            {
                "event": "failed",
                "exception": [
                    {
                        "exc_type": "TypeError",
                        "exc_value": "no total",
                        "frames": [
                            {"filename": "/srv/main.py", "lineno": 7, "name": "main"},
                            {"filename": "/srv/app.py", "lineno": 40, "name": "pay"},
                        ],
                    }
                ],
            }
        ),
    ),
    "Lambda, as JSON": (
        {},
        json.dumps({"errorType": "TypeError", "errorMessage": "no total", "stackTrace": SCRIPT.split("\n")}),
    ),
    "Lambda, as text": (
        {},
        "2026-11-29T00:00:00Z\tERROR\tInvoke Error\t"
        + json.dumps({"errorType": "TypeError", "errorMessage": "no total", "stack": SCRIPT.split("\n")}),
    ),
    "Lambda's Powertools": (
        {},
        json.dumps({"message": "failed", "stack_trace": {"type": "TypeError", "value": "no total", "frames": FRAMES}}),
    ),
    "loguru, as JSON": (
        {},
        json.dumps(
            {"text": PYTHON, "record": {"exception": {"type": "TypeError", "value": "no total", "traceback": True}}}
        ),
    ),
    "Monolog": (
        {
            "context": {
                "exception": {
                    "class": "TypeError",
                    "message": "no total",
                    "file": "/srv/app.py:40",
                    "trace": ["/srv/a.py:1"],
                }
            }
        },
        "failed",
    ),
    "Sentry": (
        {},
        json.dumps(
            {"exception": {"values": [{"type": "TypeError", "value": "no total", "stacktrace": {"frames": FRAMES}}]}}
        ),
    ),
    "Log4j, as JSON": (
        {},
        json.dumps(
            {
                "thrown": {"name": "TypeError", "message": "no total", "extendedStackTrace": [FRAMES[1]]},
                "message": "failed",
            }
        ),
    ),
    "a console": ({}, f"failed {SCRIPT}"),
    "uncaught": ({}, f"Uncaught {SCRIPT}"),
    "lines that are escaped": ({}, f"failed {SCRIPT}".replace("\n", "\\n")),
    "a message in JSON": ({}, json.dumps({"severity": "ERROR", "message": f"failed\n{PYTHON}"})),
    "logging's formatter": ({}, f"ERROR:root:failed\n{PYTHON}"),
    "python-json-logger": ({}, json.dumps({"message": "failed", "exc_info": PYTHON})),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_error_without_a_name_is_an_error_with_its_type_and_place(form: str) -> None:
    """Each of these agents and log libraries writes it in its own way."""
    attributes, body = FORMS[form]
    ((kind, details),) = mapped(make_log(None, attributes, body=body, severity=SeverityNumber.ERROR))
    assert kind == "js_error_event"
    assert details["type"].rpartition(".")[2] == "TypeError"
    assert details["message"] == "no total"
    assert details["filename"] in {"/srv/app.py", "https://shop.example/app.js"}
    assert details["lineno"] == 40


GO_FRAMES = [{"func": "pay", "line": "42", "source": "pay.go"}, {"func": "main", "line": "9", "source": "main.go"}]


@pytest.mark.parametrize(
    ("attributes", "body", "expected"),
    [
        ({"error": "no item", "stack": GO_FRAMES}, "failed", ("Error", "no item", "pay.go", 42)),
        ({}, json.dumps({"level": "error", "error": "no item", "message": "failed"}), ("Error", "no item", None, None)),
        ({"err": "no item", "caller": "/srv/pay.go:42"}, "failed", ("Error", "no item", "/srv/pay.go", 42)),
        (
            {"panic.payload": "no item", "panic.location": "src/pay.rs:4:9"},
            "A panic",
            ("Error", "no item", "src/pay.rs", 4),
        ),
        (
            {},
            "panic: no item\n\ngoroutine 1 [running]:\nmain.pay()\n\t/srv/pay.go:42",
            ("panic", "no item", "/srv/pay.go", 42),
        ),
        (
            {},
            "running Shop terminated\n** (KeyError) no item\n    (shop 0.1.0) lib/pay.ex:42: Pay.pay/1",
            ("KeyError", "no item", "lib/pay.ex", 42),
        ),
        ({}, "KeyError (no item):\n  \napp/pay.rb:42:in `pay'", ("KeyError", "no item", "app/pay.rb", 42)),
        ({}, "failed\n/srv/pay.rb:42:in 'pay': no item (KeyError)", ("KeyError", "no item", "/srv/pay.rb", 42)),
        (
            {},
            'app.ERROR: x {"exception":"[object] (RuntimeException(code: 0): no item at /srv/Pay.php:42)\n#0 {main}"}',
            ("RuntimeException", "no item", "/srv/Pay.php", 42),
        ),
        (
            {},
            "fail: Pay[0]\n      x\n      System.Exception: no item\n         at Shop.Pay() in /src/Pay.cs:line 42",
            ("System.Exception", "no item", "/src/Pay.cs", 42),
        ),
    ],
)
def test_an_error_of_other_languages_has_its_type_and_place(
    attributes: dict[str, Any], body: str, expected: tuple[str, str, str | None, int | None]
) -> None:
    """Errors of Go have no type, and its loggers write them as an attribute."""
    ((kind, details),) = mapped(make_log(None, attributes, body=body, severity=SeverityNumber.ERROR))
    assert kind == "js_error_event"
    assert tuple(details.get(name) for name in ("type", "message", "filename", "lineno")) == expected


@pytest.mark.parametrize("before", ["", "failed\n", "failed!\n", "an order\nfailed\n"])
def test_the_stack_in_a_line_begins_with_its_traceback(before: str) -> None:
    """The text that a logger wrote before it is no part of it."""
    ((_, details),) = mapped(make_log(None, {}, body=before + PYTHON, severity=SeverityNumber.ERROR))
    assert details["stack"] == PYTHON


def test_a_quoted_value_that_is_no_json_is_kept() -> None:
    """A strange escape costs no error."""
    body = 'kind=exception type=E value="no \\q total"'
    ((_, details),) = mapped(make_log(None, {"kind": "exception"}, body=body, severity=SeverityNumber.ERROR))
    assert (details["type"], details["message"]) == ("E", "no \\q total")


@pytest.mark.parametrize(
    ("attributes", "body", "severity"),
    [
        ({"error.message": "no total", "error.stack": SCRIPT}, "x", SeverityNumber.WARN),
        ({"error.message": "no total"}, "x", None),
        ({"error.type": "404"}, "x", SeverityNumber.ERROR),
        ({"error": "true"}, "x", SeverityNumber.ERROR),
        ({"err": "E1234"}, "x", SeverityNumber.ERROR),
        ({"error": "no item"}, "x", SeverityNumber.WARN),
        ({}, json.dumps({"level": "info", "error": "no item"}), None),
        ({}, "Usage: pay\n  Note: see /srv/app.py:3", SeverityNumber.ERROR),
        ({}, "order 4 failed\nat 12:34:56\nhttps://shop.example:8080", SeverityNumber.ERROR),
        ({}, "Traceback of the order", SeverityNumber.ERROR),
        ({}, "{not json", SeverityNumber.ERROR),
        ({}, '{"exception": 4}', SeverityNumber.ERROR),
        ({}, '{"exception": "none"}', SeverityNumber.ERROR),
        ({"exception": {}, "stack": "production", "err": [1]}, ["x"], SeverityNumber.ERROR),
    ],
)
def test_other_lines_are_no_errors(attributes: dict[str, Any], body: Any, severity: SeverityNumber | None) -> None:
    """Warnings, lines without an exception, and words that only look like one."""
    assert mapped(make_log(None, attributes, body=body, severity=severity)) == []


def test_a_named_event_with_a_message_of_an_error_stays_an_event() -> None:
    """Only a stack makes it an error."""
    severity = SeverityNumber.ERROR
    (event,) = mapped(make_log("payment.failed", {"error.message": "no"}, severity=severity))
    assert event[0] == "payment.failed"
