"""What a check finds."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ...rum.errors import Disposition, outcome_of


class Status(enum.Enum):
    """How it stands."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and what mends it; `fix` is empty where nothing needs to be done."""

    status: Status
    told: str
    fix: str = ""


class WebPageError(Exception):
    """What answered is a web page, and not AWS."""


class Unknown(Exception):  # noqa: N818 - no error: the check is skipped
    """Something a check needs is not known; the message says what."""


_NETWORK = "sign in to the network, set HTTPS_PROXY, or except the host with NO_PROXY"
_MISREAD = frozenset({"KeyError", "ResponseParserError"})
"""What botocore raises when it looks for AWS's words in those of somebody else."""


def ok(told: str) -> Finding:
    """Return that there is nothing to do."""
    return Finding(Status.OK, told)


def warning(told: str, fix: str) -> Finding:
    """Return what may be wrong, or will be."""
    return Finding(Status.WARNING, told, fix)


def failed(told: str, fix: str) -> Finding:
    """Return what keeps telemetry from arriving."""
    return Finding(Status.FAILED, told, fix)


def of_error(error: Exception, *, is_needed: bool = True) -> Finding:
    """Return what an exception means, as the transport's tables have it.

    Not to be reached is no failure where sending does not need it: networks may let only RUM's data plane through.
    """
    if isinstance(error, WebPageError):
        return failed("a web page answered in place of AWS, as proxies and network sign-ins do", _NETWORK)
    if type(error).__name__ in _MISREAD:
        return warning("the answer is not AWS's", _NETWORK)
    outcome = outcome_of(error)
    is_fatal = is_needed or outcome.disposition is not Disposition.RETRY
    return Finding(
        Status.FAILED if is_fatal else Status.WARNING, outcome.cause, outcome.advice or "nothing, unless it lasts"
    )
