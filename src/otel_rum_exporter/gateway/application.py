"""The gateway, wired once: both doors, one receiver, and the pipeline that exporters of the same settings share."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.applications import Starlette

from .._attributes import RESOURCE_APP_MONITOR_ID
from ..config import Config
from ..exporter.registry import SharedPipeline
from ..ledger import Ledger
from ..rum.client import RumClient
from .body import MAX_BODIES, Budget
from .metrics import Counts
from .otlp_http import HttpDoor
from .receiver import Receiver
from .settings import GatewaySettings

if TYPE_CHECKING:
    from typing_extensions import Self

    from .otlp_grpc import GrpcDoor


class Gateway:
    """OTLP in, RUM events out. Thread-safe; one in each process.

    `app` is an ASGI application: mount it, or give it to a server. Whoever serves it without the lifespan protocol, as
    one does who mounts it, calls `close` at the end.

    Args:
        config: Where telemetry goes, and how: the exporter's settings.
        settings: Whom the gateway serves, and how much it takes.
        client: A boto3 `rum` client to send with; None makes one.
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
        http = HttpDoor(self._receiver, settings, self._counts, self._budget, lambda: self.ledger)
        self.app: Starlette = http.application(self.close)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Make a gateway with the settings of the environment.

        Raises:
            ConfigError: naming each wrong value, of the gateway's and of the exporter's, and the fix.
        """
        settings = GatewaySettings.read({}, environment)
        return cls(config_of(settings, environment), settings)

    def grpc_door(self) -> GrpcDoor:
        """Return the services of OTLP over gRPC."""
        from .otlp_grpc import GrpcDoor

        return GrpcDoor(self._receiver, self.settings, self._counts, self._budget)

    @property
    def ledger(self) -> Ledger:
        """What became of the events of this process."""
        return self._shared.pipeline.ledger

    def refuse(self) -> None:
        """Take no more: senders keep what they have, and come again."""
        self._receiver.is_closing = True

    def resume(self) -> None:
        """Take requests again after `refuse`."""
        self._receiver.is_closing = self._is_closed

    def close(self) -> None:
        """Take no more, and deliver what was accepted within the exporter's time-out. Again, it does nothing."""
        self.refuse()
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
        self._shared.leave(self._timeout_seconds)


def config_of(settings: GatewaySettings, environment: Mapping[str, str]) -> Config:
    """Return the exporter's settings; where the gateway has a list of app monitors, none needs to be the default.

    Raises:
        ConfigError: as `Config.read` does.
    """
    if settings.app_monitors:
        environment = {**environment, "OTEL_RESOURCE_ATTRIBUTES": f"{RESOURCE_APP_MONITOR_ID}=listed"}
    return Config.read({}, environment)
