"""RUM as the experiments see it: bodies go in, kept events come out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...config import Config
from ...rum.botocore_hooks import FINISHED_BODY
from ...rum.client import build_client
from ..doctor.context import Context

MAX_PAGES = 1000


class Rum:
    """The app monitor of a configuration, which has this name. Thread-safe."""

    def __init__(self, config: Config, context: Context, name: str) -> None:
        self._config = config
        self._context = context
        self._name = name
        self._clients: dict[bool, Any] = {
            is_compressed: build_client(replace(config, compression="gzip" if is_compressed else "none"))
            for is_compressed in (False, True)
        }
        self._reader = context.rum()

    def put(self, body: bytes, *, is_compressed: bool) -> None:
        """Send a body as it is."""
        client = self._clients[is_compressed]
        client.put_rum_events(**{"Id": self._config.app_monitor_id, FINISHED_BODY: body})

    def close(self) -> None:
        """Close the connections."""
        for client in (*self._clients.values(), self._reader):
            client.close()

    def events(self, since_seconds: float) -> Iterator[str]:
        """Yield the events since a time, as JSON text."""
        request: dict[str, Any] = {"Name": self._name, "TimeRange": {"After": int(since_seconds * 1000)}}
        for _ in range(MAX_PAGES):
            page = self._context.request(self._reader.get_app_monitor_data, **request)
            yield from page.get("Events", ())
            if not page.get("NextToken"):
                return
            request["NextToken"] = page["NextToken"]
