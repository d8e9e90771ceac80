"""Where telemetry comes from, as RUM knows it: the app monitor of a resource, and what all of its events share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from .._uuid import UUID
from ..config import RESOURCE_APP_MONITOR_ID, Config
from ..rum.batch import AppMonitor
from . import metadata
from .record_view import Resource, text

RESOURCE_ALIAS = "aws.rum.appmonitor.alias"
RESOURCE_VERSIONS = ("service.version", "app.build_id")

MAX_RESOURCES = 1000
RUM_PLATFORM = "aws_rum"
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,3}-\d{1,2}")


class Origin(NamedTuple):
    """The app monitor of telemetry, and the metadata that all of its events share, as JSON text."""

    monitor: AppMonitor
    session_metadata: str


class Origins:
    """Find the origin of each resource, once. Not thread-safe: its owner calls it under a lock."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._known: dict[int, tuple[Resource, Origin | None]] = {}
        self._servers: set[tuple[str | None, str | None]] = set()

    def of(self, resource: Resource) -> Origin | None:
        """Return the origin of telemetry with a resource; None where neither that nor the settings name a monitor."""
        known = self._known.get(id(resource))
        if known is None or known[0] is not resource:
            if len(self._known) >= MAX_RESOURCES:
                self._known.clear()
            known = self._known[id(resource)] = (resource, self._origin(resource))
        return known[1]

    def serves(self, resource: Resource) -> None:
        """Take note that a resource is a server, whose users sit elsewhere."""
        program = _program(resource)
        if program not in self._servers and len(self._servers) < MAX_RESOURCES:
            self._servers.add(program)
            self._known.clear()

    def _origin(self, resource: Resource) -> Origin | None:
        attributes = resource.attributes
        told = text(attributes, RESOURCE_APP_MONITOR_ID)
        monitor_id = told if told and UUID.fullmatch(told) else self._config.app_monitor_id
        if monitor_id is None:
            return None
        monitor = AppMonitor(
            id=monitor_id,
            name=self._config.app_monitor_name,
            version=text(attributes, *RESOURCE_VERSIONS),
            alias=text(attributes, RESOURCE_ALIAS) or self._config.alias,
            region=None if self._config.region else _region(attributes),
        )
        is_server = _program(resource) in self._servers
        shared = metadata.of_resource(attributes, self._config, is_server=is_server)
        return Origin(monitor, orjson.dumps(shared).decode())


def _program(resource: Resource) -> tuple[str | None, str | None]:
    """Return what tells a program from others: its spans and its log records may come with equal resources."""
    return text(resource.attributes, "service.name"), text(resource.attributes, "telemetry.sdk.language")


def _region(attributes: Mapping[str, Any]) -> str | None:
    """Return the app monitor's region, which AWS's mobile SDKs tell; that of a server is where the server is."""
    told = text(attributes, "cloud.region") if text(attributes, "cloud.platform") == RUM_PLATFORM else None
    return told if told and _REGION.fullmatch(told) else None
