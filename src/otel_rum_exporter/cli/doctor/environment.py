"""Checks of this process: settings, variables, packages."""

from __future__ import annotations

import difflib
from importlib import metadata

from ...config import Config, ConfigError, unknown_variables, variable
from .context import Subject
from .result import Finding, Status, Unknown, failed, ok, warning

EXPORTER = "aws_rum"

NEEDS = (
    ("OTEL_CONFIG_FILE", "", "opentelemetry-configuration", "the file is not read, so nothing is exported"),
    ("OTEL_TRACES_EXPORTER", EXPORTER, "opentelemetry-distro", "there is no opentelemetry-instrument to read it"),
    ("OTEL_LOGS_EXPORTER", EXPORTER, "opentelemetry-distro", "there is no opentelemetry-instrument to read it"),
)
"""Variables whose value, where it has this in it, needs a package; and what happens without."""


def settings(subject: Subject) -> Finding:
    """Read all settings as the exporter does."""
    try:
        Config.read(subject.given, subject.environment)
    except ConfigError as error:
        wrong = [fault for fault in error.faults if fault not in unknown_variables(subject.environment)]
        if wrong:
            return failed("\n".join(wrong), "correct what is named; the table of settings is `otel-rum config`")
    given = sum(reading.place is not None for reading in subject.readings.values())
    return ok(f"{given} of {len(subject.readings)} are set, the others have their defaults")


def variables(subject: Subject) -> Finding:
    """Find variables that look like settings and are none."""
    unknown = unknown_variables(subject.environment)
    return failed("\n".join(unknown), "rename or unset them") if unknown else ok("none is misspelt")


def packages(subject: Subject) -> Finding:
    """Find packages that the variables need."""
    for name, asked, package, consequence in NEEDS:
        value = subject.environment.get(name, "")
        if value and asked in value and not _is_installed(package):
            return failed(f"{name}={value} needs {package}: {consequence}", f"pip install {package}")
    return ok(f"boto3 {metadata.version('boto3')}, opentelemetry-sdk {metadata.version('opentelemetry-sdk')}")


def exporter(subject: Subject) -> Finding:
    """See whether the environment switches the exporter on."""
    told = {name: subject.environment.get(name, "") for name in ("OTEL_TRACES_EXPORTER", "OTEL_LOGS_EXPORTER")}
    if subject.environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return failed("OTEL_SDK_DISABLED=true switches all telemetry off", "unset OTEL_SDK_DISABLED")
    switched_on = [name for name, value in told.items() if EXPORTER in [one.strip() for one in value.split(",")]]
    if switched_on:
        return ok(f"{EXPORTER} in {' and '.join(switched_on)}")
    if subject.environment.get("OTEL_CONFIG_FILE"):
        raise Unknown("OTEL_CONFIG_FILE decides, and is not read here")
    return warning(
        f"the environment does not switch {EXPORTER} on", f"set OTEL_TRACES_EXPORTER={EXPORTER}, unless code does it"
    )


def region(subject: Subject) -> Finding:
    """See whether there is a region, and one that has RUM."""
    name = subject.region
    place = subject.named("region") if subject.config.region else "the AWS profile"
    if name is None:
        if subject.is_local and not subject.is_signed:
            raise Unknown("an endpoint on this computer needs none")
        return failed("no region is set", f"set {variable('region')} or AWS_REGION to the region of the app monitor")
    known = [
        one
        for partition in subject.session.get_available_partitions()
        for one in subject.session.get_available_regions("rum", partition)
    ]
    if name in known:
        return ok(f"{name}, from {place}")
    near = difflib.get_close_matches(name, known, n=1)
    return Finding(
        Status.WARNING if subject.is_local else Status.FAILED,
        f"{name!r}, from {place}, is no region that boto3 knows RUM in",
        f"did you mean {near[0]}?" if near else "use the region that is in the app monitor's ARN",
    )


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
