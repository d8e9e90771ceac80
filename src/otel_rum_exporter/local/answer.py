"""What a request is answered with, and the answers that tests plan ahead.

HTTP responses are made from these values in `dataplane`; nothing here knows the web server.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

_OK = 200
_ERROR = 400

# The errors that the service model of PutRumEvents lists, and what API gateways in front of it add.
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
    """One answer; without `error_type` and `message` an error says what its status means in RUM."""

    status: int = _OK
    error_type: str | None = None
    message: str | None = None
    retry_after_seconds: int | None = None

    @property
    def is_error(self) -> bool:
        """Whether the answer carries an error type and a message."""
        return self.status >= _ERROR

    @property
    def wire_error_type(self) -> str:
        """The error type to send."""
        return self.error_type or _ERROR_TYPES.get(self.status, "UnknownException")

    @property
    def wire_message(self) -> str:
        """The message to send."""
        return self.message or f"planned answer {self.status}"


class AnswerPlan:
    """The answers to give instead of accepting, in order, and how long any answer takes; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: deque[Answer] = deque()
        self.delay_seconds = 0.0

    def add(self, answer: Answer, times: int) -> None:
        """Queue an answer for the next `times` requests that have none yet."""
        with self._lock:
            self._answers.extend([answer] * times)

    def take(self) -> Answer | None:
        """Remove and return the next planned answer, None when the plan is used up."""
        with self._lock:
            return self._answers.popleft() if self._answers else None

    def clear(self) -> None:
        """Forget the planned answers and the delay."""
        with self._lock:
            self._answers.clear()
            self.delay_seconds = 0.0
