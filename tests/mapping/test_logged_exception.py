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
