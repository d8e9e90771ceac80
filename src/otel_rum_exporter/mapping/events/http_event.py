"""HTTP requests, made and served: `http_event`, and the resource event of a request made.

As in AWS's web client, a response of any status is a `response`, and `error` is for requests without a response.
A request failed if its status is 400 or above or it had no answer. The error of a cancelled
request has a cancellation as its type, such as `AbortError`.
`http_event` has no duration; the resource event has it. Stable semantic conventions are read first, then old ones:
https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from opentelemetry.trace import StatusCode

from ..._attributes import METHODS, STATUSES, URLS
from ..._pattern import lazy_pattern
from ...config import Config
from ...rum.event import EventDraft
from ...rum.truncation import cut
from .. import urls
from ..attribute_keys import AttributeKeys
from ..attribute_values import MAX_SAFE_INTEGER, json_text
from ..fields import VERSION, VERSION_FIELD, Field, Holds
from ..log_view import LogView
from ..record_view import SERVER, View, texts
from ..secret_texts import scrub_text
from ..span_view import SpanView
from . import performance_resource
from .exception_kinds import is_cancelled_message
from .js_error import ERROR_FIELDS, MAX_MESSAGE_CHARS, js_error_details, recorded
from .request_url import request_url

STATUS_TEXT = "http.status_text"
"""The response's status text, or the message of a browser's error if there was no response."""

HTTP_EVENT = "com.amazon.rum.http_event"

MAX_ERROR_STACK_CHARS = 1000

FIRST_FAILED_STATUS = 400

_TYPE_BEFORE_MESSAGE = lazy_pattern(r"[A-Za-z_][\w.]{0,200}(?=: )")
"""The exception's type at the start of a status description that the SDK sets for an unhandled exception."""

ENDED_BY = {"abort": "AbortError", "timeout": "TimeoutError"}
"""By the name of the event that ended an `XMLHttpRequest` without a response, browsers' type of such an error."""

ABORTED = "AbortError"
"""Browsers' type of an aborted request, for instrumentations that report only its message."""

_OWN_PATH = lazy_pattern(r"/appmonitors/[0-9a-fA-F-]{36}/?")

_SERVICE, _OPERATION = "rpc.service", "rpc.method"
OWN_TRAFFIC = frozenset((_SERVICE, _OPERATION, *URLS))
"""Attributes that identify a request to RUM itself."""

HTTP_FIELDS = (
    VERSION_FIELD,
    Field("trace_id", note="the trace, in X-Ray's form", chars=35),
    Field("segment_id", note="the span", chars=16),
    Field(
        "request",
        note="the request",
        holds=Holds.OBJECT,
        is_required=True,
        members=(
            Field("method", METHODS, "if that is `_OTHER`, `http.request.method_original`", is_required=True),
            Field("url", URLS, "else composed of scheme, host, port and path"),
        ),
    ),
    Field(
        "response",
        note="if there was one",
        holds=Holds.OBJECT,
        members=(
            Field("status", STATUSES, holds=Holds.NUMBER, is_required=True),
            Field("statusText", (STATUS_TEXT,), "else the standard phrase of the status"),
        ),
    ),
    Field(
        "error",
        note="if there was no response: the span's exception, else its status, else `http.status_text`",
        holds=Holds.OBJECT,
        members=(Field("version", note=f"`{VERSION}`"), *ERROR_FIELDS),
    ),
)


def are_requests(keys: AttributeKeys, _: Config) -> Callable[[View], object]:
    """Return a test whether a span is an HTTP request: it has a method."""
    return texts(keys, METHODS)


def are_own_traffic(keys: AttributeKeys, _: Config) -> Callable[[View], bool]:
    """Return a test whether a CLIENT span is a request to RUM itself, from any code in the process."""
    name = keys.only((*OWN_TRAFFIC,))
    if name not in URLS:
        return is_own_traffic

    def is_own(view: View) -> bool:
        target = view.attributes.get(name)
        # The conditions of `_may_be_rum`: a call takes longer than both.
        return (
            isinstance(target, str)
            and ("/appmonitors/" in target or "dataplane.rum" in target)
            and is_own_traffic(view)
        )

    return is_own


def _may_be_rum(target: str) -> bool:
    return "/appmonitors/" in target or "dataplane.rum" in target


def is_own_traffic(view: View) -> bool:
    """Return whether a CLIENT span is a request to RUM itself, from any code in the process."""
    if view.attributes.get(_SERVICE) == "RUM" or view.attributes.get(_OPERATION) == "PutRumEvents":
        return True
    target = view.text(*URLS)
    if target is None or not _may_be_rum(target):
        return False
    host = urls.hostname(target) or ""
    return host.startswith("dataplane.rum") or bool(_OWN_PATH.fullmatch(urls.path(target)))


def is_within_span(view: LogView, _: Config) -> bool:
    """Return whether a log record belongs to a span; the span reports the failed request with more detail."""
    return bool(view.span_id)


def requests_made(keys: AttributeKeys, config: Config) -> Callable[[SpanView], list[EventDraft]]:
    """Return a function that returns the resource event of a request made, and its `http_event` if it is wanted."""
    resource_of = performance_resource.requests(keys, config)
    status_name = keys.only(STATUSES)
    are_all, are_failed = config.http_events == "all", config.http_events == "failed"

    def events(view: SpanView) -> list[EventDraft]:
        made = [resource_of(view)]
        code: Any = view.attributes.get(status_name)  # type: ignore[arg-type] # None is the name of no attribute
        is_usual = type(code) is int and 0 < code <= MAX_SAFE_INTEGER
        if are_all or (are_failed and (code >= FIRST_FAILED_STATUS if is_usual else has_failed(view))):
            made.append(_http_event(view, config))
        return made

    return events


def server_events(view: SpanView, config: Config) -> Iterator[EventDraft]:
    """Yield the `http_event` of a request served if the settings ask for it."""
    if config.http_events == "all" or (has_failed(view) and config.http_events == "failed"):
        yield _http_event(view, config)


def has_failed(view: SpanView) -> bool:
    """Return whether a request failed: its status is 400 or above, or it had no answer.

    A request served without a status code succeeded unless the span's status is an error: some servers set only codes
    that are not 200.
    """
    code = view.status()
    if code and code > 0:
        return code >= FIRST_FAILED_STATUS
    outcome = view.span.status.status_code
    return outcome is StatusCode.ERROR if view.kind is SERVER else outcome is not StatusCode.OK


def method(view: SpanView) -> str | None:
    """Return the request's method; None if the span is no HTTP request."""
    name = view.text(*METHODS)
    return (view.text("http.request.method_original") or name) if name == "_OTHER" else name


def status(view: SpanView) -> int | None:
    """Return the response's status; None if there was no response."""
    code = view.status()
    return code if code and code > 0 else None


def _http_event(view: SpanView, config: Config) -> EventDraft:
    request, target = {"method": method(view)}, request_url(view)
    if target:
        request["url"] = view.redactor.url("request.url", target, config.url_query_parameters)
    details: dict[str, Any] = {
        "version": VERSION,
        "request": request,
        "trace_id": xray_trace_id(view.trace_id),
        "segment_id": view.span_id,
    }
    code = status(view)
    if code is None:
        details["error"] = failure(view)
    else:
        details["response"] = {"status": code, "statusText": _status_text(view, code)}
    return (HTTP_EVENT, view.end_ns, details)


def failure(view: SpanView) -> dict[str, Any]:
    """Return the error of a request without a response, in RUM's form."""
    for _, exception in recorded(view):
        return js_error_details(exception, MAX_ERROR_STACK_CHARS, view.redactor)
    kind = view.text("error.type")
    description = json_text(view.span.status.description or "") or view.text(STATUS_TEXT) or ""
    if kind is None or kind.isdigit():
        named = _TYPE_BEFORE_MESSAGE.match(description)
        ended = next((ENDED_BY[event.name] for event in view.events if event.name in ENDED_BY), None)
        kind = named[0] if named else ABORTED if is_cancelled_message(description) else ended or "Error"
    details = {"version": VERSION, "type": cut(scrub_text(kind), MAX_MESSAGE_CHARS)}
    return details | (
        {"message": cut(view.redactor.text("status.description", description), MAX_MESSAGE_CHARS)}
        if description
        else {}
    )


def _status_text(view: SpanView, code: int) -> str:
    given = view.text(STATUS_TEXT)
    if given:
        return view.redactor.text("http.status_text", given)
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""


def xray_trace_id(trace_id: str) -> str:
    """Return a trace id in X-Ray's form; the schema of `http_event` accepts no other."""
    return f"1-{trace_id[:8]}-{trace_id[8:]}"
