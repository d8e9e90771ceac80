"""The exporters that the SDK calls: `RumSpanExporter` and `RumLogExporter`."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .._log import log_line
from .._settings import Settings
from ..config import Config, ConfigError, unknown_variables
from ..ledger import LedgerSnapshot
from .registry import SharedPipeline

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..rum.client import RumClient


# Exporters of spans and of log records have the same settings, which are logged once.
@functools.lru_cache(maxsize=64)
def _log_disabled(error: str) -> None:
    log_line(logging.ERROR, "the exporter is disabled: %s.", error)


@functools.lru_cache(maxsize=64)
def _log_unknown(line: str) -> None:
    log_line(logging.WARNING, "%s.", line)


class RumExporter:
    """The settings and the shared pipeline of an exporter.

    A setting comes from its keyword argument, else from its environment variable, which has the prefix
    `OTEL_EXPORTER_AWS_RUM_`. Exporters of equal settings share one pipeline. Thread-safe, also after a fork.

    Args:
        client: A boto3 `rum` client to send with; None makes one with the first events.
        **settings: See `Config`.

    Raises:
        ConfigError: a setting is wrong, and at least one argument was given. Without arguments, as the SDK makes an
            exporter from the environment, the error is logged and the exporter stays disabled: an exception would
            switch off all telemetry of the application.
    """

    def __init__(self, *, client: RumClient | None = None, **settings: Unpack[Settings]) -> None:
        self._shared: SharedPipeline | None = None
        self._is_shut_down = False
        try:
            config = Config.read(settings, os.environ)
        except ConfigError as error:
            if settings or client is not None:
                raise
            _log_disabled(str(error))
        else:
            for line in unknown_variables(os.environ):
                _log_unknown(line)
            self._shared = SharedPipeline(config, client)

    @property
    def ledger(self) -> LedgerSnapshot:
        """Counts of the telemetry that exporters of these settings were given in this process, up to now."""
        return LedgerSnapshot() if self._shared is None else self._shared.ledger

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until every accepted event is delivered or dropped; return false if time runs out."""
        return self._shared is None or self._shared.flush(timeout_millis / 1000)

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """Send the queued events within `timeout_millis` and the setting of that name; later exports fail."""
        is_first = not self._is_shut_down
        self._is_shut_down = True
        if self._shared is not None and is_first:
            self._shared.leave(timeout_millis / 1000)


class RumSpanExporter(RumExporter, SpanExporter):
    """Export finished spans to Amazon CloudWatch RUM."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Accept finished spans; return FAILURE if the exporter is disabled or shut down, and accepts none."""
        if self._shared is None or self._is_shut_down:
            return SpanExportResult.FAILURE
        self._shared.export(lambda pipeline: pipeline.add_spans(spans))
        return SpanExportResult.SUCCESS


class RumLogExporter(RumExporter, LogRecordExporter):
    """Export log records that are events or exceptions to Amazon CloudWatch RUM; other log records are ignored."""

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Accept log records; return FAILURE if the exporter is disabled or shut down, and accepts none."""
        if self._shared is None or self._is_shut_down:
            return LogRecordExportResult.FAILURE
        self._shared.export(lambda pipeline: pipeline.add_log_records(batch))
        return LogRecordExportResult.SUCCESS
