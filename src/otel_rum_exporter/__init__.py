"""OpenTelemetry spans into Amazon CloudWatch RUM."""

from .config import ConfigError
from .exporter import RumLogExporter, RumSpanExporter
from .version import VERSION

__all__ = ["ConfigError", "RumLogExporter", "RumSpanExporter", "__version__"]

__version__ = VERSION
