"""The gateway of this project as a target. It is served in this process, and sends to a local RUM."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from target import Target

from otel_rum_exporter.config import Config
from otel_rum_exporter.gateway import Gateway, GatewaySettings
from otel_rum_exporter.gateway.server import Server
from otel_rum_exporter.local import LocalRum

ORIGIN = "https://shop.example"
MAX_BODY_BYTES = 8 * 1024 * 1024
_TOKEN = "conformance-token"

DEVIATIONS = {"J1b": "ids in Base64 are read, because clients with protobuf's own JSON send them"}
"""Requirements of OTLP that the gateway deliberately does not meet, with the reason."""


@contextmanager
def own_gateway() -> Iterator[Target]:
    """Serve a gateway with a token and a body limit until the end of the block."""
    settings = GatewaySettings.read(
        {
            "http_port": 0,
            "grpc_port": 0,
            "token": _TOKEN,
            "allowed_origins": ORIGIN,
            "max_body_bytes": MAX_BODY_BYTES,
            "client_requests_per_second": 0,
            "client_bytes_per_second": 0,
        },
        {},
    )
    with LocalRum() as rum:
        config = Config.read(
            {
                "app_monitor_id": "00000000-aaaa-4bbb-8ccc-000000000001",
                "endpoint": rum.url,
                "signing": "none",
                "session_start": "minted",
            },
            {},
        )
        gateway = Gateway(config, settings)
        server = Server(gateway)
        thread = threading.Thread(target=server.run, args=(lambda _: None,))
        thread.start()
        try:
            yield Target(
                url=f"http://127.0.0.1:{server.bound.http_port}",
                grpc=f"127.0.0.1:{server.bound.grpc_port}",
                headers={"Authorization": f"Bearer {_TOKEN}"},
                max_body_bytes=MAX_BODY_BYTES,
                origin=ORIGIN,
                deviations=DEVIATIONS,
                overload=gateway.stop_accepting,
                end_overload=gateway.resume,
            )
        finally:
            server.stop()
            thread.join()
