"""The table of checks, in the order in which they build on one another, and how they are made within their time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...rum.client import suppressed_instrumentation
from . import app_monitor, aws, environment, sending
from .context import Subject
from .result import Finding, Status, Unknown, failed, of_error

LIMIT_SECONDS = 20.0
"""For one check: nothing else bounds a name server, or a program that is asked for credentials."""


@dataclass(frozen=True, slots=True)
class Check:
    """A row of the table: its name, what it sees to, and how."""

    name: str
    about: str
    run: Callable[[Subject], Finding]


SENDING = Check("test event", "RUM takes an event from here", sending.test_event)

CHECKS = (
    Check("settings", "every setting can be read", environment.settings),
    Check("variables", "no variable is a misspelt setting", environment.variables),
    Check("packages", "what the variables name is installed", environment.packages),
    Check("exporter", "the environment switches the exporter on", environment.exporter),
    Check("region", "there is one, and it has RUM", environment.region),
    Check("endpoint", "RUM's data plane answers there", aws.endpoint),
    Check("credentials", "something signs", aws.credentials),
    Check("identity", "AWS knows who signs", aws.identity),
    Check("clock", "it agrees with AWS's within 5 minutes", aws.clock),
    Check("app monitor", "it exists, by its id, in the region", app_monitor.monitor),
    Check("custom events", "the app monitor takes them where they are sent", app_monitor.custom_events),
    Check("X-Ray", "the app monitor shows what is sent", app_monitor.xray),
    Check("resource policy", "unsigned requests are let in where they are sent", app_monitor.resource_policy),
    SENDING,
)


def diagnose(subject: Subject, checks: Sequence[Check] = CHECKS) -> Iterator[tuple[Check, Finding]]:
    """Make the checks one after another; whatever happens to one, the next is made, and each cause is told once."""
    told: dict[str, str] = {}
    for check in checks:
        finding = _bounded(check, subject)
        if finding.status is Status.FAILED and told.setdefault(finding.told, check.name) != check.name:
            finding = Finding(Status.SKIPPED, f"for the same reason as {told[finding.told]}")
        yield check, finding


def _bounded(check: Check, subject: Subject) -> Finding:
    found: list[Finding] = []
    thread = threading.Thread(target=lambda: found.append(_made(check, subject)), daemon=True)
    thread.start()
    thread.join(LIMIT_SECONDS)
    return (
        found[0] if found else failed(f"no answer within {LIMIT_SECONDS:.0f} s", "look whether network and proxy work")
    )


def _made(check: Check, subject: Subject) -> Finding:
    with suppressed_instrumentation():
        try:
            return check.run(subject)
        except Unknown as reason:
            return Finding(Status.SKIPPED, str(reason))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            return of_error(error)
