"""One exception becomes one error, however many spans and log records carry it."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan

from otel_rum_exporter.mapping.events.js_error import JS_ERROR_EVENT
from otel_rum_exporter.mapping.mapper import Mapper
from tests.logs import make_log
from tests.mapping.event_drafts import view_of
from tests.spans import MILLI_NS, START_NS, exception_event, make_config, make_span


def errors(*records: ReadableSpan | ReadableLogRecord) -> list[str]:
    """Map records in their order to the types of their errors."""
    mapper = Mapper(make_config())
    drafts = [draft for record in records for draft in mapper.map(view_of(record))[1]]
    return [str(draft[2]["type"]) for draft in drafts if draft[0] == JS_ERROR_EVENT]


def levels(*functions: Callable[[Exception | None], None]) -> list[dict[str, Any]]:
    """Raise through nested functions, the innermost first, and return what each level would record."""
    recorded: list[dict[str, Any]] = []

    def call(depth: int) -> None:
        try:
            if depth:
                call(depth - 1)
            else:
                functions[0](None)
        except Exception as error:
            if depth:
                try:
                    functions[depth](error)
                except Exception as changed:
                    recorded.append(attributes_of(changed))
                    raise
            recorded.append(attributes_of(error))
            raise

    with contextlib.suppress(Exception):
        call(len(functions) - 1)
    return recorded


def attributes_of(error: Exception) -> dict[str, Any]:
    """Return the attributes that the SDK records."""
    return {
        "exception.type": f"{type(error).__module__}.{type(error).__qualname__}",
        "exception.message": str(error),
        "exception.stacktrace": "".join(traceback.format_exception(error)),
    }


def spans_of(recorded: list[dict[str, Any]]) -> list[ReadableSpan]:
    """Return spans of one trace that record exceptions, the innermost first."""
    root = make_span("root")
    found = []
    for one in recorded:
        kind, message, stack = one.values()
        found.append(make_span("work", parent=root, events=[exception_event(kind, message, stack)]))
    return found


def fail(_: Exception | None) -> None:
    """Raise the first exception."""
    raise ValueError("no stock")


def reraise(error: Exception | None) -> None:
    """Let it pass."""
    assert error is not None
    raise error


def wrap(error: Exception | None) -> None:
    """Raise another exception from it."""
    raise RuntimeError("order failed") from error


def break_handler(_: Exception | None) -> None:
    """Fail in the handler."""
    int("sku")


def test_an_exception_that_is_raised_from_another_is_the_same_error() -> None:
    """The innermost is sent; the others name it as their cause."""
    assert errors(*spans_of(levels(fail, reraise, wrap, reraise))) == ["builtins.ValueError"]


def test_an_exception_in_a_handler_is_another_error() -> None:
    """It is a fault of its own."""
    assert errors(*spans_of(levels(fail, break_handler))) == ["builtins.ValueError", "builtins.ValueError"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes came with Python 3.11")
def test_notes_that_are_added_on_the_way_change_nothing() -> None:
    """They are in the traceback, not in the message."""

    def add_note(error: Exception | None) -> None:
        assert error is not None
        error.add_note("while ordering")  # type: ignore[attr-defined,unused-ignore]
        raise error

    assert errors(*spans_of(levels(fail, add_note, add_note))) == ["builtins.ValueError"]


GROUP = """import traceback
def group(stacks):
    def task(error):
        try:
            raise error
        except Exception as caught:
            stacks.append((caught, "".join(traceback.format_exception(caught))))
            return caught
    def inner():
        raise ExceptionGroup("two", [task(ValueError("a")), task(KeyError("b"))])
    def outer():
        try:
            inner()
        except ExceptionGroup as caught:
            stacks.append((caught, "".join(traceback.format_exception(caught))))
            raise
    try:
        outer()
    except ExceptionGroup as caught:
        stacks.append((caught, "".join(traceback.format_exception(caught))))
"""


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with Python 3.11")
@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ((2, 3), ["ExceptionGroup"]),
        ((0, 1, 2, 3), ["ValueError", "KeyError"]),
        ((0, 2, 3, 1), ["ValueError", "ExceptionGroup"]),
        ((2, 0, 1, 3), ["ExceptionGroup"]),
    ],
)
def test_a_group_is_one_error_and_none_if_its_members_were_sent(recorded: tuple[int, ...], expected: list[str]) -> None:
    """0 and 1 are the members on spans of their own, 2 and 3 the group on two spans."""
    namespace: dict[str, Any] = {}
    exec(compile(GROUP, "/srv/group.py", "exec"), namespace)
    stacks: list[tuple[Exception, str]] = []
    namespace["group"](stacks)
    made = [(type(error).__name__, str(error), stack) for error, stack in stacks]
    root = make_span("root")
    assert (
        errors(*[make_span("s", parent=root, events=[exception_event(*made[index])]) for index in recorded]) == expected
    )


def logs(*records: dict[str, Any], line: int | None = None, millis: int = 1) -> list[ReadableLogRecord]:
    """Return log records outside a trace, one after the other, each at a line of its own unless `line` is given."""
    return [
        make_log(
            None,
            {"code.file.path": "/app/a.py", "code.line.number": line or index, **one},
            severity=SeverityNumber.ERROR,
            time_ns=START_NS + index * millis * MILLI_NS,
        )
        for index, one in enumerate(records, 1)
    ]


def test_an_exception_that_is_logged_twice_outside_a_span_is_one_error() -> None:
    """By the function that failed, and again where it arrives."""
    inner, outer = levels(fail, reraise)
    assert errors(*logs(inner, outer)) == ["builtins.ValueError"]
    assert errors(*logs(inner, inner)) == ["builtins.ValueError"], "two statements of one handler"
    cause, wrapped = levels(fail, wrap)
    assert errors(*logs(cause, wrapped)) in (["builtins.ValueError"], ["builtins.RuntimeError"])


def test_an_exception_that_occurs_again_outside_a_span_is_another_error() -> None:
    """The same statement logs it again, or it is logged much later, in another session or without a stack."""
    inner, outer = levels(fail, reraise)
    assert len(errors(*logs(inner, inner, inner, line=7))) == 3
    assert len(errors(*logs(inner, outer, millis=60_000))) == 2
    assert len(errors(*logs({**inner, "session.id": "a"}, {**inner, "session.id": "b"}))) == 2
    bare = {"exception.type": "ValueError", "exception.message": "no"}
    assert len(errors(*logs(bare, bare))) == 2


def test_one_exception_on_nested_spans_has_one_place_although_the_outer_stack_is_longer() -> None:
    """Two exceptions with other messages, or in other traces, are two errors."""
    inner, outer = levels(fail, reraise)
    assert len(errors(*spans_of([inner, outer]))) == 1
    assert len(errors(*spans_of([inner, {**outer, "exception.message": "other"}]))) == 2
    assert len(errors(*spans_of([inner]), *spans_of([outer]))) == 2


@pytest.mark.parametrize("is_log_first", [False, True])
def test_an_exception_that_ends_the_program_is_sent_once(*, is_log_first: bool) -> None:
    """It leaves its spans, and is logged outside of them; the exporters may see either first."""
    stack = 'Traceback (most recent call last):\n  File "/app/report.py", line 7, in total\n    x\nKeyError: 1\n'
    attributes = {"exception.type": "KeyError", "exception.message": "1", "exception.stacktrace": stack}
    span = make_span("report", events=[exception_event("KeyError", "1", stack)])
    log = make_log("KeyError", attributes)
    mapper = Mapper(make_config())
    records: list[Any] = [log, span] if is_log_first else [span, log]
    found = [draft[0] for record in records for draft in mapper.map(view_of(record))[1]]
    assert found.count(JS_ERROR_EVENT) == 1
    again = make_span("report", events=[exception_event("KeyError", "1", stack)])
    assert [draft[0] for draft in mapper.map(view_of(again))[1]].count(JS_ERROR_EVENT) == 1, "another request failed"


@pytest.mark.parametrize(
    ("kind", "stack", "logged"),
    [
        (
            "E",
            "E: no\n at Shop.Pay.pay(Pay.php:42)",
            {"exception": {"class": "E", "message": "no", "file": "/srv/Pay.php:42", "trace": ["/srv/index.php:9"]}},
        ),
        ("*errors.errorString", "", {"error": "no way"}),
        (
            "E",
            'Traceback (most recent call last):\n  File "/srv/a.py", line 4, in f\nE: no\n',
            {"exception": {"exc_type": "E", "exc_value": "no", "frames": [{"filename": "/srv/a.py", "lineno": 4}]}},
        ),
    ],
)
def test_an_exception_is_sent_once_in_whatever_form_it_is_logged(kind: str, stack: str, logged: dict[str, Any]) -> None:
    """Loggers write paths with folders, lists of frames, and errors without their type."""
    span = make_span("pay", events=[exception_event(kind, logged.get("error", "no"), stack)])
    record = make_log(None, logged, body="failed", severity=SeverityNumber.ERROR, span=span)
    assert len(errors(span, record)) == len(errors(record, span)) == 1
