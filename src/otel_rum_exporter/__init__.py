"""OpenTelemetry spans into Amazon CloudWatch RUM."""

from .config import ConfigError
from .exporter import RumSpanExporter
from .version import VERSION

__all__ = ["ConfigError", "RumSpanExporter", "__version__"]

__version__ = VERSION
