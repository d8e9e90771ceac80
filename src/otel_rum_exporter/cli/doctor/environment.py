"""Checks of this process: settings, variables, packages, region."""

from __future__ import annotations

import difflib
from importlib import metadata

from ...config import Config, ConfigError, unknown_variables, variable
from ..options import option_of
from ..packages import is_installed
from .context import Context
from .exporters import EXPORTER
from .result import Result, Skip, Status, failed, ok

NEEDS = (
    ("OTEL_CONFIG_FILE", "", "opentelemetry-configuration", "the file is not read, and nothing is exported"),
    ("OTEL_TRACES_EXPORTER", EXPORTER, "opentelemetry-distro", "opentelemetry-instrument is missing"),
    ("OTEL_LOGS_EXPORTER", EXPORTER, "opentelemetry-distro", "opentelemetry-instrument is missing"),
)
"""Variable, text in its value, the package needed then, and the consequence without that package."""


def settings(context: Context) -> Result:
    """Read all settings as the exporter does."""
    try:
        Config.read(context.given, context.environment, option_of)
    except ConfigError as error:
        wrong = [fault for fault in error.faults if fault not in unknown_variables(context.environment)]
        if wrong:
            return failed("\n".join(wrong), "correct these settings; `otel-rum config` shows all settings")
    given = sum(reading.place is not None for reading in context.readings.values())
    return ok(f"{given} of {len(context.readings)} are set, the others have their defaults")


def variables(context: Context) -> Result:
    """Find variables with the exporter's prefix that are not settings."""
    unknown = unknown_variables(context.environment)
    return failed("\n".join(unknown), "rename or unset them") if unknown else ok("no variable is misspelt")


def packages(context: Context) -> Result:
    """Find missing packages that the variables need."""
    for name, text, package, consequence in NEEDS:
        value = context.environment.get(name, "")
        if value and text in value and not is_installed(package):
            return failed(f"{name}={value} needs {package}: {consequence}", f"pip install {package}")
    return ok(f"boto3 {metadata.version('boto3')}, opentelemetry-sdk {metadata.version('opentelemetry-sdk')}")


def region(context: Context) -> Result:
    """Check whether a region is set, and whether RUM is available there."""
    name = context.region
    source = context.source_of("region") if context.config.region else "the AWS profile"
    if name is None:
        if context.is_local and not context.is_signed:
            raise Skip("an endpoint on this computer needs no region")
        return failed("no region is set", f"set {variable('region')} or AWS_REGION to the region of the app monitor")
    known = [
        each
        for partition in context.session.get_available_partitions()
        for each in context.session.get_available_regions("rum", partition)
    ]
    if name in known:
        return ok(f"{name}, from {source}")
    similar = difflib.get_close_matches(name, known, n=1)
    return Result(
        Status.WARNING if context.is_local else Status.FAILED,
        f"{name!r}, from {source}, is not a region with RUM, according to boto3",
        f"set {similar[0]} if that is the region meant" if similar else "use the region in the app monitor's ARN",
    )
