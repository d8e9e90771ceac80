"""The exporters of `otel-rum record`, which append OTLP JSON lines to its file.

They run in the recorded program, which knows neither click nor the command.
"""

from __future__ import annotations

import io
import os
from typing import Any

from opentelemetry.exporter.otlp.json.file._log_exporter import FileLogExporter
from opentelemetry.exporter.otlp.json.file.trace_exporter import FileSpanExporter

EXPORTER = "otel_rum_record"
FILE_VARIABLE = "OTEL_RUM_RECORD_FILE"


def _open() -> io.TextIOWrapper:
    """Open the file so that each line is one appending write: processes and threads share the file."""
    return io.TextIOWrapper(io.FileIO(os.environ[FILE_VARIABLE], "a"), encoding="utf-8", write_through=True)


class RecordedSpans(FileSpanExporter):
    """Appends spans to the file in `OTEL_RUM_RECORD_FILE`."""

    def __init__(self) -> None:
        self._file = _open()
        super().__init__(stream=self._file)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Close the file."""
        super().shutdown(timeout_millis, **kwargs)
        self._file.close()


class RecordedLogRecords(FileLogExporter):
    """Appends log records to the file in `OTEL_RUM_RECORD_FILE`."""

    def __init__(self) -> None:
        self._file = _open()
        super().__init__(stream=self._file)

    def shutdown(self) -> None:
        """Close the file."""
        super().shutdown()
        self._file.close()
