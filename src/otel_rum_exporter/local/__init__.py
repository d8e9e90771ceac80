"""A local RUM data plane for development and tests. This module only exports the public names."""

try:
    from .app_monitor import AppMonitor
    from .archive import ArchiveError
    from .fault import CAPTIVE_PORTAL, Fault
    from .record import Batch, Decision, Dropped, Event, Events, Exchange, RefusedRequest, Removed
    from .server import LocalRum
    from .sigv4 import Credentials
    from .snapshot import assert_rum_events
except ModuleNotFoundError as error:
    message = (
        f"otel_rum_exporter.local needs the package {error.name!r}, which is not installed: "
        "pip install 'otel-rum-exporter[local]'"
    )
    raise ImportError(message, name=error.name) from error

__all__ = [
    "CAPTIVE_PORTAL",
    "AppMonitor",
    "ArchiveError",
    "Batch",
    "Credentials",
    "Decision",
    "Dropped",
    "Event",
    "Events",
    "Exchange",
    "Fault",
    "LocalRum",
    "RefusedRequest",
    "Removed",
    "assert_rum_events",
]
