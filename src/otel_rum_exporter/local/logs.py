"""FilterLogEvents of CloudWatch Logs, for the log groups of app monitors.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

from __future__ import annotations

import re
import time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from .app_monitor import AppMonitor, AppMonitors
from .authentication import Authenticator
from .body import decode, receive
from .control_plane import event_text, paged
from .http_response import json_response
from .json_text import quote
from .record import Event
from .response import RequestError
from .store import Store

_TARGET = "Logs_20140328.FilterLogEvents"
_MAX_EVENTS = 10_000

# One word, or one text in quotes. The local RUM supports no other filter patterns.
_TERM = re.compile(r'[A-Za-z0-9_]*|"[^"\\]*"')


class Logs:
    """Answers FilterLogEvents from a store."""

    def __init__(self, store: Store, monitors: AppMonitors, authenticator: Authenticator, max_body_bytes: int) -> None:
        self._store = store
        self._monitors = monitors
        self._authenticator = authenticator
        self._max_body_bytes = max_body_bytes
        self.routes = [Route("/", self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        if request.headers.get("x-amz-target") != _TARGET:
            raise HTTPException(404)
        try:
            sent = await receive(request, self._max_body_bytes)
            self._authenticator.check_reader(request, sent, "logs")
            return json_response(self._filter_log_events(decode(sent, request.headers, self._max_body_bytes)))
        except RequestError as error:
            # This protocol has the error type in the body.
            content = {"__type": error.answer.wire_error_type, "message": error.answer.wire_message}
            return json_response(content, error.answer.status)
        except ClientDisconnect:
            return Response(status_code=400)

    def _filter_log_events(self, document: Any) -> dict[str, Any]:
        if not isinstance(document, dict):
            raise RequestError(400, f"the body must be a JSON object, is {quote(document)}", "SerializationException")
        name, term = document.get("logGroupName"), document.get("filterPattern", "")
        monitor = next((one for one in self._monitors if one.has_log_group and one.log_group == name), None)
        if monitor is None:
            raise RequestError(400, "The specified log group does not exist.", "ResourceNotFoundException")
        if not isinstance(term, str) or not _TERM.fullmatch(term):
            message = f"the local RUM supports one word, or one text in quotes, as filter pattern, not {quote(term)}"
            raise RequestError(400, message, "InvalidParameterException")
        after, before = _milliseconds(document, "startTime", 0), _milliseconds(document, "endTime", float("inf"))
        found = [
            (event, text)
            for event in self._store.events
            if event.app_monitor_id == monitor.id
            and after <= event.timestamp * 1000 <= before
            and term.strip('"') in (text := event_text(monitor, event))
        ]
        page = paged("events", found, document.get("limit"), document.get("nextToken"), _MAX_EVENTS)
        answer = {"events": [_log_event(monitor, *one) for one in page["events"]], "searchedLogStreams": []}
        return answer | ({"nextToken": page["NextToken"]} if "NextToken" in page else {})


def _log_event(monitor: AppMonitor, event: Event, text: str) -> dict[str, Any]:
    return {
        "logStreamName": monitor.id,
        "timestamp": round(event.timestamp * 1000),
        "ingestionTime": round(time.time() * 1000),
        "message": text,
        "eventId": event.id,
    }


def _milliseconds(document: dict[str, Any], member: str, default: float) -> float:
    value = document.get(member, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        message = f"{member} must be a number of epoch milliseconds, is {quote(value)}"
        raise RequestError(400, message, "InvalidParameterException")
    return value
