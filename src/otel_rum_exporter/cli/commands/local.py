"""`otel-rum local`: run a local RUM until a signal stops it."""

from __future__ import annotations

import json
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ..._config_fields import amount, filled, whole
from .. import MISUSED, fail, not_installed
from ..addresses import why_not_listening
from ..options import Command, Value

if TYPE_CHECKING:
    from ...local import AppMonitor, LocalRum

_WELCOME = """Local RUM, with a console at {url}/

To send the events of an application to it, paste these lines into the shell that starts the application{note}:

{exports}
opentelemetry-instrument python app.py

Press Ctrl-C to stop."""

_EXPORT = "$env:{}='{}'" if sys.platform == "win32" else "export {}={}"
_TELEMETRY = {"OTEL_TRACES_EXPORTER": "aws_rum", "OTEL_LOGS_EXPORTER": "aws_rum", "OTEL_METRICS_EXPORTER": "none"}
_REGION_OF_SIGNATURES = "us-east-1"

_ANY_APP_MONITOR = "00000000-1111-4222-8333-444444444444"
_VARIABLE = "OTEL_RUM_LOCAL_"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    host: str
    port: int
    app_monitor: tuple[str, ...]
    domain: tuple[str, ...]
    alias: tuple[str, ...]
    custom_events: bool
    xray: bool
    log_group: bool
    access_key: str | None
    secret_key: str | None
    session_token: str | None
    requests_per_second: float | None
    fault: tuple[str, ...]
    max_events: int
    data: str | None
    as_json: bool


@click.command(cls=Command, short_help="Run a local RUM on this computer.")
@click.option("--host", type=Value(filled), default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=Value(whole(0, 8787, 65535)),
    default=8787,
    show_default=True,
    help="Port to listen on; 0 selects a free port.",
)
@click.option(
    "--app-monitor",
    multiple=True,
    type=Value(filled),
    metavar="ID[=NAME]",
    help="An app monitor that exists. Without this option, the first request creates its app monitor. Repeatable.",
)
@click.option(
    "--domain",
    multiple=True,
    type=Value(filled),
    help="Drop events of other domains, as RUM does; *.example.com is allowed. Repeatable.",
)
@click.option(
    "--alias",
    multiple=True,
    type=Value(filled),
    help="Accept unsigned requests only with this alias, as a resource policy does. Repeatable.",
)
@click.option(
    "--custom-events/--no-custom-events", default=True, show_default=True, help="Accept or drop custom events."
)
@click.option("--xray/--no-xray", default=True, show_default=True, help="Accept or drop X-Ray events.")
@click.option(
    "--log-group/--no-log-group",
    default=False,
    show_default=True,
    help="Also serve the events as FilterLogEvents of CloudWatch Logs, as an app monitor with a log group.",
)
@click.option(
    "--access-key", envvar=f"{_VARIABLE}ACCESS_KEY", show_envvar=True, help="Require requests signed with this key."
)
@click.option("--secret-key", envvar=f"{_VARIABLE}SECRET_KEY", show_envvar=True, help="The secret of the access key.")
@click.option(
    "--session-token", envvar=f"{_VARIABLE}SESSION_TOKEN", show_envvar=True, help="The session token of the access key."
)
@click.option("--requests-per-second", type=Value(amount), help="Throttle requests above this quota.")
@click.option(
    "--fault",
    multiple=True,
    metavar="FAULT",
    help="A fault to inject, such as status=429,retry_after=2,times=5 or cut=before_answer,probability=0.1 or "
    "latency_seconds=3. Repeatable.",
)
@click.option(
    "--max-events",
    type=Value(whole(1, 200_000)),
    default=200_000,
    show_default=True,
    help="Number of events to keep, about 4 KB each; the oldest are removed first.",
)
@click.option("--data", type=click.Path(dir_okay=False), help="SQLite file that keeps the events received.")
@click.option("--json", "as_json", is_flag=True, help="Print the address as one line of JSON, for scripts.")
def local(**options: object) -> None:
    """Run a local RUM on this computer, until Ctrl-C.

    It accepts the requests that RUM accepts, rejects the others and gives the reason, and lists the events that RUM
    would drop silently. Its console shows the sessions and events received. It sends nothing to AWS. Only the file of
    --data keeps events after the end.

    Set the variables that it prints, then run your application. The AWS command line works with it, too:

    \b
      export AWS_ENDPOINT_URL_RUM=http://127.0.0.1:8787 AWS_DISABLE_HOST_PREFIX_INJECTION=true
      aws rum list-app-monitors
      aws rum get-app-monitor-data --name NAME --time-range After=0

    \b
    Examples:
      otel-rum local --data rum.db
      otel-rum local --app-monitor 00000000-1111-4222-8333-444444444444=shop --domain shop.example
      otel-rum local --fault status=503,times=3 --requests-per-second 20
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    chosen = _Options(**options)  # type: ignore[arg-type]  # click validates them
    # A list needs no lock: a signal handler can interrupt any code, and would then wait forever for a held lock.
    signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signal_number, _: signals.append(signal_number))
    rum = _local_rum(chosen)
    _start(rum)
    with rum:
        _welcome(rum, chosen)
        while not signals:
            time.sleep(0.2)


def _local_rum(chosen: _Options) -> LocalRum:
    try:
        from ...local import Credentials, Fault, LocalRum
    except ImportError as error:
        fail(not_installed(error.name, "local"), MISUSED)
    if (chosen.access_key is None) != (chosen.secret_key is None):
        fail("--access-key and --secret-key need each other", MISUSED)
    credentials = None
    if chosen.access_key is not None and chosen.secret_key is not None:
        credentials = Credentials(chosen.access_key, chosen.secret_key, chosen.session_token)
    try:
        rum = LocalRum(
            host=chosen.host,
            port=chosen.port,
            app_monitors=_app_monitors(chosen),
            credentials=credentials,
            max_requests_per_second=chosen.requests_per_second,
            max_events=chosen.max_events,
            data=chosen.data,
        )
    except ValueError as error:
        fail(f"--app-monitor: {error}. To fix: see otel-rum local --help", MISUSED)
    try:
        rum.faults = [Fault.parse(text) for text in chosen.fault]
    except ValueError as error:
        fail(f"--fault: {error}. To fix: see otel-rum local --help", MISUSED)
    return rum


def _start(rum: LocalRum) -> None:
    from ...local import ArchiveError

    try:
        rum.start()
    except ArchiveError as error:
        fail(str(error))
    except OSError as error:
        fail(why_not_listening(error, "--port"))


def _app_monitors(chosen: _Options) -> list[AppMonitor]:
    from ...local import AppMonitor

    return [
        AppMonitor(
            id=app_monitor_id,
            name=name,
            domains=chosen.domain,
            aliases=chosen.alias,
            custom_events=chosen.custom_events,
            xray=chosen.xray,
            has_log_group=chosen.log_group,
        )
        for app_monitor_id, _, name in (text.partition("=") for text in chosen.app_monitor or ("",))
    ]


def _welcome(rum: LocalRum, chosen: _Options) -> None:
    app_monitor_id = next((monitor.id for monitor in rum.app_monitors), _ANY_APP_MONITOR)
    signing = "none" if chosen.access_key is None else "sigv4"
    if chosen.as_json:
        click.echo(json.dumps({"url": rum.url, "signing": signing, "app_monitor_id": app_monitor_id}))
        return
    variables = {
        "OTEL_EXPORTER_AWS_RUM_ENDPOINT": rum.url,
        "OTEL_EXPORTER_AWS_RUM_SIGNING": signing,
        "OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": app_monitor_id,
        **_TELEMETRY,
    }
    notes = [] if chosen.app_monitor else ["the app monitor id can be any UUID"]
    if signing == "sigv4":
        variables["AWS_REGION"] = _REGION_OF_SIGNATURES
        notes.append("also set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to the key that you gave")
    exports = "\n".join(_EXPORT.format(name, value) for name, value in variables.items())
    note = f" ({'; '.join(notes)})" if notes else ""
    click.echo(_WELCOME.format(url=rum.url, exports=exports, note=note))
