"""OpenTelemetry spans and events into Amazon CloudWatch RUM."""

from .config import ConfigError
from .exporter import RumLogExporter, RumSpanExporter
from .middleware import RumSessionMiddleware, RumSessionWsgiMiddleware
from .processor import RumSessionProcessor
from .version import VERSION

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
