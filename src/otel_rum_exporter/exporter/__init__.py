"""The exporters that the SDK calls, and the pipeline that they share in a process."""

from .exporters import RumLogExporter, RumSpanExporter

__all__ = ["RumLogExporter", "RumSpanExporter"]
