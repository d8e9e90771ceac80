"""The read operations: GetAppMonitor, ListAppMonitors, GetResourcePolicy and GetAppMonitorData.

Paths and members follow the service model, https://docs.aws.amazon.com/cloudwatchrum/latest/APIReference/.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from .app_monitor import AppMonitor, AppMonitors
from .authentication import Authenticator
from .body import decode, receive
from .http_response import error_response, json_response
from .json_text import dump, quote
from .record import Event
from .response import RequestError
from .store import Store

_MAX_RESULTS = 100

# https://docs.aws.amazon.com/cloudwatchrum/latest/APIReference/API_QueryFilter.html
_FILTERS: dict[str, Callable[[Event], object]] = {
    "Browser": lambda event: event.metadata.get("browserName"),
    "Device": lambda event: event.metadata.get("deviceType"),
    "Country": lambda event: event.metadata.get("countryCode"),
    "Page": lambda event: event.metadata.get("pageId"),
    "OS": lambda event: event.metadata.get("osName"),
    "EventType": lambda event: event.type,
}


class ControlPlane:
    """Answers read operations from a store and its app monitors."""

    def __init__(self, store: Store, monitors: AppMonitors, authenticator: Authenticator, max_body_bytes: int) -> None:
        self._store = store
        self._monitors = monitors
        self._authenticator = authenticator
        self._max_body_bytes = max_body_bytes

    @property
    def routes(self) -> list[Route]:
        """The routes of the service model."""
        table = (
            ("/appmonitor/{name}", "GET", self._get_app_monitor),
            ("/appmonitor/{name}/policy", "GET", self._get_resource_policy),
            ("/appmonitor/{name}/data", "POST", self._get_app_monitor_data),
            ("/appmonitors", "POST", self._list_app_monitors),
        )
        return [Route(path, self._endpoint(read), methods=[method]) for path, method, read in table]

    def _endpoint(self, read: Callable[[Request, Any], dict[str, Any]]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            try:
                sent = await receive(request, self._max_body_bytes)
                self._authenticator.check_reader(request, sent)
                document = decode(sent, request.headers, self._max_body_bytes) if sent else {}
                return json_response(read(request, document))
            except RequestError as error:
                return error_response(error.answer)
            except ClientDisconnect:
                return Response(status_code=400)

        return answer

    def _get_app_monitor(self, request: Request, _: Any) -> dict[str, Any]:
        monitor = self._monitor(request)
        return {
            "AppMonitor": _summary(monitor)
            | {
                "Domain": (monitor.domains or ("*",))[0],
                "DomainList": list(monitor.domains),
                "AppMonitorConfiguration": {
                    "AllowCookies": True,
                    "EnableXRay": monitor.xray,
                    "SessionSampleRate": 1.0,
                    "Telemetries": ["errors", "performance", "http"],
                },
                "CustomEvents": {"Status": "ENABLED" if monitor.custom_events else "DISABLED"},
                "DataStorage": {"CwLog": _log_group(monitor)},
                "Tags": {},
            }
        }

    def _get_resource_policy(self, request: Request, _: Any) -> dict[str, Any]:
        monitor = self._monitor(request)
        if not monitor.aliases and not monitor.is_public:
            raise RequestError(404, f"{monitor.name} has no resource policy", "PolicyNotFoundException")
        statement: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "rum:PutRumEvents", "Resource": "*"}
        if not monitor.is_public:
            statement["Condition"] = {"StringEquals": {"rum:alias": list(monitor.aliases)}}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        return {"PolicyDocument": json.dumps(document), "PolicyRevisionId": "1"}

    def _list_app_monitors(self, request: Request, document: Any) -> dict[str, Any]:
        if document:  # this operation has no body: it is a PutRumEvents request without the id in its path
            raise HTTPException(404)
        query = request.query_params
        summaries = [_summary(monitor) for monitor in self._monitors]
        return paged("AppMonitorSummaries", summaries, query.get("maxResults"), query.get("nextToken"))

    def _get_app_monitor_data(self, request: Request, document: Any) -> dict[str, Any]:
        monitor = self._monitor(request)
        if not isinstance(document, dict):
            raise RequestError(400, f"the body must be a JSON object, is {quote(document)}")
        after, before = _time_range(document.get("TimeRange"))
        wanted = _filter(document.get("Filters") or [])
        found = [
            event
            for event in self._store.events
            if event.app_monitor_id == monitor.id and after <= event.timestamp * 1000 <= before and wanted(event)
        ]
        page = paged("Events", found, document.get("MaxResults"), document.get("NextToken"))
        return page | {"Events": [event_text(monitor, event) for event in page["Events"]]}

    def _monitor(self, request: Request) -> AppMonitor:
        name = request.path_params["name"]
        monitor = self._monitors.find_name(name)
        if monitor is None:
            raise RequestError(404, f"no app monitor has the name {quote(name)}")
        return monitor


def _summary(monitor: AppMonitor) -> dict[str, Any]:
    created = datetime.fromtimestamp(monitor.created_at, timezone.utc).isoformat()
    return {
        "Id": monitor.id,
        "Name": monitor.name,
        "Created": created,
        "LastModified": created,
        "State": "ACTIVE",
        "Platform": "Web",
    }


def _log_group(monitor: AppMonitor) -> dict[str, Any]:
    return {"CwLogEnabled": monitor.has_log_group} | (
        {"CwLogGroup": monitor.log_group} if monitor.has_log_group else {}
    )


def paged(
    member: str, values: list[Any], max_results: object, token: object, most: int = _MAX_RESULTS
) -> dict[str, Any]:
    """Return one page of values as the member of an answer, with the token of the next page if there is one."""
    size = _whole_number(max_results, "MaxResults", most) or most
    begin = _whole_number(token, "NextToken", len(values))
    end = begin + size
    page: dict[str, Any] = {member: values[begin:end]}
    return page | {"NextToken": str(end)} if end < len(values) else page


def _whole_number(value: object, at: str, most: int) -> int:
    text = "0" if value is None else str(value)
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > most:
        raise RequestError(400, f"{at} must be a number from 0 to {most}, is {quote(value)}")
    return int(text)


def _time_range(value: object) -> tuple[float, float]:
    given = value if isinstance(value, dict) else {}
    after, before = given.get("After"), given.get("Before", float("inf"))
    for name, moment in (("After", after), ("Before", before)):
        if isinstance(moment, bool) or not isinstance(moment, (int, float)):
            raise RequestError(400, f"TimeRange.{name} must be a number of epoch milliseconds, is {quote(moment)}")
    return after, before  # type: ignore[return-value]  # the loop checked both


def _filter(filters: object) -> Callable[[Event], bool]:
    if not isinstance(filters, list):
        raise RequestError(400, f"Filters must be a list, is {quote(filters)}")
    wanted: list[tuple[Callable[[Event], object], list[Any]]] = []
    is_inverted = False
    for one in filters:
        name, values = (one.get("Name"), one.get("Values") or []) if isinstance(one, dict) else (None, None)
        if name == "Invert":
            is_inverted = True
        elif isinstance(name, str) and name in _FILTERS and isinstance(values, list):
            wanted.append((_FILTERS[name], values))
        else:
            raise RequestError(400, f"a filter must be one of {', '.join((*_FILTERS, 'Invert'))}, is {quote(one)}")
    return lambda event: all(read(event) in values for read, values in wanted) != is_inverted


def event_text(monitor: AppMonitor, event: Event) -> str:
    """Format an event as RUM does in its answers and in CloudWatch Logs."""
    return dump(
        {
            "event_timestamp": round(event.timestamp * 1000),
            "event_type": event.type,
            "event_id": event.id,
            "event_version": "1.0.0",
            "log_stream": f"{datetime.fromtimestamp(event.timestamp, timezone.utc):%Y-%m-%dT%H}",
            "application_id": monitor.id,
            "metadata": event.metadata,
            "metadata_values": _values(event.metadata.items()),
            "user_details": {"sessionId": event.session_id, "userId": event.user_id},
            "event_details": event.details,
        }
    )


def _values(members: Iterable[tuple[str, object]]) -> list[str]:
    return [f"{key}={value if isinstance(value, str) else dump(value)}" for key, value in members]
