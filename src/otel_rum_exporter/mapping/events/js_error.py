"""Exceptions, on spans and as log records: `js_error_event`, RUM's event of any error, whatever its language.

https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from opentelemetry.trace import SpanKind

from ..._attributes import plain
from ...rum.event import EventDraft
from ...rum.truncation import PYTHON_TRACEBACK, cut, cut_stack
from .. import urls
from ..fields import VERSION, VERSION_FIELD, Field, Holds
from ..log_view import LogView
from ..record_view import View, number, text
from ..redaction import scrub_text
from ..span_view import SpanView

JS_ERROR_EVENT = "com.amazon.rum.js_error_event"

MAX_STACK_CHARS = 4000
"""AWS's web client keeps 1,000; Python's tracebacks are longer, and an event has 6 KB."""

MAX_MESSAGE_CHARS = 1000

MAX_STACKS = 128
"""Stacks remembered with what they tell: an application fails again and again at the same places."""

TYPES = ("exception.type", "error.type")
FILES = ("code.file.path", "code.filepath")
LINES = ("code.line.number", "code.lineno")
"""Attributes that tell RUM's `type`, `filename` and `lineno`; a stack tells the last two better."""

ERROR_FIELDS = (
    Field("type", TYPES, "or `Error`"),
    Field(
        "message",
        ("exception.message",),
        "or the description of the span's status; of a log as its Python traceback has it, or its body or name",
    ),
    Field("filename", note=f"of the stack's innermost frame, or {' or '.join(f'`{name}`' for name in FILES)}"),
    Field("lineno", note=f"of that frame, or {' or '.join(f'`{name}`' for name in LINES)}", holds=Holds.NUMBER),
    Field("colno", note="of that frame, of a script", holds=Holds.NUMBER),
    Field("stack", ("exception.stacktrace",)),
)
"""Of an error, also of one inside an `http_event`."""

JS_ERROR_FIELDS = (VERSION_FIELD, *ERROR_FIELDS)

SPLUNK_TOLD_BY: tuple[tuple[str, str], ...] = (
    ("exception.type", "error.object"),
    ("exception.message", "error.message"),
    ("exception.stacktrace", "error.stack"),
)
"""Attributes of exceptions, and those that Splunk's agent for browsers puts on a span instead."""

EXCEPTION = ("exception.type", "exception.message", "exception.stacktrace")
TELLING = frozenset((*EXCEPTION, "component"))
"""Attributes of which a span or log record that is an exception has one."""

_PYTHON_FRAME = re.compile(r'^ *File "([^"\n]+)", line (\d{1,9})', re.MULTILINE)
_SCRIPT_FRAME = re.compile(r"((?:https?|file)://[^\s()]{1,500}?):(\d{1,9}):(\d{1,9})")

ERROR_NAMES = frozenset({"exception", "app.crash", "device.crash", "device.anr"})
"""Names of log records that are errors, whatever attributes they have; so are all that end in `.exception`."""

HTTP_ANSWERS = frozenset(
    {"BadRequest", "Forbidden", "HTTPException", "Http404", "NotFound", "PermissionDenied", "RequestValidationError"}
)
"""Exceptions by which Django, Flask and FastAPI answer a request with 4xx."""

_MAX_DEBUG_SEVERITY = 8
"""SeverityNumber DEBUG4: errors logged for debugging are none that a user met."""


def has_exceptions(view: View) -> bool:
    """Say at a glance whether `exceptions` may yield any."""
    return not isinstance(view, SpanView) or bool(view.events) or view.shape.has(TELLING)


def exceptions(view: View) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield time (ns) and attributes of each exception that a span recorded, or that a span or log record is."""
    if isinstance(view, LogView):
        if is_logged_error(view):
            told = view.body if isinstance(view.body, str) else view.name
            yield view.end_ns, {**view.attributes, "exception.message": _logged_message(view.attributes) or told}
    elif isinstance(view, SpanView):
        if is_exception(view):
            exception = _in_otels_words(view) if _is_splunk_error(view) else view.attributes
            message = text(exception, "exception.message") or view.span.status.description or ""
            yield view.end_ns, {**exception, "exception.message": message}
        for event in view.events:
            if event.name == "exception":
                exception = plain(event.attributes)
                if not _is_answer(view, exception):
                    yield event.timestamp or view.end_ns, exception


def _logged_message(exception: Mapping[str, Any]) -> str | None:
    """Return the message of a logged exception as its traceback has it.

    OpenTelemetry's handler for `logging` takes the exception's first argument for its message: 2, where a file is
    missing. Spans record the whole, and both are to be one error.
    """
    message = text(exception, "exception.message")
    written = _written_message(text(exception, "exception.stacktrace") or "", text(exception, "exception.type") or "")
    # What begins alike is the message with the notes added to it.
    return message if written is None or (message and written.startswith(message)) else written


def _written_message(stack: str, kind: str) -> str | None:
    """Return what a Python traceback says behind the exception's type, at its end; None where it does not."""
    if not kind or PYTHON_TRACEBACK not in stack:
        return None
    lines = stack[max(0, stack.rfind('\n  File "')) :].split("\n")
    for index, line in enumerate(lines):
        raised, colon, message = line.partition(": ")
        if colon and raised.rpartition(".")[2] == kind.rpartition(".")[2]:
            return "\n".join((message, *lines[index + 1 :])).rstrip("\n")
    return None


def is_exception(view: View) -> bool:
    """Say whether a span or log record is itself an exception, as a hang or a logged error is."""
    if not view.shape.has(TELLING):
        return False
    return view.text(*EXCEPTION) is not None or _is_splunk_error(view)


def is_logged_error(view: LogView) -> bool:
    """Say whether a log record is an exception, or the event of one."""
    is_error = is_exception(view) or view.name in ERROR_NAMES or view.name.endswith(".exception")
    return is_error and not 1 <= view.severity <= _MAX_DEBUG_SEVERITY


def js_error(timestamp_ns: int, exception: Mapping[str, Any]) -> EventDraft:
    """Return the error event of an exception."""
    return EventDraft(JS_ERROR_EVENT, timestamp_ns, js_error_details(exception, MAX_STACK_CHARS))


def js_error_details(exception: Mapping[str, Any], max_stack_chars: int) -> dict[str, Any]:
    """Return an exception as RUM describes one, also inside an `http_event`."""
    details: dict[str, Any] = {
        "version": VERSION,
        "type": cut(scrub_text(text(exception, *TYPES) or "Error"), MAX_MESSAGE_CHARS),
        "message": cut(scrub_text(text(exception, "exception.message") or ""), MAX_MESSAGE_CHARS),
    }
    stack = text(exception, "exception.stacktrace")
    file_name = text(exception, *FILES)
    if file_name:
        details["filename"] = file_name
        line = number(exception, *LINES)
        details |= {} if line is None else {"lineno": line}
    if stack:
        details.update(_told_by_stack(stack, max_stack_chars))
    return details


class Fingerprint(NamedTuple):
    """What two records of one exception share; `raised_at` is empty where no stack was recorded."""

    trace_id: str
    type: str
    message: str
    raised_at: str | None


def fingerprint(trace_id: str, exception: Mapping[str, Any]) -> Fingerprint | None:
    """Return what two records of one exception share; None where no trace tells that two are one.

    Python records an exception on every span that it leaves; each traceback is longer at its beginning, and all end
    with the frame that raised. Logging names the type without its module.
    """
    if not trace_id:
        return None
    stack = text(exception, "exception.stacktrace") or ""
    kind, message = text(exception, "exception.type") or "", text(exception, "exception.message") or ""
    innermost = stack[max(0, stack.rfind('\n  File "')) :] if PYTHON_TRACEBACK in stack else stack
    raised_at = innermost.strip()[:MAX_MESSAGE_CHARS]
    return Fingerprint(trace_id, kind.rpartition(".")[2][:MAX_MESSAGE_CHARS], message[:MAX_MESSAGE_CHARS], raised_at)


def _is_answer(view: SpanView, exception: Mapping[str, Any]) -> bool:
    """Say whether an exception is how a framework says 4xx: nothing failed, and the status tells it."""
    status = view.integer("http.response.status_code", "http.status_code") or 0
    kind = text(exception, "exception.type") or ""
    return view.kind is SpanKind.SERVER and 400 <= status < 500 and kind.rpartition(".")[2] in HTTP_ANSWERS


def _is_splunk_error(view: View) -> bool:
    return view.attributes.get("component") == "error" and view.text("error.message", "error.stack") is not None


def _in_otels_words(view: View) -> dict[str, Any]:
    return {**view.attributes, **{name: view.text(splunks) for name, splunks in SPLUNK_TOLD_BY}}


@lru_cache(maxsize=MAX_STACKS)
def _told_by_stack(stack: str, max_stack_chars: int) -> dict[str, Any]:
    # Cut first, since recursion makes stacks of any length; twice as long, since scrubbing makes them shorter.
    told = cut_stack(scrub_text(cut_stack(stack, 2 * max_stack_chars)), max_stack_chars)
    return {**_raised_at(stack), "stack": told}


def _raised_at(stack: str) -> dict[str, Any]:
    """Return file and line of the innermost frame: the last of a Python traceback, the first of a script's."""
    if PYTHON_TRACEBACK in stack:
        # A stack is long, and its last frame mostly just where it seems to be.
        last = _PYTHON_FRAME.match(stack, stack.rfind("\n", 0, max(0, stack.rfind('File "'))) + 1)
        found = last or next(reversed(list(_PYTHON_FRAME.finditer(stack))), None)
        return {"filename": found[1], "lineno": int(found[2])} if found else {}
    frame = _SCRIPT_FRAME.search(stack, 0, MAX_STACK_CHARS)
    if frame is None:
        return {}
    return {"filename": urls.scrub(frame[1]), "lineno": int(frame[2]), "colno": int(frame[3])}
