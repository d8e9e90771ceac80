"""Remove secrets from botocore's DEBUG lines about the exporter's own requests. They hold session tokens and keys."""

from __future__ import annotations

import logging

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from .._secrets import without_secrets

LOGGERS = (
    *("botocore.auth", "botocore.awsrequest", "botocore.credentials", "botocore.endpoint", "botocore.hooks"),
    *("botocore.httpsession", "botocore.parsers", "botocore.retryhandler", "botocore.tokens", "botocore.utils"),
)
"""A filter of a logger does not apply to the loggers below it."""


class _Redaction(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        # The lines of the application's own AWS clients stay as they are.
        if record.levelno <= logging.DEBUG and otel_context.get_value(_SUPPRESS_INSTRUMENTATION_KEY):
            record.msg, record.args = without_secrets(record.getMessage()), None
        return True


_REDACTION = _Redaction()


def redact_debug_logs() -> None:
    """Add the filter to botocore's loggers, once."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_REDACTION)
