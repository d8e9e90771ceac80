"""The doors from the SDK: `RumSpanExporter` and `RumLogExporter`."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .._log import log_line
from ..config import Config, ConfigError, Settings, unknown_variables
from ..ledger import Ledger
from .registry import SharedPipeline

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..rum.client import RumClient


class RumExporter:
    """What both exporters have in common: settings, and a pipeline shared by all with the same ones.

    Settings come from the keyword arguments, else from the environment variables of the same names with the
    prefix `OTEL_EXPORTER_AWS_RUM_`. Safe to use from several threads, and after a fork.

    Args:
        client: A boto3 `rum` client to send with, as it is; None makes one with the first events.
        **settings: See `Config`.

    Raises:
        ConfigError: when anything was given and a setting is wrong. With no arguments at all, as the SDK
            constructs it from the environment, a wrong setting is logged and the exporter stays disabled, so
            that the application's other telemetry works.
    """

    def __init__(self, *, client: RumClient | None = None, **settings: Unpack[Settings]) -> None:
        self._shared: SharedPipeline | None = None
        self._is_shut_down = False
        try:
            config = Config.read(settings, os.environ)
        except ConfigError as error:
            if settings or client is not None:
                raise
            log_line(logging.ERROR, "nothing is sent: %s.", error)
        else:
            for line in unknown_variables(os.environ):
                log_line(logging.WARNING, "%s.", line)
            self._shared = SharedPipeline(config, client)

    @property
    def ledger(self) -> Ledger:
        """What became of the events that this process gave to exporters of these settings."""
        return Ledger() if self._shared is None else self._shared.pipeline.ledger

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until everything accepted is delivered; false when `timeout_millis` did not suffice."""
        return self._shared is None or self._shared.pipeline.flush(timeout_millis / 1000)

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """Deliver what is stored, within `timeout_millis` and the exporter's own time-out; later exports fail."""
        is_first = not self._is_shut_down
        self._is_shut_down = True
        if self._shared is not None and is_first:
            self._shared.leave(timeout_millis / 1000)


class RumSpanExporter(RumExporter, SpanExporter):
    """Export finished spans to Amazon CloudWatch RUM."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Accept finished spans; FAILURE says that the exporter is disabled or shut down, and took none."""
        if self._shared is None or self._is_shut_down:
            return SpanExportResult.FAILURE
        self._shared.pipeline.export_spans(spans)
        return SpanExportResult.SUCCESS


class RumLogExporter(RumExporter, LogRecordExporter):
    """Export log records that are events or exceptions to Amazon CloudWatch RUM; plain lines stay at home."""

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Accept log records; FAILURE says that the exporter is disabled or shut down, and took none."""
        if self._shared is None or self._is_shut_down:
            return LogRecordExportResult.FAILURE
        self._shared.pipeline.export_log_records(batch)
        return LogRecordExportResult.SUCCESS
