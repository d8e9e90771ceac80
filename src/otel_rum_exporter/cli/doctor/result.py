"""The result of a check."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ...rum.errors import Disposition, outcome_of


class Status(enum.Enum):
    """Whether a check passed."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one check. `fix` is empty if there is nothing to fix."""

    status: Status
    message: str
    fix: str = ""


class WebPageError(Exception):
    """The response is a web page, not an AWS response."""


class Skip(Exception):  # noqa: N818 - not an error
    """A check cannot be made. The message gives the reason."""


NOT_RUM = "the endpoint is not RUM's data plane"
WAIT_FIRST = "retry later; report it only if it persists"

_NETWORK = "sign in to the network, set HTTPS_PROXY, or add the host to NO_PROXY"
_UNREADABLE_RESPONSE = frozenset({"KeyError", "ResponseParserError"})
"""The exceptions of botocore for a response without AWS's elements."""


def ok(message: str) -> Result:
    """Return the result of a check that passed."""
    return Result(Status.OK, message)


def warning(message: str, fix: str) -> Result:
    """Return the result of a check that found a possible cause."""
    return Result(Status.WARNING, message, fix)


def failed(message: str, fix: str) -> Result:
    """Return the result of a check that found a cause."""
    return Result(Status.FAILED, message, fix)


def result_of(error: Exception, *, is_needed: bool = True) -> Result:
    """Return the result for an exception, with the cause and the fix of the error tables in `rum`.

    A host that cannot be reached is only a warning if sending does not need it, because a network may allow nothing but
    RUM's data plane.
    """
    if isinstance(error, WebPageError):
        return failed("the response is a web page, not AWS's, as from a proxy or a network sign-in", _NETWORK)
    if type(error).__name__ in _UNREADABLE_RESPONSE:
        return warning("the response is not AWS's", _NETWORK)
    outcome = outcome_of(error)
    is_fatal = is_needed or outcome.disposition is not Disposition.RETRY
    return Result(Status.FAILED if is_fatal else Status.WARNING, outcome.cause, outcome.advice or WAIT_FIRST)
