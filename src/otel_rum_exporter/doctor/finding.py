"""What a check finds."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..outcome import outcome_of


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


class Unknown(Exception):  # noqa: N818 - no error: the check is skipped
    """Something a check needs is not known; the message says what."""


def ok(told: str) -> Finding:
    """Return that there is nothing to do."""
    return Finding(Status.OK, told)


def warning(told: str, fix: str) -> Finding:
    """Return what may be wrong, or will be."""
    return Finding(Status.WARNING, told, fix)


def failed(told: str, fix: str) -> Finding:
    """Return what keeps telemetry from arriving."""
    return Finding(Status.FAILED, told, fix)


def of_error(error: Exception) -> Finding:
    """Return a failure with what an exception means, as the transport's tables have it."""
    outcome = outcome_of(error)
    return failed(outcome.cause, outcome.advice or "nothing, unless it lasts")
