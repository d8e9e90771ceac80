"""The app monitor of each resource, and a session for telemetry that has none."""

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
from ..mapping.record_view import identifier, text
from ..otlp import DecodedResource
from .client import MAX_CLIENTS, Client
from .settings import GatewaySettings

NOT_ALLOWED = "the app monitor of the resource is not on the gateway's list"
NO_MONITOR = f"neither the resource nor the gateway has an app monitor; set {RESOURCE_APP_MONITOR_ID}"
TOO_LARGE = "the attributes of the resource are too large"
MAX_ROUTES = 1000
MAX_RESOURCE_BYTES = 65_536
MAX_CACHED_BYTES = 8192
"""Larger resources are not cached."""

MAX_ID_CHARS = 256
_IDS = frozenset((*SESSION_ATTRIBUTES, *USER_ATTRIBUTES, ENDUSER_ID))
_BROWSER = "Mozilla/"


def shorten_ids(attributes: dict[str, Any]) -> None:
    """Replace each session or user id that is too long by its digest."""
    for name in _IDS.intersection(attributes):
        value = attributes[name]
        if isinstance(value, str) and len(value) > MAX_ID_CHARS:
            attributes[name] = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


class NoRouteError(Exception):
    """Telemetry has no route. The message is the reason."""


class Route(NamedTuple):
    """An app monitor, and the resource that the pipeline gets."""

    monitor_id: str
    resource: DecodedResource


class Routing:
    """The routes of resources, and the sessions of clients without one. Thread-safe."""

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

    def route(self, resource: DecodedResource, client: Client, now_ns: int) -> Route:
        """Return the route of a resource.

        Without a session, all telemetry of a resource from one client is one session. It ends after 30 minutes of
        silence, like the process session of the exporter.

        Raises:
            NoRouteError: if there is no app monitor, or it is not allowed.
        """
        content = orjson.dumps([client.address, client.user_agent, client.country, json_object(resource.attributes)])
        if len(content) > MAX_RESOURCE_BYTES:
            raise NoRouteError(TOO_LARGE)
        key = hashlib.blake2b(content, digest_size=16).digest()
        with self._lock:
            session_id = self._session(key, now_ns)
            route = self._routes.pop((key, session_id), None) or self._new_route(
                resource.attributes, client, session_id
            )
            if len(content) <= MAX_CACHED_BYTES:
                self._routes[key, session_id] = route
            if len(self._routes) > MAX_ROUTES:
                self._routes.popitem(last=False)
        return route

    def _session(self, key: bytes, now_ns: int) -> str:
        used_ns, session_id = self._sessions.pop(key, (now_ns, ""))
        if not session_id or now_ns - used_ns > SESSION_SILENCE_NS:
            session_id = self._new_id()
        self._sessions[key] = now_ns, session_id
        if len(self._sessions) > MAX_CLIENTS:
            self._sessions.popitem(last=False)
        return session_id

    def _new_route(self, attributes: Mapping[str, Any], client: Client, session_id: str) -> Route:
        given_id, given_alias = text(attributes, RESOURCE_APP_MONITOR_ID), text(attributes, RESOURCE_ALIAS)
        monitor_id = given_id or (self._ids.get(given_alias, "") if given_alias else self._default_id)
        if monitor_id is None:
            raise NoRouteError(NO_MONITOR)
        if monitor_id not in self._aliases or (given_alias and given_alias not in self._aliases[monitor_id]):
            raise NoRouteError(NOT_ALLOWED)
        routed = {**attributes, RESOURCE_APP_MONITOR_ID: monitor_id}
        shorten_ids(routed)
        if identifier(attributes, *SESSION_ATTRIBUTES) is None:
            routed["session.id"] = session_id
        if client.user_agent and client.user_agent.startswith(_BROWSER):
            routed.setdefault("user_agent.original", client.user_agent)
        if client.country:
            routed.setdefault("client.geo.country.iso_code", client.country)
        return Route(monitor_id, DecodedResource(routed))

    def _allow(self, monitor_id: str, alias: str | None) -> None:
        aliases = self._aliases.setdefault(monitor_id, set())
        if alias:
            aliases.add(alias)
            self._ids.setdefault(alias, monitor_id)
