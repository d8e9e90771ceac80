"""Gateways in front of a local RUM: in this process, without a socket, or served as users have them."""

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
from tests.spans import make_config

MakeGateway = Callable[..., Gateway]


@pytest.fixture
def make_gateway(rum: LocalRum) -> Iterator[MakeGateway]:
    """Make gateways that send to `rum`; `config` has exporter settings."""
    made: list[Gateway] = []

    def make(config: dict[str, Any] | None = None, **settings: Any) -> Gateway:
        chosen = GatewaySettings.read({"http_port": 0, "grpc_port": 0, **settings}, {})
        made.append(Gateway(make_config(endpoint=rum.url, signing="none", **(config or {})), chosen))
        return made[-1]

    yield make
    for gateway in made:
        gateway.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., AsgiClient]]:
    """Make clients that call applications without a socket."""
    made: list[AsgiClient] = []

    def make(app: ASGIApp, **arguments: Any) -> AsgiClient:
        made.append(AsgiClient(app, **arguments))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_gateway: MakeGateway, connect: Callable[..., AsgiClient]) -> AsgiClient:
    """Return a client of a gateway with the default settings."""
    return connect(make_gateway().app)


@pytest.fixture
def serve() -> Iterator[Callable[[Gateway], GatewaySettings]]:
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
