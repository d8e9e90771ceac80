"""Error responses: one table of their HTTP status, their gRPC code, and whether clients retry.

Clients retry after 429, 502, 503 and 504 over HTTP and after UNAVAILABLE over gRPC. They drop the telemetry after any
other error. https://opentelemetry.io/docs/specs/otlp/#failures
"""

from __future__ import annotations

import enum
from typing import NamedTuple

UNEXPECTED_ERROR = (
    "CloudWatch RUM: an export request failed unexpectedly; it got an error response, and its client does not retry. "
    "To fix: report this traceback"
)
"""The log line of an exception in the gateway itself. The client gets no details of it."""


class Codes(NamedTuple):
    """The HTTP status, the number of the gRPC code, and whether the client should retry."""

    http_status: int
    grpc_code: int
    is_retryable: bool = False


class Reason(enum.Enum):
    """The reasons of error responses.

    https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
    """

    UNDECODABLE = Codes(400, 3)
    UNAUTHENTICATED = Codes(401, 16)
    DISALLOWED = Codes(403, 7)
    UNKNOWN_PATH = Codes(404, 12)
    WRONG_METHOD = Codes(405, 12)
    TOO_SLOW = Codes(408, 4)
    TOO_LARGE = Codes(413, 8)
    UNSUPPORTED = Codes(415, 3)
    THROTTLED = Codes(429, 14, is_retryable=True)
    INTERNAL = Codes(500, 13)
    OVERLOADED = Codes(503, 14, is_retryable=True)


class RequestError(Exception):
    """A request gets an error response. The message is sent to the client, so it must contain no secrets."""

    def __init__(self, reason: Reason, message: str, retry_after_seconds: int = 1) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after_seconds = retry_after_seconds if reason.value.is_retryable else None

    def copy(self) -> RequestError:
        """Return the same error without traceback and context, which may refer to the body of the request."""
        return RequestError(self.reason, self.message, self.retry_after_seconds or 0)
