"""Requests made, as X-Ray segments: `xray_trace_event`, a segment of the application that contains the request.

Structure, names and flags are those of AWS's web client, so that RUM links the request to its trace. The subsegment's
id is the span's, which the called service uses as its parent.
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..._attributes import CALLED_SERVICES, CONTENT_LENGTHS, SERVICE_NAME
from ..._pattern import lazy_pattern
from ...config import Config
from ...rum.event import EventDraft
from ...rum.truncation import PYTHON_TRACEBACK, cut
from .. import urls
from ..fields import VERSION, VERSION_FIELD, Field, Holds
from ..record_view import text
from ..span_view import SpanView
from . import http_event
from .js_error import MAX_MESSAGE_CHARS, exceptions
from .request_url import request_url

XRAY_TRACE_EVENT = "com.amazon.rum.xray_trace_event"
ORIGIN = "AWS::RUM::AppMonitor"

MAX_NAME_CHARS = 200
MAX_TYPE_CHARS = 256
MAX_FRAMES = 10
"""Most frames of a stack, the innermost; more would not fit into an event."""

UNKNOWN_SERVICE = "unknown_service"

_FRAME = (
    Field("class_name"),
    Field("file_name", note="of the frame"),
    Field("line", note="of the frame", holds=Holds.INTEGER),
    Field("method_name", note="of the frame"),
)
_EXCEPTION = (
    Field("id"),
    Field("type", note="as in `js_error_event`"),
    Field("message", note="as in `js_error_event`"),
    Field("remote", holds=Holds.BOOLEAN),
    Field("truncated", holds=Holds.INTEGER),
    Field("cause"),
    Field("stack", note=f"the {MAX_FRAMES} innermost frames, of Python", holds=Holds.OBJECTS, members=_FRAME),
)
_CAUSE = (Field("exceptions", note="one", holds=Holds.OBJECTS, members=_EXCEPTION),)
_HTTP = (
    Field(
        "request",
        note="the request",
        holds=Holds.OBJECT,
        members=(
            Field("method", note="as in `http_event`"),
            Field("url", note="as in `http_event`"),
            Field("client_ip"),
            Field("x_forwarded_for", holds=Holds.BOOLEAN),
            Field("traced", note="true", holds=Holds.BOOLEAN),
        ),
    ),
    Field(
        "response",
        note="if there was one",
        holds=Holds.OBJECT,
        members=(
            Field("status", note="as in `http_event`", holds=Holds.NUMBER),
            Field("content_length", CONTENT_LENGTHS, holds=Holds.NUMBER),
        ),
    ),
)
_FLAGS = (
    Field("error", note="true for 4xx except 429", holds=Holds.BOOLEAN),
    Field("throttle", note="true for 429", holds=Holds.BOOLEAN),
    Field("fault", note="true for 5xx, and if there was no response", holds=Holds.BOOLEAN),
)
_TIMES = (
    Field("start_time", note="of the span, in seconds since the epoch", holds=Holds.NUMBER, is_required=True),
    Field("end_time", note="of the span, in seconds since the epoch", holds=Holds.NUMBER),
    Field("in_progress", note="false", holds=Holds.BOOLEAN),
)
_OPEN = (
    Field("annotations", holds=Holds.OBJECT),
    Field("metadata", holds=Holds.OBJECT),
)
_SUBSEGMENT = (
    Field("id", note="the span", is_required=True),
    Field("name", CALLED_SERVICES, "else the host of the URL", is_required=True),
    *_TIMES,
    *_FLAGS,
    Field("namespace", note="`aws` for hosts of AWS, else `remote`"),
    Field("http", note="the request", holds=Holds.OBJECT, members=_HTTP),
    Field("cause", note="if there was no response", holds=Holds.OBJECT, members=_CAUSE),
    *(Field(name) for name in ("origin", "trace_id", "parent_id", "type")),
    Field("subsegments", holds=Holds.OBJECTS),
    *_OPEN,
)
XRAY_FIELDS = (
    VERSION_FIELD._replace(is_required=False),
    Field("name", (SERVICE_NAME,), "of the resource", is_required=True),
    Field("origin", note=f"`{ORIGIN}`"),
    Field("id", note="derived from the span's", is_required=True),
    Field("trace_id", note="the trace, in X-Ray's form", is_required=True),
    *_TIMES,
    *_FLAGS,
    Field("subsegments", note="one, the request", holds=Holds.OBJECTS, members=_SUBSEGMENT),
    *(Field(name) for name in ("user", "parent_id")),
    Field("http", holds=Holds.OBJECT, members=_HTTP),
    Field("cause", holds=Holds.OBJECT, members=_CAUSE),
    *_OPEN,
)

_SEGMENT_MASK = 0x5EED_5E67_0000_0001
"""Converts a span id to a segment id that differs from it and is unique within a trace."""

_NOT_OF_NAMES = lazy_pattern(r"[^\w .:/%&#=+\-@]")
_PYTHON_FRAME = lazy_pattern(r'^ *File "([^"\n]+)", line (\d{1,9}), in ([^\n]+)', re.MULTILINE)


def trace_events(view: SpanView, config: Config) -> Iterator[EventDraft]:
    """Yield the X-Ray event of a request made, if the settings ask for it."""
    if not config.xray_events:
        return
    flags = _flags(http_event.status(view))
    times = {"start_time": view.start_ns / 1e9, "end_time": view.end_ns / 1e9, "in_progress": False}
    service = text(view.resource.attributes, SERVICE_NAME)
    details = {
        "version": VERSION,
        "name": segment_name(service),
        "origin": ORIGIN,
        "id": segment_id(view.span_id),
        "trace_id": http_event.xray_trace_id(view.trace_id),
        **times,
        **flags,
        "subsegments": [{"id": view.span_id, **_request(view, config), **times, **flags}],
    }
    yield (XRAY_TRACE_EVENT, view.end_ns, details)


def segment_id(span_id: str) -> str:
    """Return the id of the segment that contains a span; the same for the same span."""
    return f"{int(span_id, 16) ^ _SEGMENT_MASK:016x}"


def segment_name(name: str | None) -> str:
    """Return a name with only the characters that X-Ray accepts."""
    return _NOT_OF_NAMES.sub("_", name or "")[:MAX_NAME_CHARS].strip() or UNKNOWN_SERVICE


def frames(stack: str) -> list[dict[str, Any]]:
    """Return the innermost frames of a Python traceback, the innermost first; none for other stacks."""
    last = stack[stack.rfind(PYTHON_TRACEBACK) :] if PYTHON_TRACEBACK in stack else ""
    found = _PYTHON_FRAME.findall(last)[-MAX_FRAMES:]
    return [{"file_name": file, "line": int(line), "method_name": method} for file, line, method in reversed(found)]


def _flags(code: int | None) -> dict[str, bool]:
    if code is None or code >= 500:
        return {"fault": True}
    if code == 429:
        return {"throttle": True}
    return {"error": True} if code >= 400 else {}


def _request(view: SpanView, config: Config) -> dict[str, Any]:
    target = request_url(view)
    server = view.text(*CALLED_SERVICES)
    host = urls.split_host(server)[0] if server else urls.hostname(target) if target else None
    request: dict[str, Any] = {"method": http_event.method(view), "traced": True}
    if target:
        request["url"] = view.redactor.url("request.url", target, config.url_query_parameters)
    found: dict[str, Any] = {
        "name": segment_name(host),
        "namespace": "aws" if host and host.endswith(".amazonaws.com") else "remote",
        "http": {"request": request},
    }
    code = http_event.status(view)
    if code is None:
        found["cause"] = {"exceptions": [_cause(view)]}
    else:
        length = view.number(*CONTENT_LENGTHS)
        found["http"]["response"] = {"status": code} | ({} if length is None else {"content_length": length})
    return found


def _cause(view: SpanView) -> dict[str, Any]:
    """Return the cause of a request without a response."""
    error = http_event.failure(view)
    cause: dict[str, Any] = {"type": cut(error["type"], MAX_TYPE_CHARS)}
    if error.get("message"):
        cause["message"] = cut(error["message"], MAX_MESSAGE_CHARS)
    stack = next((frames(exception.stack) for _, exception in exceptions(view)), [])
    if stack:
        cause["stack"] = stack
    return cause
