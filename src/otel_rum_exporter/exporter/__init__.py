"""What the SDK calls: the exporters, and the pipeline that they share in a process."""

from .exporters import RumLogExporter, RumSpanExporter

__all__ = ["RumLogExporter", "RumSpanExporter"]
