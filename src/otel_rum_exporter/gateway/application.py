"""The gateway: HTTP, gRPC, and the pipeline that it shares with exporters of the same settings."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.applications import Starlette

from .._attributes import RESOURCE_APP_MONITOR_ID
from ..config import Config, variable
from ..exporter.registry import SharedPipeline
from ..ledger import LedgerSnapshot
from ..rum.client import RumClient
from .body import MAX_BODIES, Budget
from .metrics import Counts
from .otlp_http import HttpReceiver
from .receiver import Receiver
from .settings import GatewaySettings

if TYPE_CHECKING:
    from typing_extensions import Self

    from .otlp_grpc import GrpcServer


class Gateway:
    """OTLP in, RUM events out. Thread-safe; one in each process.

    `app` is an ASGI application: mount it or give it to a server. Call `close` at the end if it is served without the
    lifespan protocol, for example when it is mounted.

    Args:
        config: The exporter's settings.
        settings: The gateway's settings: addresses, clients and limits.
        client: A boto3 `rum` client to send with; None creates one.
    """

    def __init__(self, config: Config, settings: GatewaySettings, client: RumClient | None = None) -> None:
        self.settings = settings
        self._timeout_seconds = config.timeout_millis / 1000
        self._shared = SharedPipeline(config, client)
        self._counts = Counts()
        self._budget = Budget(MAX_BODIES * settings.max_body_bytes)
        self._receiver = Receiver(lambda: self._shared.pipeline, config, settings, self._counts)
        self._closing = threading.Lock()
        self._is_closed = False
        http = HttpReceiver(self._receiver, settings, self._counts, self._budget, lambda: self.ledger)
        self.app: Starlette = http.application(self.close)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Create a gateway with the settings of the environment.

        Raises:
            ConfigError: with each wrong value of the gateway and the exporter, and the fix.
        """
        settings = GatewaySettings.read({}, environment)
        return cls(exporter_config(settings, environment), settings)

    def grpc_server(self) -> GrpcServer:
        """Return a server of OTLP over gRPC that is bound to its port.

        Raises:
            OSError: if the port is in use.
        """
        from .otlp_grpc import GrpcReceiver, GrpcServer

        receiver = GrpcReceiver(self._receiver, self.settings, self._counts, self._budget)
        return GrpcServer(receiver, self.settings)

    @property
    def ledger(self) -> LedgerSnapshot:
        """The counts of this process's events."""
        return self._shared.ledger

    def stop_accepting(self) -> None:
        """Reject further requests as retryable; clients keep their telemetry."""
        self._receiver.is_closing = True

    def resume(self) -> None:
        """Accept requests again after `stop_accepting`."""
        self._receiver.is_closing = self._is_closed

    def close(self) -> None:
        """Stop accepting, and deliver accepted events within the exporter's time-out. Later calls do nothing."""
        self.stop_accepting()
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
        self._shared.leave(self._timeout_seconds)


def exporter_config(settings: GatewaySettings, environment: Mapping[str, str]) -> Config:
    """Return the exporter's settings; with a list of app monitors, no default one is required.

    Raises:
        ConfigError: if a setting of the exporter is wrong.
    """
    if settings.app_monitors:
        environment = {**environment, "OTEL_RESOURCE_ATTRIBUTES": f"{RESOURCE_APP_MONITOR_ID}=listed"}
    return Config.read({}, environment, variable)
