"""`otel-rum probe`: measure in your own account what AWS does not document."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from .. import FAILED, fail
from ..options import CommandWithSettings, takes_settings

if TYPE_CHECKING:
    from ..probe import Answer


@click.command(cls=CommandWithSettings, short_help="Measure limits of RUM that AWS does not document.")
@click.option("--yes", "is_agreed", is_flag=True, help="Do not ask before sending.")
@click.option(
    "--wait-seconds",
    type=click.FloatRange(min=0),
    default=120.0,
    show_default=True,
    help="Stop reading events back when none has appeared for this time.",
)
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object, for scripts.")
@takes_settings
def probe(given: dict[str, object], *, is_agreed: bool, wait_seconds: float, is_json: bool) -> None:
    """Measure limits of RUM that AWS does not document, in your own account.

    It sends marked events to the app monitor of the settings, each different from a usual one in one thing, reads them
    back with GetAppMonitorData, and prints what RUM kept, dropped and refused, and the settings that it recommends. Use
    an app monitor for tests: its metrics count the events. It shows the price and asks before it sends.

    It needs the permissions rum:PutRumEvents, rum:ListAppMonitors, rum:GetAppMonitor and rum:GetAppMonitorData.

    \b
    Examples:
      otel-rum probe
      otel-rum probe --yes --json --app-monitor-id 12345678-... --region eu-west-1
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    import orjson

    from ...rum.price import price_in_words
    from ..doctor import Context, Status
    from ..doctor.app_monitor import monitor
    from ..doctor.sending import accepted_domain
    from ..probe import QUESTIONS, Builder, Experiment, run_experiment
    from ..probe.service import Rum

    context = Context(given, os.environ)
    found = monitor(context)
    if context.monitor is None or found.status is Status.FAILED:
        fail(f"{found.message}. To fix: {found.fix}", FAILED)
    app_monitor = context.monitor
    run_id = uuid.uuid4().hex[:12]
    domain = accepted_domain(context)
    experiment = Experiment.of(QUESTIONS, Builder(run_id, app_monitor["Id"], domain, int(time.time())))
    count = len(experiment.sent)
    about = f"send {count:,} events to {app_monitor['Name']} ({app_monitor['Id']}), {price_in_words(count)}"
    if not is_agreed:
        click.confirm(f"This will {about} at list price. Continue?", abort=True, err=True)
    config = replace(context.config, app_monitor_id=app_monitor["Id"])
    answers = run_experiment(experiment, Rum(config, context, app_monitor["Name"]), patience_seconds=wait_seconds)
    recommended = list(_recommended(answers))
    if is_json:
        output = {"run": run_id, "answers": [answer.as_json() for answer in answers], "recommended": recommended}
        click.echo(orjson.dumps(output, option=orjson.OPT_INDENT_2))
        return
    for line in _lines(answers):
        click.echo(line)
    click.echo("\nRecommended settings: " + ("; ".join(recommended) or "the defaults"))


def _recommended(answers: Sequence[Answer]) -> Iterator[str]:
    from ..probe import QUESTIONS

    for question in QUESTIONS:
        setting = question.recommend({answer.case: answer for answer in answers if answer.question == question.name})
        if setting:
            yield setting


def _lines(answers: Sequence[Answer]) -> Iterator[str]:
    from ..probe import QUESTIONS

    width = max(len(answer.case) for answer in answers)
    for question in QUESTIONS:
        yield question.about
        for answer in answers:
            if answer.question == question.name:
                yield f"  {answer.case:{width}}  {answer.in_words()}"
