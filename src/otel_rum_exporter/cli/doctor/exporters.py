"""Checks of what OpenTelemetry's variables switch on: exporters and sampler."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from importlib import metadata
from typing import NamedTuple

from ...config import variable
from ..packages import is_installed
from .context import Context
from .result import Result, Skip, failed, ok, warning

EXPORTER = "aws_rum"


class Signal(NamedTuple):
    """The variable and the entry points of the exporters of one signal. `ours` is the value without other exporters."""

    variable: str
    group: str
    ours: str


TRACES = Signal("OTEL_TRACES_EXPORTER", "opentelemetry_traces_exporter", EXPORTER)
LOGS = Signal("OTEL_LOGS_EXPORTER", "opentelemetry_logs_exporter", EXPORTER)
METRICS = Signal("OTEL_METRICS_EXPORTER", "opentelemetry_metrics_exporter", "none")

PACKAGES = {
    "otlp_proto_grpc": "opentelemetry-exporter-otlp-proto-grpc",
    "otlp_proto_http": "opentelemetry-exporter-otlp-proto-http",
    "prometheus": "opentelemetry-exporter-prometheus",
    "zipkin": "opentelemetry-exporter-zipkin",
}
"""The package of each well-known exporter."""

_SAMPLERS = "opentelemetry_traces_sampler"
_OTLP, _OTLP_OF = "otlp", {"http/protobuf": "otlp_proto_http"}
_DISTRO = "opentelemetry-distro"
_UNSET_SAMPLER = f"unset OTEL_TRACES_SAMPLER; to send a share of the sessions, set {variable('session_sample_rate')}"


def exporter(context: Context) -> Result:
    """Check whether the environment switches the exporter on, and whether each exporter that it names exists.

    The SDK exports nothing at all if one exporter does not exist.
    """
    if context.is_sdk_disabled:
        return failed("OTEL_SDK_DISABLED=true switches all telemetry off", "unset OTEL_SDK_DISABLED")
    if context.environment.get("OTEL_CONFIG_FILE"):
        raise Skip("OTEL_CONFIG_FILE sets the exporters; this command does not read the file")
    missing = [fault for signal in (TRACES, LOGS, METRICS) for fault in _missing(context, signal)]
    if missing:
        return failed("\n".join(message for message, _ in missing), "\n".join(fix for _, fix in missing))
    spans = context.environment.get(TRACES.variable, "").strip()
    if spans and EXPORTER not in _names(context, TRACES):
        fix = f"set {TRACES.variable}={EXPORTER}, or add {EXPORTER} after a comma"
        return failed(f"{TRACES.variable}={spans} sends no spans to RUM", fix)
    enabled_by = [signal.variable for signal in (TRACES, LOGS) if EXPORTER in _names(context, signal)]
    if TRACES.variable in enabled_by:
        return ok(f"{EXPORTER} in {' and '.join(enabled_by)}")
    return warning(
        f"{EXPORTER} in {LOGS.variable} alone: log records are sent, and no spans"
        if enabled_by
        else f"the environment does not switch {EXPORTER} on",
        f"set {TRACES.variable}={EXPORTER}, unless your code creates the exporter",
    )


def sampler(context: Context) -> Result:
    """Check whether the SDK's sampler records spans."""
    name = context.environment.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    argument = context.environment.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    if not name:
        return ok("the SDK's default records every span")
    if name.endswith("always_off"):
        return failed(f"OTEL_TRACES_SAMPLER={name}: the SDK records no span", _UNSET_SAMPLER)
    share = _ratio(argument) if name.endswith("traceidratio") else 1
    known = sorted({point.name for point in metadata.entry_points(group=_SAMPLERS)})
    if share is None or name not in known:
        value = f"OTEL_TRACES_SAMPLER_ARG={argument} is no ratio" if share is None else f"{name} is no known sampler"
        similar = difflib.get_close_matches(name, known, n=1)
        fix = f"set OTEL_TRACES_SAMPLER={similar[0]}, or unset it" if similar else "unset OTEL_TRACES_SAMPLER"
        fix = "set it to a number from 0 to 1" if share is None else fix
        return warning(f"{value}, and the SDK records every span", fix)
    if share == 0:
        return failed(f"OTEL_TRACES_SAMPLER_ARG={argument}: the SDK records no span", _UNSET_SAMPLER)
    if share < 1:
        return warning(f"OTEL_TRACES_SAMPLER_ARG={argument}: parts of each session are missing in RUM", _UNSET_SAMPLER)
    return ok(f"OTEL_TRACES_SAMPLER={name}")


def _ratio(argument: str) -> float | None:
    """Return the share of traces that the SDK records; None if it does not use the argument."""
    try:
        share = float(argument or 1)
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None


def _names(context: Context, signal: Signal) -> list[str]:
    """Return the exporters of a signal. The distro sets a variable that is not set."""
    default = _OTLP if is_installed(_DISTRO) else ""
    value = context.environment.get(signal.variable, default)
    return [name for each in value.split(",") if (name := each.strip()) and name != "none"]


def _missing(context: Context, signal: Signal) -> Iterator[tuple[str, str]]:
    """Yield a message and a fix for each exporter that no installed package has."""
    known = sorted({point.name for point in metadata.entry_points(group=signal.group)})
    for name in _names(context, signal):
        protocol = context.environment.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")
        point = _OTLP_OF.get(protocol, "otlp_proto_grpc") if name == _OTLP else name
        if point in known:
            continue
        is_set = signal.variable in context.environment
        value = f"{signal.variable}={name}" if is_set else f"{signal.variable} is not set, and {_DISTRO} sets {name}"
        message = f"{value}: no installed package has this exporter, so no telemetry at all is exported"
        similar = difflib.get_close_matches(name, known, n=1)
        if point in PACKAGES:
            yield message, f"set {signal.variable}={signal.ours}, or pip install {PACKAGES[point]}"
        else:
            yield message, f"set {signal.variable}={similar[0] if similar else signal.ours}"
