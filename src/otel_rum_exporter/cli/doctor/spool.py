"""Check of the spool: events that no process delivers, because they are for another destination."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...delivery.spool.folder import left_behind
from ...exporter.pipeline import spool_destination
from .context import Context
from .result import Result, ok, warning


def spool(context: Context) -> Result:
    """Count the events in the spool without an owner, by destination."""
    directory = context.config.spool_directory
    if directory is None:
        return ok("there is none: events are kept in memory")
    # The app monitor of the resource is not part of the settings of the exporter.
    config = replace(context.config, app_monitor_id=context.readings["app_monitor_id"].value)
    found = left_behind(Path(directory))
    own = found.pop(spool_destination(config, context.environment), 0)
    if found:
        return warning(
            "\n".join(f"{events} events for {name} are still in {directory}" for name, events in found.items()),
            "start a process with these settings, or delete the events",
        )
    return ok(f"{own} events in {directory} wait for the next process with these settings")
