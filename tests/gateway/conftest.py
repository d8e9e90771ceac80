"""Gateways that send to a local RUM: called in this process without a socket, or served on ports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.types import ASGIApp

from otel_rum_exporter.gateway import Gateway, GatewaySettings
from otel_rum_exporter.gateway.server import Server
from otel_rum_exporter.local import LocalRum
from tests.gateway.asgi import AsgiClient
from tests.spans import APP_MONITOR_ID, make_config

MakeGateway = Callable[..., Gateway]
Connect = Callable[..., AsgiClient]
Serve = Callable[[Gateway], GatewaySettings]


@pytest.fixture
def make_gateway(rum: LocalRum) -> Iterator[MakeGateway]:
    """Make gateways that send to `rum`; `config` has exporter settings."""
    gateways: list[Gateway] = []

    def make(config: dict[str, Any] | None = None, **settings: Any) -> Gateway:
        chosen = GatewaySettings.read({"http_port": 0, "grpc_port": 0, **settings}, {})
        gateways.append(Gateway(make_config(endpoint=rum.url, signing="none", **(config or {})), chosen))
        return gateways[-1]

    yield make
    for gateway in gateways:
        gateway.close()


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make clients that call applications without a socket."""
    clients: list[AsgiClient] = []

    def make(app: ASGIApp, **arguments: Any) -> AsgiClient:
        clients.append(AsgiClient(app, **arguments))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(make_gateway: MakeGateway, connect: Connect) -> AsgiClient:
    """Return a client of a gateway with the default settings."""
    return connect(make_gateway().app)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve gateways on free ports, which the returned settings contain."""
    running: list[tuple[Server, threading.Thread]] = []

    def run(gateway: Gateway) -> GatewaySettings:
        server = Server(gateway)
        thread = threading.Thread(target=server.run, args=(lambda _: None,))
        thread.start()
        running.append((server, thread))
        return server.bound

    yield run
    for server, thread in running:
        server.stop()
        thread.join()


@pytest.fixture
def exporter_environment(rum: LocalRum, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the exporter's variables, so that a gateway with the settings of the environment sends to `rum`."""
    settings = {"APP_MONITOR_ID": APP_MONITOR_ID, "ENDPOINT": rum.url, "SIGNING": "none", "SESSION_START": "minted"}
    for name, value in settings.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_AWS_RUM_{name}", value)
