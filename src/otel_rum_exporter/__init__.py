"""OpenTelemetry spans and events into Amazon CloudWatch RUM."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import VERSION

if TYPE_CHECKING:
    from ._settings import Settings
    from .config import Config, ConfigError
    from .exporter.exporters import RumLogExporter, RumSpanExporter
    from .ledger import DropReason, LedgerSnapshot
    from .rum.client import RumClient
    from .sessions.middleware import RumSessionMiddleware, RumSessionWsgiMiddleware
    from .sessions.processor import RumSessionProcessor

__all__ = [
    "Config",
    "ConfigError",
    "DropReason",
    "LedgerSnapshot",
    "RumClient",
    "RumLogExporter",
    "RumSessionMiddleware",
    "RumSessionProcessor",
    "RumSessionWsgiMiddleware",
    "RumSpanExporter",
    "Settings",
    "__version__",
]

__version__ = VERSION

_MODULES = {
    "Config": "config",
    "ConfigError": "config",
    "DropReason": "ledger",
    "LedgerSnapshot": "ledger",
    "RumClient": "rum.client",
    "RumLogExporter": "exporter.exporters",
    "RumSessionMiddleware": "sessions.middleware",
    "RumSessionProcessor": "sessions.processor",
    "RumSessionWsgiMiddleware": "sessions.middleware",
    "RumSpanExporter": "exporter.exporters",
    "Settings": "_settings",
}


def __getattr__(name: str) -> Any:
    # pytest imports this package in every run, for its plugin, and must not import the SDK.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
