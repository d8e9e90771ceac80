"""The app monitor of a resource, and the metadata that all of its events share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from .._attributes import RESOURCE_ALIAS, RESOURCE_APP_MONITOR_ID, RESOURCE_VERSIONS, SERVICE_NAME
from .._pattern import lazy_pattern
from .._uuid import UUID
from ..config import Config
from ..rum.batch import AppMonitor
from . import metadata
from .caches import ObjectCache
from .record_view import Resource, text
from .redaction import Redactor

MAX_RESOURCES = 1000
MAX_SERVERS = 100
"""Most services of one app monitor that are recorded as servers."""

RUM_PLATFORM = "aws_rum"
_REGION = lazy_pattern(r"[a-z]{2,4}(-[a-z]+){1,3}-\d{1,2}")


class Resolution(NamedTuple):
    """An app monitor, and the metadata that all events of a resource share, as JSON text."""

    monitor: AppMonitor
    session_metadata: str


class AppMonitorResolver:
    """Resolve the app monitor of each resource, once. Not thread-safe: its owner calls it under a lock.

    `of` returns the resolution of a resource; None if neither the resource nor the settings name an app monitor.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._redactor = Redactor.of(config.redaction)
        self._resolutions = ObjectCache(self._resolve, MAX_RESOURCES)
        self.of = self._resolutions.of
        self._servers: dict[str | None, set[tuple[str | None, str | None]]] = {}

    def add_server(self, resource: Resource) -> None:
        """Record that a resource is a server, so that operating system and device are not its users'."""
        service, monitor_id = _service(resource), self._monitor_id(resource)
        if monitor_id not in self._servers and len(self._servers) >= MAX_RESOURCES:
            return
        servers = self._servers.setdefault(monitor_id, set())
        if service not in servers and len(servers) < MAX_SERVERS:
            servers.add(service)
            self._resolutions.clear()

    def _resolve(self, resource: Resource) -> Resolution | None:
        attributes, monitor_id = resource.attributes, self._monitor_id(resource)
        if monitor_id is None:
            return None
        version = text(attributes, *RESOURCE_VERSIONS)
        monitor = AppMonitor(
            id=monitor_id,
            name=self._config.app_monitor_name,
            version=version and self._redactor.label("version", version),
            alias=text(attributes, RESOURCE_ALIAS) or self._config.alias,
            region=None if self._config.region else _region(attributes),
        )
        is_server = _service(resource) in self._servers.get(monitor_id, ())
        shared = metadata.of_resource(attributes, self._config, is_server=is_server)
        return Resolution(monitor, orjson.dumps(shared).decode())

    def _monitor_id(self, resource: Resource) -> str | None:
        return app_monitor_id(resource, self._config)


def app_monitor_id(resource: Resource, config: Config) -> str | None:
    """Return the id of the app monitor that events of a resource are sent to."""
    named = text(resource.attributes, RESOURCE_APP_MONITOR_ID)
    return named if named and UUID.fullmatch(named) else config.app_monitor_id


def _service(resource: Resource) -> tuple[str | None, str | None]:
    """Return what identifies a service: its spans and log records may come with different resource objects."""
    return text(resource.attributes, SERVICE_NAME), text(resource.attributes, "telemetry.sdk.language")


def _region(attributes: Mapping[str, Any]) -> str | None:
    """Return the app monitor's region, which AWS's mobile SDKs set; a server's `cloud.region` is its own."""
    region = text(attributes, "cloud.region") if text(attributes, "cloud.platform") == RUM_PLATFORM else None
    return region if region and _REGION.fullmatch(region) else None
