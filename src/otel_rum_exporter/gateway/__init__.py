"""The gateway: OTLP over HTTP and gRPC in, RUM events out.

`otel_rum_exporter.gateway:app` is an ASGI application with the settings of the environment, created at its first use.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .settings import GatewaySettings, MonitorEntry

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from .application import Gateway

    app: Starlette

__all__ = ["Gateway", "GatewaySettings", "MonitorEntry", "app"]


def __getattr__(name: str) -> Any:
    """Import what needs the extra at its first use."""
    if name == "app":
        return _from_environment().app
    if name == "Gateway":
        return _gateway_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@lru_cache(maxsize=1)
def _from_environment() -> Gateway:
    return _gateway_class().from_environment(os.environ)


def _gateway_class() -> type[Gateway]:
    try:
        from .application import Gateway
    except ModuleNotFoundError as error:
        message = (
            f"otel_rum_exporter.gateway needs the package {error.name!r}, which is not installed: "
            "pip install 'otel-rum-exporter[gateway]'"
        )
        raise ImportError(message, name=error.name) from error
    return Gateway
