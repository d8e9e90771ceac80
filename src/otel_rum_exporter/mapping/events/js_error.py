"""Exceptions on spans and log records: `js_error_event`, RUM's event for errors in any language.

https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeAlias

from ..._attributes import (
    CODE_FILES,
    CODE_LINES,
    ERROR_TYPES,
    EXCEPTION,
    EXCEPTION_MESSAGE,
    EXCEPTION_STACK,
    EXCEPTION_TYPE,
    plain,
)
from ...config import Config
from ...rum.truncation import PYTHON_TRACEBACK, cut, cut_stack
from .. import logged_exception, urls
from ..attribute_values import json_text
from ..fields import VERSION, VERSION_FIELD, Field, Holds
from ..log_view import LogView
from ..record_view import CLIENT, EARLIEST_EPOCH_NS, MAX_EPOCH_NS, PRODUCER, View, epoch_ns, number, text
from ..recorded_exception import RecordedException
from ..redaction import STANDARD, Redactor
from ..secret_texts import scrub_text, without_blocks
from ..span_view import SpanView
from ..stack_trace import application_frame, chain_of
from .exception_kinds import is_answer, is_cancellation, is_usual_error

JS_ERROR_EVENT = "com.amazon.rum.js_error_event"

MAX_STACK_CHARS = 4000
"""AWS's web client keeps 1,000 characters. Python tracebacks are longer, and an event may have 6 KB."""

MAX_MESSAGE_CHARS = 1000

MAX_STACKS = 128
"""Parsed stacks to keep: an application fails repeatedly at the same places."""

ERROR_FIELDS = (
    Field("type", ERROR_TYPES, "else `Error`"),
    Field(
        "message",
        (EXCEPTION_MESSAGE,),
        "else the span's status description; of a log record, the message in its Python traceback, else body or name",
    ),
    Field(
        "filename",
        note="of the stack's innermost frame that is the application's, else of its innermost frame, else "
        + " or ".join(f"`{name}`" for name in CODE_FILES),
    ),
    Field("lineno", note=f"of that frame, else {' or '.join(f'`{name}`' for name in CODE_LINES)}", holds=Holds.NUMBER),
    Field("colno", note="of that frame, if the stack has it", holds=Holds.NUMBER),
    Field("stack", (EXCEPTION_STACK,)),
)
"""Fields of an error, also inside an `http_event`."""

JS_ERROR_FIELDS = (VERSION_FIELD, *ERROR_FIELDS)

SPLUNK_ATTRIBUTES: tuple[tuple[str, str], ...] = (
    (EXCEPTION_TYPE, "error.object"),
    (EXCEPTION_MESSAGE, "error.message"),
    (EXCEPTION_STACK, "error.stack"),
)
"""OpenTelemetry's exception attributes, and those that Splunk's browser agent sets instead."""

EXCEPTION_ATTRIBUTES = frozenset((*EXCEPTION, "component"))
"""A span or log record that is an exception has at least one of these attributes."""

ERROR_NAMES = frozenset({"exception", "app.crash", "device.crash", "device.anr"})
"""Names of log records that are errors; names that end in `.exception` are errors too."""

_CODE_FILES = frozenset(CODE_FILES)

_MAX_DEBUG_SEVERITY = 8
"""SeverityNumber DEBUG4: errors logged for debugging did not affect a user."""


Recorded: TypeAlias = tuple[int, RecordedException]
"""Time in ns since the epoch, and content, of an exception."""


def has_exceptions(view: View) -> bool:
    """Return whether `exceptions` can return anything; cheaper than calling it."""
    return not isinstance(view, SpanView) or bool(view.events) or view.keys.has(EXCEPTION_ATTRIBUTES)


def exceptions(view: View) -> list[Recorded]:
    """Return time (ns since the epoch) and content of each exception on a span or log record that is an error.

    Not those of a call to another service: the span that they reach reports them, and handled ones are no errors. Not
    answers of a framework below 500, and not cancellations.
    """
    if (view.kind is CLIENT or view.kind is PRODUCER) and not view.is_local_root:
        return []
    found = recorded(view)
    for _, exception in found:
        if not is_usual_error(view, exception.type, exception.message):
            return [one for one in found if _is_error(view, one[1])]
    return found


def _is_error(view: View, exception: RecordedException) -> bool:
    """Return whether an exception is neither an answer nor a cancellation, nor a group of these."""
    kind, message = exception.type, exception.message
    if is_answer(view, kind, message) or is_cancellation(kind, message):
        return False
    return not (kind.endswith("ExceptionGroup") and _has_only_expected(view, exception))


def _has_only_expected(view: View, group: RecordedException) -> bool:
    """Return whether a group has only exceptions that are no errors, as task groups of web frameworks raise."""
    members = chain_of(group.stack, group.type.rpartition(".")[2]).members
    return bool(members) and all(
        is_answer(view, one.type, one.message) or is_cancellation(one.type, one.message) for one in members
    )


def recorded(view: View) -> list[Recorded]:
    """Return time and content of each exception that a span or log record carries, error or not."""
    found: list[Recorded] = []
    if isinstance(view, SpanView):
        if view.keys.has(EXCEPTION_ATTRIBUTES) and is_exception(view):
            exception = _as_otel_exception(view) if _is_splunk_error(view) else view.attributes
            message = text(exception, EXCEPTION_MESSAGE) or view.span.status.description or ""
            found.append((view.end_ns, RecordedException.of({**exception, EXCEPTION_MESSAGE: message})))
        for event in view.events:
            if event.name == "exception":
                time_ns = event.timestamp
                if not (time_ns and EARLIEST_EPOCH_NS <= time_ns <= MAX_EPOCH_NS):
                    time_ns = epoch_ns(time_ns) or view.end_ns
                found.append((time_ns, RecordedException.of(plain(event.attributes))))
    elif isinstance(view, LogView) and is_logged_error(view):
        found.append((view.end_ns, _of_log(view)))
    return found


def _of_log(view: LogView) -> RecordedException:
    fallback = view.body if isinstance(view.body, str) else view.name
    if is_exception(view):
        own = RecordedException.of(view.attributes)
        return replace(own, message=json_text(_logged_message(own.message, own.stack, own.own_type) or fallback))
    found = logged_exception.of_log(view) or view.attributes
    message = _logged_message(
        *(text(found, name) or "" for name in (EXCEPTION_MESSAGE, EXCEPTION_STACK, EXCEPTION_TYPE))
    )
    return RecordedException.of({**found, EXCEPTION_MESSAGE: message or fallback})


def _logged_message(message: str, stack: str, kind: str) -> str:
    """Return the message of a logged exception, taken from its traceback.

    OpenTelemetry's `logging` handler records only the exception's first argument as its message: 2 for a missing
    file. Spans record the whole message, and both must become one error.
    """
    written = _written_message(stack, kind)
    # A traceback whose text starts with the message has notes added to it.
    return message if written is None or (message and written.startswith(message)) else written


def _written_message(stack: str, kind: str) -> str | None:
    """Return the text after the exception's type at the end of a Python traceback; None if there is none."""
    if not kind or PYTHON_TRACEBACK not in stack:
        return None
    lines = stack[max(0, stack.rfind('\n  File "')) :].split("\n")
    for index, line in enumerate(lines):
        raised, colon, message = line.partition(": ")
        if colon and raised.rpartition(".")[2] == kind.rpartition(".")[2]:
            return "\n".join((message, *lines[index + 1 :])).rstrip("\n")
    return None


def is_exception(view: View, _: Config | None = None) -> bool:
    """Return whether a span or log record is itself an exception, such as a hang or a logged error."""
    if not view.keys.has(EXCEPTION_ATTRIBUTES):
        return False
    return view.text(*EXCEPTION) is not None or _is_splunk_error(view)


def is_logged_error(view: LogView, _: Config | None = None) -> bool:
    """Return whether a log record reports an exception."""
    if 1 <= view.severity <= _MAX_DEBUG_SEVERITY:
        return False
    is_named = view.name in ERROR_NAMES or view.name.endswith(".exception")
    return is_named or is_exception(view) or logged_exception.of_log(view) is not None


def js_error_details(
    exception: RecordedException, max_stack_chars: int, redactor: Redactor = STANDARD
) -> dict[str, Any]:
    """Return an exception in RUM's form, also for use inside an `http_event`."""
    kind = scrub_text(exception.type or "Error")
    message = redactor.text(EXCEPTION_MESSAGE, exception.message)
    details: dict[str, Any] = {
        "version": VERSION,
        "type": kind if len(kind) <= MAX_MESSAGE_CHARS else cut(kind, MAX_MESSAGE_CHARS),
        "message": message if len(message) <= MAX_MESSAGE_CHARS else cut(message, MAX_MESSAGE_CHARS),
    }
    if not _CODE_FILES.isdisjoint(exception.attributes) and (file_name := text(exception.attributes, *CODE_FILES)):
        details["filename"] = redactor.file("filename", file_name)
        line = number(exception.attributes, *CODE_LINES)
        details |= {} if line is None else {"lineno": line}
    if exception.stack:
        details.update(_stack_fields(exception.stack, max_stack_chars, redactor))
    return details


def _is_splunk_error(view: View) -> bool:
    return view.attributes.get("component") == "error" and view.text("error.message", "error.stack") is not None


def _as_otel_exception(view: View) -> dict[str, Any]:
    return {**view.attributes, **{name: view.text(source) for name, source in SPLUNK_ATTRIBUTES}}


@lru_cache(maxsize=MAX_STACKS)
def _stack_fields(stack: str, max_stack_chars: int, redactor: Redactor) -> dict[str, Any]:
    # Cut first because recursion makes stacks of any length; keep twice the limit because scrubbing shortens them.
    text_of_stack = cut_stack(
        redactor.stack(EXCEPTION_STACK, cut_stack(without_blocks(stack), 2 * max_stack_chars)), max_stack_chars
    )
    return {**_raised_at(stack, redactor), "stack": text_of_stack}


def _raised_at(stack: str, redactor: Redactor) -> dict[str, Any]:
    """Return file, line and column of the frame that shows where an exception was raised."""
    frame = application_frame(stack)
    if frame is None:
        return {}
    file = redactor.file("filename", urls.scrub(frame.file) if "://" in frame.file else frame.file)
    found: dict[str, Any] = {"filename": file, "lineno": frame.line}
    return found if frame.column is None else found | {"colno": frame.column}
