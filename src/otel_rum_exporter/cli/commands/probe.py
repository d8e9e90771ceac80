"""`otel-rum probe`: measure in your own account what AWS does not document."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ..._config_fields import amount
from .. import FAILED, MISUSED, fail
from ..options import CommandWithSettings, Value, takes_settings
from ..output import heading, print_json, print_table, report

if TYPE_CHECKING:
    from ..doctor import Context
    from ..probe import Answer
    from ..probe.service import Rum

_CREDENTIALS = "give the process AWS credentials: a role, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


@click.command(cls=CommandWithSettings, short_help="Measure limits of RUM that AWS does not document.")
@click.option("--yes", "is_agreed", is_flag=True, help="Do not ask before sending.")
@click.option(
    "--wait-seconds",
    type=Value(amount),
    default=120.0,
    show_default=True,
    help="Stop reading events back when none has appeared for this time.",
)
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object, for scripts.")
@takes_settings
def probe(given: dict[str, object], *, is_agreed: bool, wait_seconds: float, is_json: bool) -> None:
    """Measure limits of RUM that AWS does not document, in your own account.

    It sends marked events to the app monitor of the settings, each different from a usual one in one thing. It reads
    them back with GetAppMonitorData and, if the app monitor has one, from its log group. Then it prints what RUM kept,
    dropped and refused, and the settings that it recommends. Use an app monitor for tests: its metrics count the
    events. It shows the price and asks before it sends.

    It needs the permissions rum:PutRumEvents, rum:ListAppMonitors, rum:GetAppMonitor and rum:GetAppMonitorData, and
    for the log group logs:FilterLogEvents.

    \b
    Examples:
      otel-rum probe
      otel-rum probe --yes --json --app-monitor-id 12345678-... --region eu-west-1
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    from ...rum.price import price_in_words
    from ..doctor import Context
    from ..doctor.sending import accepted_domain
    from ..probe import EVENTS_PER_SECOND, QUESTIONS, Builder, Experiment, run_experiment
    from ..probe.service import Rum

    context = Context(given, os.environ)
    app_monitor = _app_monitor(context)
    service = Rum(replace(context.config, app_monitor_id=app_monitor["Id"]), context)
    unread = _unreadable(service)
    run_id = uuid.uuid4().hex[:12]
    build = Builder(run_id, app_monitor["Id"], accepted_domain(context), int(time.time()))
    experiment = Experiment.of(QUESTIONS, build)
    count = len(experiment.sent)
    events = f"{count:,} events to {app_monitor['Name']} ({app_monitor['Id']}), {price_in_words(count)} at list price"
    if not is_agreed:
        _ask(f"This will send {events}. Continue?")
    click.echo(f"Sending {events}, in about {count / EVENTS_PER_SECOND:.0f} seconds, then reading them back", err=True)
    answers = run_experiment(experiment, service, patience_seconds=wait_seconds)
    service.close()
    recommended = list(_recommended(answers))
    if is_json:
        read = [source.name for source in service.sources]
        answered = [answer.as_json() for answer in answers]
        print_json({"run": run_id, "read": read, "unread": unread, "answers": answered, "recommended": recommended})
        return
    _print(answers)
    click.echo("\nRecommended settings: " + ("; ".join(recommended) or "the defaults"))


def _app_monitor(context: Context) -> Mapping[str, Any]:
    """Return the app monitor of the settings, or end the command with the reason."""
    from ..doctor import CHECKS, Status, run_checks

    # The id may be missing or be a name here: the check of the app monitor names the right one.
    faults = [found.fault for name, found in context.readings.items() if found.fault and name != "app_monitor_id"]
    if faults:
        fail("; ".join(faults), MISUSED)
    ((_, found),) = run_checks(context, [check for check in CHECKS if check.name == "app monitor"])
    if context.monitor is None or found.status is Status.FAILED:
        fail(f"no app monitor can be read: {found.message}. To fix: {found.fix or _CREDENTIALS}", FAILED)
    return context.monitor


def _unreadable(service: Rum) -> dict[str, str]:
    """Leave out the log group if it cannot be read; end the command if the app monitor cannot, before any cost."""
    from ...rum.errors import outcome_of
    from ..doctor.result import result_of
    from ..probe.service import LOG_GROUP

    unread = {}
    for source in service.sources:
        try:
            next(iter(source.read(time.time(), str(uuid.uuid4()))), None)
        except Exception as error:  # noqa: BLE001 - every exception is a result
            found = result_of(error)
            if source.name != LOG_GROUP:
                fail(f"{source.name} failed: {found.message}. To fix: allow rum:GetAppMonitorData", FAILED)
            report(f"{source.name} is not read: {found.message}. To fix: allow logs:FilterLogEvents")
            unread[source.name] = outcome_of(error).reason
            service.log_group = None
    return unread


def _ask(question: str) -> None:
    """End the command unless the user agrees."""
    try:
        is_agreed = click.confirm(question, err=True)
    except click.Abort as abort:
        if not isinstance(abort.__context__, EOFError):
            raise
        fail("standard input is no terminal, so nothing was sent. To fix: agree with --yes", FAILED)
    if not is_agreed:
        fail("nothing was sent", FAILED)


def _recommended(answers: Sequence[Answer]) -> Iterator[str]:
    from ..probe import QUESTIONS

    for question in QUESTIONS:
        setting = question.recommend({answer.case: answer for answer in answers if answer.question == question.name})
        if setting:
            yield setting


def _print(answers: Sequence[Answer]) -> None:
    """Print a table of the cases below each question."""
    from ..probe import QUESTIONS

    width = max(len(answer.case) for answer in answers)
    for question in QUESTIONS:
        heading(question.about)
        rows = [(answer.case.ljust(width), answer.in_words()) for answer in answers if answer.question == question.name]
        print_table((), rows, indent="  ")
