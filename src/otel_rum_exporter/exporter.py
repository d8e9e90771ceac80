"""The door from the SDK: `RumSpanExporter`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .config import Config, ConfigError, Settings
from .pipeline import Pipeline
from .telemetry import LOGGER, Ledger
from .transport import RumClient

if TYPE_CHECKING:
    from typing_extensions import Unpack


class RumSpanExporter(SpanExporter):
    """Export spans to Amazon CloudWatch RUM.

    Settings come from the keyword arguments, else from the environment variables of the same names with the
    prefix `OTEL_EXPORTER_AWS_RUM_`. Safe to use from several threads, and after a fork.

    Args:
        client: A boto3 `rum` client to send with, as it is; None makes one with the first spans.
        **settings: See `Config`.

    Raises:
        ConfigError: when anything was given and a setting is wrong. With no arguments at all, as the SDK
            constructs it from the environment, a wrong setting is logged and the exporter stays disabled, so
            that the application's other telemetry works.
    """

    def __init__(self, *, client: RumClient | None = None, **settings: Unpack[Settings]) -> None:
        self._client = client
        self._config: Config | None = None
        self._pipelines: dict[int, Pipeline] = {}
        self._is_shut_down = False
        try:
            self._config = Config.read(settings, os.environ)
        except ConfigError as error:
            if settings or client is not None:
                raise
            LOGGER.error("Nothing is sent to CloudWatch RUM: %s.", error)
            return
        self._pipeline(self._config).start()

    @property
    def ledger(self) -> Ledger:
        """What became of the events that this process gave."""
        return Ledger() if self._config is None else self._pipeline(self._config).ledger

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Accept finished spans; FAILURE says that the exporter is disabled or shut down, and took none."""
        if self._config is None or self._is_shut_down:
            return SpanExportResult.FAILURE
        self._pipeline(self._config).export(spans)
        return SpanExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until everything accepted is delivered; false when `timeout_millis` did not suffice."""
        return self._config is None or self._pipeline(self._config).flush(timeout_millis / 1000)

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """Deliver what is stored, within `timeout_millis` and the exporter's own time-out; later exports fail."""
        self._is_shut_down = True
        if self._config is not None:
            self._pipeline(self._config).close(timeout_millis / 1000)

    def _pipeline(self, config: Config) -> Pipeline:
        """Return the pipeline of this process.

        Threads, connections and what the parent stored stay behind a fork. No lock, which another thread of the
        parent could hold at that moment for ever; `setdefault` is atomic.
        """
        process_id = os.getpid()
        return self._pipelines.get(process_id) or self._pipelines.setdefault(process_id, Pipeline(config, self._client))
