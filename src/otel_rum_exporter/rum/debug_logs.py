"""Remove secrets from botocore's DEBUG lines about the exporter's own requests. They hold session tokens and keys."""

from __future__ import annotations

import logging

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from .._secrets import without_secrets

PACKAGES = ("boto3", "botocore", "urllib3")
"""A filter of a logger does not apply to the loggers below it, so each of these packages' loggers gets it."""

_FORMATTER = logging.Formatter()


class _Redaction(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        # The lines of the application's own AWS clients stay as they are.
        if record.levelno <= logging.DEBUG and otel_context.get_value(_SUPPRESS_INSTRUMENTATION_KEY):
            record.msg, record.args = without_secrets(record.getMessage()), None
            if record.exc_info:
                record.exc_text = without_secrets(_FORMATTER.formatException(record.exc_info))
                record.exc_info = None
        return True


_REDACTION = _Redaction()


def redact_debug_logs() -> None:
    """Add the filter to the loggers that exist, once."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in PACKAGES:
            logging.getLogger(name).addFilter(_REDACTION)
