"""The exporters to compare, each with its default settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

APP_MONITOR_ID = "1c9a2b4e-8f30-4d63-9c55-7e1d2a3b4c5d"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "example" * 90,
    "AWS_EC2_METADATA_DISABLED": "true",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
}
"""Credentials as long as those of a role. Azure's exporter sends no statistics about itself."""


class NoOp(SpanExporter):
    """An exporter that does nothing, to measure the application and its SDK alone."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - the name is the SDK's
        return SpanExportResult.SUCCESS


def _aws_rum(endpoint: str, **settings: Any) -> SpanExporter:
    from otel_rum_exporter import RumSpanExporter

    return RumSpanExporter(app_monitor_id=APP_MONITOR_ID, region="eu-central-1", endpoint=endpoint, **settings)


def _otlp_protobuf(endpoint: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(f"{endpoint}/v1/traces", compression=Compression.Gzip)


def _otlp_json(endpoint: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.common.http import Compression
    from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter

    exporter: SpanExporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", compression=Compression.GZIP)
    return exporter


def _naive(endpoint: str) -> SpanExporter:
    from .naive import NaiveExporter

    return NaiveExporter(app_monitor_id=APP_MONITOR_ID, endpoint=endpoint)


def _azure(endpoint: str) -> SpanExporter:
    from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter

    # It reads the resource of the global provider, and logs many lines without one.
    trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
    key = "InstrumentationKey=1c9a2b4e-8f30-4d63-9c55-7e1d2a3b4c5d"
    exporter: SpanExporter = AzureMonitorTraceExporter(
        connection_string=f"{key};IngestionEndpoint={endpoint}/", disable_offline_storage=True
    )
    return exporter


EXPORTERS: dict[str, Callable[..., SpanExporter]] = {
    "aws_rum": _aws_rum,
    "otlp": _otlp_protobuf,
    "otlp_json": _otlp_json,
    "naive": _naive,
    "azure": _azure,
    "none": lambda _: NoOp(),
}


def exporter(name: str, endpoint: str, **settings: Any) -> SpanExporter:
    """Return an exporter that sends to `endpoint`."""
    os.environ.update(ENVIRONMENT)
    return EXPORTERS[name](endpoint, **settings)
