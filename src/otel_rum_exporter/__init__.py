"""OpenTelemetry spans and events into Amazon CloudWatch RUM."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import VERSION

if TYPE_CHECKING:
    from .config import ConfigError
    from .exporter.exporters import RumLogExporter, RumSpanExporter
    from .sessions.middleware import RumSessionMiddleware, RumSessionWsgiMiddleware
    from .sessions.processor import RumSessionProcessor

__all__ = [
    "ConfigError",
    "RumLogExporter",
    "RumSessionMiddleware",
    "RumSessionProcessor",
    "RumSessionWsgiMiddleware",
    "RumSpanExporter",
    "__version__",
]

__version__ = VERSION

_MODULES = {
    "ConfigError": "config",
    "RumLogExporter": "exporter.exporters",
    "RumSessionMiddleware": "sessions.middleware",
    "RumSessionProcessor": "sessions.processor",
    "RumSessionWsgiMiddleware": "sessions.middleware",
    "RumSpanExporter": "exporter.exporters",
}


def __getattr__(name: str) -> Any:
    # Every pytest run imports this package for its plugin, and must not pay for the SDK.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
