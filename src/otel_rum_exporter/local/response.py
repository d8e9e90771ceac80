"""Answers to requests as values; `http_response` builds HTTP responses from them."""

from __future__ import annotations

from dataclasses import dataclass

_OK = 200
_ERROR = 400

# Errors of PutRumEvents in the service model, and errors of API gateways in front of it.
_ERROR_TYPES = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    413: "RequestEntityTooLargeException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `error_type` None: RUM's error type for the status.

    `retry_after` is in seconds, or an HTTP date. `html` replaces RUM's body.
    """

    status: int = _OK
    error_type: str | None = None
    message: str | None = None
    retry_after: int | str | None = None
    html: str | None = None

    @property
    def is_error(self) -> bool:
        """Whether the answer has an error type and a message."""
        return self.status >= _ERROR

    @property
    def wire_error_type(self) -> str:
        """The error type to send."""
        return self.error_type or _ERROR_TYPES.get(self.status, "UnknownException")

    @property
    def wire_message(self) -> str:
        """The message to send."""
        return self.message or f"planned answer {self.status}"


class RequestError(Exception):
    """A request is refused; `answer` is the answer to send."""

    def __init__(
        self, status: int, message: str, error_type: str | None = None, *, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.answer = Answer(status, error_type, message, retry_after)
