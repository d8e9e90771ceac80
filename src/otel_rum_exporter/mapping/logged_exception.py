"""Exceptions in log records that do not use OpenTelemetry's attributes, as `exception.*` attributes.

Browser agents, log libraries and formatters have their own names, or write the stack into the text of the line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from .._attributes import ERROR_TYPES, EXCEPTION_MESSAGE, EXCEPTION_STACK, EXCEPTION_TYPE
from ..rum.truncation import PYTHON_TRACEBACK
from .log_view import LogView
from .record_view import text
from .stack_trace import application_frame, is_python, raised_of

TYPES = (
    *("error.name", "error.kind", "error.class", "err.type", "err.name", "exc_type", "error.object", "error.type"),
    "thrown.name",
)
MESSAGES = ("error.message", "error.msg", "err.message", "exc_value", "error.value", "thrown.message")
STACKS = (
    *("error.stack", "error.stack_trace", "error.stacktrace", "err.stack", "exc_info", "exc_text", "exception"),
    *("stack_trace", "stacktrace", "stack", "exception.stack"),
    *("Exception", "@x", "thrown.extendedStackTrace"),
)
"""Names of Datadog's, Elastic's, Sumo Logic's and Splunk's agents, and of log libraries such as pino and Log4j."""

CONTAINERS = ("error", "err", "exception")
"""Maps with the members `name` or `type`, `message` and `stack`."""

_MEMBERS = {
    EXCEPTION_TYPE: ("type", "name", "kind", "exc_type", "class"),
    EXCEPTION_MESSAGE: ("message", "msg", "value", "exc_value"),
    EXCEPTION_STACK: ("stack", "stacktrace", "stack_trace", "trace"),
}

_ERROR_SEVERITY = 17
_MAX_TEXT_CHARS = 65_536
_LOGFMT_EXCEPTION = "kind=exception"
_LOGFMT = re.compile(r'(\w{1,40})=("(?:[^"\\]|\\.)*"|\S*)')


def of_log(view: LogView) -> Mapping[str, Any] | None:
    """Return the exception of an error log record as OpenTelemetry's attributes; None if it has none."""
    if view.severity and view.severity < _ERROR_SEVERITY:
        return None
    body, is_error = view.body, bool(view.severity) and not view.name
    found = _of_members(view.attributes, is_error=is_error)
    if found is None and isinstance(body, Mapping):
        found = _of_members(body, is_error=is_error)
    elif found is None and isinstance(body, str) and len(body) <= _MAX_TEXT_CHARS:
        found = _of_text(body)
    if found is None:
        return None
    stack = text(found, EXCEPTION_STACK)
    raised = raised_of(stack) if stack else None
    written = {EXCEPTION_TYPE: raised[0], EXCEPTION_MESSAGE: raised[1]} if raised else {}
    return {**view.attributes, **written, **{name: value for name, value in found.items() if value}}


def completed(exception: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an exception with the type and the message at the end of its stack, if it has no type."""
    stack = None if text(exception, *ERROR_TYPES) else text(exception, EXCEPTION_STACK)
    raised = raised_of(stack) if stack else None
    return {**exception, EXCEPTION_TYPE: raised[0], EXCEPTION_MESSAGE: raised[1]} if raised else exception


def _of_members(members: Mapping[str, Any], *, is_error: bool) -> dict[str, Any] | None:
    """Return the exception in attributes or in the members of a body; it must have a stack unless `is_error`."""
    for name in CONTAINERS:
        inner = members.get(name)
        inner = inner[-1] if isinstance(inner, (list, tuple)) and inner else inner
        if isinstance(inner, Mapping):
            parts = {key: text(inner, *names) for key, names in _MEMBERS.items()}
            if parts[EXCEPTION_TYPE] and (parts[EXCEPTION_MESSAGE] or parts[EXCEPTION_STACK]):
                return {**parts, **_place(inner)}
    stack = next((found for name in STACKS if (found := text(members, name)) and application_frame(found)), None)
    message = text(members, *MESSAGES)
    if stack is None and (message is None or not is_error):
        return None
    message = message or text(members, "error", "err")  # as zap of Go writes it beside the stack
    return {EXCEPTION_TYPE: text(members, *TYPES), EXCEPTION_MESSAGE: message, EXCEPTION_STACK: stack}


def _place(exception: Mapping[str, Any]) -> dict[str, Any]:
    """Return file and line of structlog's list of frames."""
    frames = exception.get("frames")
    last = frames[-1] if isinstance(frames, (list, tuple)) and frames else None
    if not isinstance(last, Mapping):
        return {}
    return {"code.file.path": last.get("filename"), "code.line.number": last.get("lineno")}


def _of_text(body: str) -> dict[str, Any] | None:
    """Return the exception in a line: in its JSON, in Faro's `kind=exception …`, or a Python traceback."""
    if body.startswith("{") and any(f'"{name}"' in body for name in (*CONTAINERS, *STACKS)):
        try:
            members = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        return _of_members(members, is_error=True)
    if _LOGFMT_EXCEPTION in body:
        pairs = {name: _unquoted(value) for name, value in _LOGFMT.findall(body)}
        return {key: text(pairs, *names) for key, names in _MEMBERS.items()}
    if not is_python(body):
        return None
    return {EXCEPTION_STACK: body[body.rfind("\n", 0, body.find(PYTHON_TRACEBACK)) + 1 :]}


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(orjson.loads(value))
    except orjson.JSONDecodeError:
        return value.strip('"')
