"""Errors of requests: one table of their HTTP status, gRPC code and whether clients retry.

Clients retry after 429, 502, 503 and 504 over HTTP and after UNAVAILABLE over gRPC. They drop the telemetry after any
other error. https://opentelemetry.io/docs/specs/otlp/#failures
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Meaning(NamedTuple):
    """HTTP status, number of the gRPC code, and whether the client should retry."""

    http_status: int
    grpc_code: int
    is_retryable: bool = False


class Reason(enum.Enum):
    """All reasons.

    https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
    """

    UNDECODABLE = Meaning(400, 3)
    UNAUTHENTICATED = Meaning(401, 16)
    UNKNOWN_PATH = Meaning(404, 12)
    WRONG_METHOD = Meaning(405, 12)
    TOO_SLOW = Meaning(408, 4)
    TOO_LARGE = Meaning(413, 8)
    UNSUPPORTED = Meaning(415, 3)
    THROTTLED = Meaning(429, 14, is_retryable=True)
    INTERNAL = Meaning(500, 13)
    OVERLOADED = Meaning(503, 14, is_retryable=True)


class RequestError(Exception):
    """A request failed. The message is sent to the client, so it must contain no secrets."""

    def __init__(self, reason: Reason, message: str, retry_after_seconds: int = 1) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after_seconds = retry_after_seconds if reason.value.is_retryable else None
