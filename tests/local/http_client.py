"""HTTP requests to a local RUM with the standard library: tests and server share no code."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from otel_rum_exporter.local import LocalRum

TIMEOUT_SECONDS = 60.0
"""A timeout that only a failing test reaches."""


@dataclass(frozen=True)
class Reply:
    """The answer to a request, with header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> str:
        """The message of an error."""
        return str(json.loads(self.body)["message"])


def address(rum: LocalRum) -> tuple[str, int]:
    """Return host and port of a server."""
    parts = urlsplit(rum.url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def open_socket(rum: LocalRum) -> socket.socket:
    """Open a TCP connection."""
    return socket.create_connection(address(rum), timeout=TIMEOUT_SECONDS)


def open_connection(rum: LocalRum) -> http.client.HTTPConnection:
    """Open an HTTP connection."""
    return http.client.HTTPConnection(*address(rum), timeout=TIMEOUT_SECONDS)


def start_post(rum: LocalRum, app_monitor_id: str, content: bytes | str) -> http.client.HTTPConnection:
    """POST a body on a new connection and return it without reading the answer."""
    connection = open_connection(rum)
    connection.request("POST", f"/appmonitors/{app_monitor_id}/", content)
    return connection


def call(
    rum: LocalRum, method: str, path: str, content: bytes | str | None = None, headers: dict[str, str] | None = None
) -> Reply:
    """Make one request on a connection of its own."""
    connection = open_connection(rum)
    try:
        connection.request(method, path, content, headers or {})
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def post_bodies(rum: LocalRum, bodies: Iterable[dict[str, Any]]) -> None:
    """POST bodies that may be refused, each to the app monitor in it."""
    for body in bodies:
        call(rum, "POST", f"/appmonitors/{body['AppMonitorDetails']['id']}", json.dumps(body))
