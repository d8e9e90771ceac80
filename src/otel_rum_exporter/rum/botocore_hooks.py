"""Handlers of botocore's events: they send a finished body, compress it, and limit the size and time of a response.

A finished body avoids botocore's validation and serialization, which would process each event twice.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, MutableMapping
from datetime import datetime, timezone
from http import HTTPStatus
from typing import Any

from .compression import compress
from .errors import retry_after_seconds
from .response import check_length, check_success
from .whole_response import limit_responses

FINISHED_BODY = "otel_rum_exporter_body"
"""The parameter, and the key in botocore's request context, of a finished body."""

APP_MONITOR_ID = "otel_rum_exporter_app_monitor_id"
"""The key in botocore's request context of the app monitor's id."""

BEFORE_SEND = "before-send.rum.PutRumEvents"
"""botocore's event whose handlers may send a request. The first response counts."""

MIN_COMPRESSED_BYTES = 2048
"""Compression does not help smaller bodies. AWS's web client has the same threshold."""

MAX_RESPONSE_BYTES = 16_384
"""RUM's responses are empty, and its errors have a few hundred bytes."""


def register_hooks(client: Any, *, is_compressed: bool, timeout_seconds: float) -> None:
    """Register the handlers for PutRumEvents with a boto3 client."""
    events = client.meta.events
    events.register("before-parameter-build.rum.PutRumEvents", _move_body_to_context)
    events.register("before-call.rum.PutRumEvents", functools.partial(_set_body, is_compressed=is_compressed))
    events.register(BEFORE_SEND, _limited_send(client, timeout_seconds))


def _move_body_to_context(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    """Remove the finished body from the parameters, before botocore validates and serializes them."""
    context[FINISHED_BODY] = params.pop(FINISHED_BODY, None)
    context[APP_MONITOR_ID] = params["Id"]


def encoded_body(body: bytes, *, is_compressed: bool) -> tuple[bytes, dict[str, str]]:
    """Return a body as it is sent, and its headers.

    botocore's own compression skips operations whose model does not allow it.
    """
    if is_compressed and len(body) >= MIN_COMPRESSED_BYTES:
        return compress(body), {"Content-Encoding": "gzip"}
    return body, {}


def _set_body(params: dict[str, Any], context: dict[str, Any], *, is_compressed: bool, **_: Any) -> None:
    """Set the body before botocore signs the request."""
    body = context[FINISHED_BODY]
    if body is not None:
        params["headers"]["Content-Type"] = "application/json"
    params["body"], headers = encoded_body(params["body"] if body is None else body, is_compressed=is_compressed)
    params["headers"].update(headers)


def _limited_send(client: Any, timeout_seconds: float) -> Callable[..., Any]:
    """Return a handler that sends with botocore's HTTP session, and limits the size and time of the response.

    botocore itself reads a response to its end, however long or slow it is.
    """
    # A session of our own would lack the proxies and certificates of botocore's settings.
    session = client._endpoint.http_session  # noqa: SLF001
    limit_responses(session, timeout_seconds)

    def send(request: Any, **_: Any) -> Any:
        request.stream_output = True
        response = session.send(request)
        if response.status_code < HTTPStatus.OK:
            # The body of a switch of protocols has no end.
            response.raw.close()
            check_success(response.status_code, response.headers, b"")
        content = response.raw.read(MAX_RESPONSE_BYTES)
        response.raw.close()  # The connection of a whole response is in the pool already.
        if response.status_code == HTTPStatus.OK and len(content) < MAX_RESPONSE_BYTES:
            check_length(response.headers, content)
        check_success(response.status_code, response.headers, content)
        _convert_retry_after(response.headers)
        response.raw = _Content(content)
        return response

    return send


def _convert_retry_after(headers: MutableMapping[str, str]) -> None:
    """Convert Retry-After to a whole number, because botocore's model of throttling fails on a date."""
    header = headers.pop("Retry-After", None)
    seconds = retry_after_seconds(header, lambda: datetime.now(timezone.utc))
    if seconds is not None:
        headers["Retry-After"] = str(math.ceil(seconds))


class _Content:
    """The body of a response that is already read."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._content
