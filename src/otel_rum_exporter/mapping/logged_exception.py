"""Exceptions in log records that do not use OpenTelemetry's attributes, as `exception.*` attributes.

Browser agents, log libraries and formatters have their own names, or write the stack into the text of the line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from .._attributes import EXCEPTION_MESSAGE, EXCEPTION_STACK, EXCEPTION_TYPE
from .._pattern import lazy_pattern
from ..rum.truncation import PYTHON_TRACEBACK
from .log_view import LogView
from .record_view import number, text
from .stack_trace import application_frame, is_python, logged_in, raised_of, with_lines

TYPES = (
    *("error.name", "error.kind", "error.class", "err.type", "err.name", "exc_type", "error.object", "error.type"),
    *("thrown.name", "errorType", "exception_name"),
)
MESSAGES = (
    *("error.message", "error.msg", "err.message", "exc_value", "error.value", "thrown.message", "errorMessage"),
    "panic.payload",
)
AMBIGUOUS_MESSAGES = ("error", "err")
"""Messages if they have words: some programs write codes or truth values there."""

STACKS = (
    *("error.stack", "error.stack_trace", "error.stacktrace", "err.stack", "exc_info", "exc_text", "exception"),
    *("stack_trace", "stacktrace", "stack", "exception.stack", "stackTrace", "trace", "backtrace", "frames", "text"),
    *("Exception", "@x", "thrown.extendedStackTrace", "extendedStackTrace"),
)
"""Names of Datadog's, Elastic's, Sumo Logic's and Splunk's agents, of AWS Lambda, and of log libraries."""

PLACES = ("caller", "file", "source", "panic.location")
"""Names of the place that wrote a log record, as in `cart.go:42`."""

CONTAINERS = ("error", "err", "exception", "thrown", "stack_trace")
"""Maps with the members `name` or `type`, `message` and `stack`."""

WRAPPERS = ("context", "record", "message", "extra")
"""Maps of log libraries that hold such a map."""

_MEMBERS = {
    EXCEPTION_TYPE: ("type", "name", "kind", "exc_type", "class", "errorType"),
    EXCEPTION_MESSAGE: ("message", "msg", "value", "exc_value", "errorMessage"),
}
_FRAME_FILES = ("filename", "file", "source", "abs_path", "path")
_FRAME_LINES = ("lineno", "line", "line_number")
_MAX_FRAMES = 50
_MAX_DEPTH = 3

_ERROR_SEVERITY = 17
_MAX_TEXT_CHARS = 65_536
_LOGFMT_EXCEPTION = "kind=exception"
_LOGFMT = lazy_pattern(r'(\w{1,40})=("(?:[^"\\]|\\.)*"|\S*)')
_LOGFMT_MEMBERS = {**_MEMBERS, EXCEPTION_STACK: ("stack", "stacktrace", "stack_trace", "trace")}
_LEVELS = ("level", "severity", "levelname", "level_name", "log.level", "@l")
_ERROR_LEVELS = frozenset({"error", "err", "fatal", "critical", "panic", "emergency", "alert", "severe"})
_LINES = ("message", "msg", "event", "@m")
_has_word = re.compile(r"[^\W\d_]{2,}.*\W|[^\W\d_]*[Ee]rror|[^\W\d_]*[Ee]xception", re.DOTALL).match
"""A word among others: an error's text, and neither a code nor a truth value."""


def of_log(view: LogView) -> Mapping[str, Any] | None:
    """Return the exception of an error log record as OpenTelemetry's attributes; None if it has none."""
    if view.severity and view.severity < _ERROR_SEVERITY:
        return None
    body, is_error = view.body, bool(view.severity) and not view.name
    found = _of_members(view.attributes, is_error=is_error)
    if found is None and isinstance(body, Mapping):
        found = _of_members(body, is_error=is_error)
    elif found is None and isinstance(body, str) and len(body) <= _MAX_TEXT_CHARS:
        found = _of_text(body, is_error=is_error)
    if found is None:
        return None
    stack = text(found, EXCEPTION_STACK)
    raised = raised_of(stack) if stack else None
    written = {EXCEPTION_TYPE: raised[0], EXCEPTION_MESSAGE: raised[1]} if raised else {}
    return {**view.attributes, **written, **{name: value for name, value in found.items() if value}}


def _of_members(members: Mapping[str, Any], *, is_error: bool, depth: int = 0) -> dict[str, Any] | None:
    """Return the exception in attributes or in the members of a body; it must have a stack unless `is_error`."""
    for name in CONTAINERS:
        inner = _innermost(members.get(name))
        if isinstance(inner, Mapping):
            parts = {key: text(inner, *names) for key, names in _MEMBERS.items()}
            stack = _stack(inner)
            if parts[EXCEPTION_TYPE] and (parts[EXCEPTION_MESSAGE] or stack):
                return {**parts, EXCEPTION_STACK: stack or _stack(members)}
    stack = _stack(members)
    message = text(members, *MESSAGES, *AMBIGUOUS_MESSAGES)
    is_message = message is not None and (not members.keys().isdisjoint(MESSAGES) or _has_word(message))
    if stack is not None or (is_error and is_message):
        found = {EXCEPTION_TYPE: text(members, *TYPES), EXCEPTION_MESSAGE: message, EXCEPTION_STACK: stack}
        return found if stack else {**found, **_place(members)}
    inner_maps = (members.get(name) for name in WRAPPERS if depth < _MAX_DEPTH)
    found_inside = (
        _of_members(one, is_error=is_error, depth=depth + 1) for one in inner_maps if isinstance(one, Mapping)
    )
    return next(filter(None, found_inside), None)


def _innermost(value: object) -> object:
    """Return the map of an exception in a list of a chain, of which the last is the one that was raised."""
    if isinstance(value, Mapping) and isinstance(value.get("values"), (list, tuple)):
        value = value["values"]
    return value[-1] if isinstance(value, (list, tuple)) and value else value


def _stack(members: Mapping[str, Any]) -> str | None:
    """Return the stack among members: a text with frames, or a list of lines or frames."""
    for name in STACKS:
        value = members.get(name)
        frames = value.get("frames") if isinstance(value, Mapping) else value
        written = _written(frames, is_newest_last=frames is not value or name == "frames")
        if written and name == "trace":
            written = f"{text(members, 'file') or ''}\n{written}".lstrip()
        if written and application_frame(written):
            return written
    return None


def _written(value: object, *, is_newest_last: bool) -> str | None:
    """Return a stack as text, the innermost frame first."""
    if isinstance(value, str):
        return with_lines(value)
    if not isinstance(value, (list, tuple)):
        return None
    frames = value[-_MAX_FRAMES:][::-1] if is_newest_last else value[:_MAX_FRAMES]
    return "\n".join(filter(None, (_line(frame) for frame in frames)))


def _line(frame: object) -> str | None:
    if isinstance(frame, str):
        return frame
    if not isinstance(frame, Mapping):
        return None
    place = [text(frame, *_FRAME_FILES), *(number(frame, name) for name in (*_FRAME_LINES, "colno"))]
    numbers = ":".join(str(int(one)) for one in place[1:] if isinstance(one, (int, float)))
    function = text(frame, "function", "func", "name", "method") or "?"
    return f"    at {function} ({place[0]}:{numbers})" if place[0] and numbers else None


def _place(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return file and line of the statement that logged an error without a stack."""
    places = (application_frame(found) for name in PLACES if (found := text(members, name)))
    frame = next(filter(None, places), None)
    return {"code.file.path": frame.file, "code.line.number": frame.line} if frame else {}


def _of_text(body: str, *, is_error: bool) -> dict[str, Any] | None:
    """Return the exception in a line: in its JSON, in Faro's `kind=exception …`, or in the stack within it."""
    start = body.find("{")
    members = _json(body[start:]) if start >= 0 and (is_error or start == 0) else None
    if members is not None:
        is_error = is_error or str(text(members, *_LEVELS)).lower() in _ERROR_LEVELS
        message = text(members, *_LINES) or ""
        found = _of_members(members, is_error=is_error) or _of_text(message, is_error=is_error)
        if found is None or found.get(EXCEPTION_MESSAGE) or raised_of(found.get(EXCEPTION_STACK) or ""):
            return found
        return {**found, EXCEPTION_MESSAGE: message}
    body = with_lines(body)
    if _LOGFMT_EXCEPTION in body:
        pairs = {name: _unquoted(value) for name, value in _LOGFMT.findall(body)}
        return {key: text(pairs, *names) for key, names in _LOGFMT_MEMBERS.items()}
    if is_python(body):
        return {EXCEPTION_STACK: body[body.rfind("\n", 0, body.find(PYTHON_TRACEBACK)) + 1 :]}
    logged = logged_in(body) if is_error and "\n" in body else None
    return dict(zip((EXCEPTION_TYPE, EXCEPTION_MESSAGE, EXCEPTION_STACK), logged, strict=True)) if logged else None


def _json(written: str) -> Mapping[str, Any] | None:
    """Return the members of a JSON object; None if the text is none."""
    try:
        members = orjson.loads(written)
    except orjson.JSONDecodeError:
        return None
    return members if isinstance(members, dict) else None


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(orjson.loads(value))
    except orjson.JSONDecodeError:
        return value.strip('"')
