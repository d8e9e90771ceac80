"""RUM as the experiments see it: bodies go in, kept events come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from ...config import Config
from ...rum.botocore_hooks import FINISHED_BODY
from ...rum.client import build_client
from ...rum.errors import outcome_of
from ..doctor.context import Context

MAX_PAGES = 1000
DATA, LOG_GROUP = "GetAppMonitorData", "the log group"


class Source(NamedTuple):
    """A place to read events back from. `read` yields those of a session since a time, as JSON text."""

    name: str
    read: Callable[[float, str], Iterator[str]]


class Rum:
    """The app monitor of a configuration, which the context has read. Thread-safe."""

    def __init__(self, config: Config, context: Context) -> None:
        if context.monitor is None:
            raise ValueError("the context has no app monitor; run the check of it first")
        self._config = config
        self._context = context
        self._name = context.monitor["Name"]
        log_group = context.monitor.get("DataStorage", {}).get("CwLog", {})
        self.log_group: str | None = log_group.get("CwLogGroup") if log_group.get("CwLogEnabled") else None
        self._clients: dict[bool, Any] = {
            is_compressed: build_client(replace(config, compression="gzip" if is_compressed else "none"))
            for is_compressed in (False, True)
        }
        self._reader = context.rum()
        self._logs: Any = context.logs() if self.log_group else None

    @property
    def sources(self) -> tuple[Source, ...]:
        """The places where RUM keeps events: always GetAppMonitorData, and the log group if there is one."""
        data = Source(DATA, self._data)
        return (data, Source(LOG_GROUP, self._log_events)) if self.log_group else (data,)

    def put(self, body: bytes, *, is_compressed: bool) -> None:
        """Send a body as it is."""
        client = self._clients[is_compressed]
        client.put_rum_events(**{"Id": self._config.app_monitor_id, FINISHED_BODY: body})

    def close(self) -> None:
        """Close the connections."""
        for client in (*self._clients.values(), self._reader, *([self._logs] if self._logs else ())):
            client.close()

    def _data(self, since_seconds: float, _: str) -> Iterator[str]:
        request: dict[str, Any] = {"Name": self._name, "TimeRange": {"After": int(since_seconds * 1000)}}
        for _page in range(MAX_PAGES):
            page = self._context.request(self._reader.get_app_monitor_data, **request)
            yield from page.get("Events", ())
            if not page.get("NextToken"):
                return
            request["NextToken"] = page["NextToken"]

    def _log_events(self, since_seconds: float, session_id: str) -> Iterator[str]:
        request: dict[str, Any] = {
            "logGroupName": self.log_group,
            "startTime": int(since_seconds * 1000),
            "filterPattern": f'"{session_id}"',
        }
        for _page in range(MAX_PAGES):
            try:
                page = self._context.request(self._logs.filter_log_events, **request)
            except Exception as error:
                if outcome_of(error).reason == "ResourceNotFoundException":  # RUM creates it with the first event
                    return
                raise
            yield from (event["message"] for event in page.get("events", ()))
            if not page.get("nextToken"):
                return
            request["nextToken"] = page["nextToken"]
