"""The table of checks, and the function that runs them, each with a time-out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...rum.client import suppressed_instrumentation
from . import app_monitor, aws, environment, exporters, sending, span, spool
from .context import Context
from .result import Result, Skip, Status, failed, result_of

LIMIT_SECONDS = 20.0
"""The time-out of one check. A name server or a credential process has no time-out of its own."""


@dataclass(frozen=True, slots=True)
class Check:
    """A row of the table. `about` is the claim that `run` checks."""

    name: str
    about: str
    run: Callable[[Context], Result]


TEST_EVENT = Check("test event", "RUM accepts an event from this process", sending.test_event)

CHECKS = (
    Check("settings", "every setting is valid", environment.settings),
    Check("variables", "no variable is a misspelt setting", environment.variables),
    Check("packages", "the packages that the variables need are installed", environment.packages),
    Check(
        "exporter", "the environment switches the exporter on, and each exporter it names exists", exporters.exporter
    ),
    Check("sampler", "the SDK records spans", exporters.sampler),
    Check("span", "a span becomes an event with these settings", span.becomes_event),
    Check("spool", "the spool can be written, and no events wait there for other settings", spool.spool),
    Check("region", "a region is set, and RUM is available there", environment.region),
    Check("endpoint", "RUM's data plane responds at the endpoint", aws.endpoint),
    Check("credentials", "there are AWS credentials to sign with", aws.credentials),
    Check("identity", "AWS accepts the credentials", aws.identity),
    Check("clock", "the clock differs from AWS's by less than 5 minutes", aws.clock),
    Check("app monitor", "the app monitor with this id exists in the region", app_monitor.monitor),
    Check("custom events", "the app monitor accepts custom events if they are sent", app_monitor.custom_events),
    Check("X-Ray", "the app monitor has X-Ray enabled if X-Ray events are sent", app_monitor.xray),
    Check("resource policy", "unsigned requests are allowed if they are sent", app_monitor.resource_policy),
    TEST_EVENT,
)
"""In order: a check uses what the checks before it put into the context."""

_WITHOUT_NETWORK = frozenset({"settings", "variables", "packages", "exporter", "sampler", "span"})


def run_checks(context: Context, checks: Sequence[Check] = CHECKS) -> Iterator[tuple[Check, Result]]:
    """Run the checks in order, and yield their results; a failure with the same message as an earlier one is skipped.

    An exception in a check becomes its result, and the next check runs.
    """
    first_with: dict[str, str] = {}
    for check in checks:
        if context.readings["endpoint"].fault and check.name not in _WITHOUT_NETWORK:
            # With a malformed endpoint the next checks would ask AWS instead, and send it the test event.
            yield check, Result(Status.SKIPPED, "the endpoint is malformed")
            continue
        result = _run_bounded(check, context)
        if result.status is Status.FAILED and first_with.setdefault(result.message, check.name) != check.name:
            result = Result(Status.SKIPPED, f"for the same reason as {first_with[result.message]}")
        yield check, result


def _run_bounded(check: Check, context: Context) -> Result:
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(_run(check, context)), daemon=True)
    thread.start()
    thread.join(LIMIT_SECONDS)
    return results[0] if results else failed(f"no response within {LIMIT_SECONDS:.0f} s", "check network and proxy")


def _run(check: Check, context: Context) -> Result:
    with suppressed_instrumentation():
        try:
            return check.run(context)
        except Skip as reason:
            return Result(Status.SKIPPED, str(reason))
        except Exception as error:  # noqa: BLE001 - every exception is a result
            return result_of(error)
