"""Whose app monitor telemetry goes to, and in which session it is where nothing in it says so: decided by resource."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from .._attributes import ENDUSER_ID, RESOURCE_ALIAS, RESOURCE_APP_MONITOR_ID, SESSION_ATTRIBUTES, USER_ATTRIBUTES
from ..config import SESSION_SILENCE_NS, Config
from ..mapping.attribute_values import json_object
from ..mapping.record_view import text
from ..otlp import DecodedResource
from .client import MAX_SENDERS, Sender
from .settings import GatewaySettings

NOT_ALLOWED = "an app monitor that its resource names is not on the gateway's list"
NO_MONITOR = f"neither resource nor gateway names an app monitor; set {RESOURCE_APP_MONITOR_ID}"
TOO_LARGE = "a resource has more attributes than the gateway keeps"
MAX_ROUTES = 1000
MAX_RESOURCE_BYTES = 65_536
MAX_REMEMBERED_BYTES = 8192
"""Resources larger than this are made anew for each request."""

MAX_ID_CHARS = 256
_IDS = (*SESSION_ATTRIBUTES, *USER_ATTRIBUTES, ENDUSER_ID)
_BROWSER = "Mozilla/"


def bound_ids(attributes: dict[str, Any]) -> None:
    """Put a digest in place of each id of session or user that is too long to be remembered."""
    for name in _IDS:
        told = attributes.get(name)
        if isinstance(told, str) and len(told) > MAX_ID_CHARS:
            attributes[name] = hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


class NoRouteError(Exception):
    """Telemetry that goes nowhere; the message says why."""


class Route(NamedTuple):
    """The app monitor that telemetry goes to, and its resource as the pipeline shall see it."""

    monitor_id: str
    resource: DecodedResource


class Routing:
    """Decide over resources. Thread-safe."""

    def __init__(
        self, config: Config, settings: GatewaySettings, new_id: Callable[[], str] = lambda: str(uuid.uuid4())
    ) -> None:
        self._default_id = config.app_monitor_id
        self._aliases: dict[str, set[str]] = {}
        self._ids: dict[str, str] = {}
        if config.app_monitor_id:
            self._allow(config.app_monitor_id, config.alias)
        for entry in settings.app_monitors:
            self._allow(entry.id, entry.alias)
        self._new_id = new_id
        self._lock = threading.Lock()
        self._sessions: OrderedDict[bytes, tuple[int, str]] = OrderedDict()
        self._routes: OrderedDict[tuple[bytes, str], Route] = OrderedDict()

    def route(self, resource: DecodedResource, sender: Sender, now_ns: int) -> Route:
        """Return where the telemetry of a resource goes.

        Where it names no session, all that this sender sends of the resource is one, which ends after 30 minutes of
        silence: what one process is to the exporter.

        Raises:
            NoRouteError: where it may not go anywhere.
        """
        content = orjson.dumps([sender.address, sender.user_agent, sender.country, json_object(resource.attributes)])
        if len(content) > MAX_RESOURCE_BYTES:
            raise NoRouteError(TOO_LARGE)
        key = hashlib.blake2b(content, digest_size=16).digest()
        with self._lock:
            session_id = self._session(key, now_ns)
            route = self._routes.pop((key, session_id), None) or self._made(resource.attributes, sender, session_id)
            if len(content) <= MAX_REMEMBERED_BYTES:
                self._routes[key, session_id] = route
            if len(self._routes) > MAX_ROUTES:
                self._routes.popitem(last=False)
        return route

    def _session(self, key: bytes, now_ns: int) -> str:
        used_ns, session_id = self._sessions.pop(key, (now_ns, ""))
        if not session_id or now_ns - used_ns > SESSION_SILENCE_NS:
            session_id = self._new_id()
        self._sessions[key] = now_ns, session_id
        if len(self._sessions) > MAX_SENDERS:
            self._sessions.popitem(last=False)
        return session_id

    def _made(self, attributes: Mapping[str, Any], sender: Sender, session_id: str) -> Route:
        told_id, told_alias = text(attributes, RESOURCE_APP_MONITOR_ID), text(attributes, RESOURCE_ALIAS)
        monitor_id = told_id or (self._ids.get(told_alias, "") if told_alias else self._default_id)
        if monitor_id is None:
            raise NoRouteError(NO_MONITOR)
        if monitor_id not in self._aliases or (told_alias and told_alias not in self._aliases[monitor_id]):
            raise NoRouteError(NOT_ALLOWED)
        made = {**attributes, RESOURCE_APP_MONITOR_ID: monitor_id}
        bound_ids(made)
        if text(attributes, *SESSION_ATTRIBUTES) is None:
            made["session.id"] = session_id
        if sender.user_agent and sender.user_agent.startswith(_BROWSER):
            made.setdefault("user_agent.original", sender.user_agent)
        if sender.country:
            made.setdefault("client.geo.country.iso_code", sender.country)
        return Route(monitor_id, DecodedResource(made))

    def _allow(self, monitor_id: str, alias: str | None) -> None:
        aliases = self._aliases.setdefault(monitor_id, set())
        if alias:
            aliases.add(alias)
            self._ids.setdefault(alias, monitor_id)
