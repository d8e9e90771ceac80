"""A program that logs an exception with structlog through the standard library's logging."""

from __future__ import annotations

import logging

import structlog

logging.basicConfig(format="%(message)s", level=logging.INFO)
structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
)
log = structlog.get_logger("report")


def total(sales: dict[str, int]) -> int:
    """Fail for a report without a total."""
    return sales["total"]


log.info("report.started", pages=2)
try:
    total({})
except KeyError:
    log.exception("report.failed", pages=2)
