"""`otel-rum local`: the stand-in, until somebody ends it."""

from __future__ import annotations

import errno
import json
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from .. import MISUSED, fail

if TYPE_CHECKING:
    from ...local import AppMonitor, LocalRum

_WELCOME = """RUM stand-in, with its console at {url}/

OTEL_EXPORTER_AWS_RUM_ENDPOINT={url}
OTEL_EXPORTER_AWS_RUM_SIGNING={signing}
OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID={app_monitor_id}
OTEL_TRACES_EXPORTER=aws_rum

The variables above point an application at it{note}. Ctrl-C ends it."""

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
    access_key: str | None
    secret_key: str | None
    session_token: str | None
    requests_per_second: float | None
    fault: tuple[str, ...]
    data: str | None
    as_json: bool


@click.command(short_help="Serve a stand-in of RUM's data plane on this computer.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8787,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--app-monitor",
    multiple=True,
    metavar="ID[=NAME]",
    help="An app monitor that exists; without this option each is created by its first request. Repeatable.",
)
@click.option(
    "--domain", multiple=True, help="Drop events of other domains, as an app monitor does; *.example.com fits."
)
@click.option(
    "--alias", multiple=True, help="Let unsigned requests in only with this alias, as a resource policy does."
)
@click.option("--custom-events/--no-custom-events", default=True, show_default=True, help="Take or drop custom events.")
@click.option("--xray/--no-xray", default=True, show_default=True, help="Take or drop X-Ray events.")
@click.option("--access-key", envvar=f"{_VARIABLE}ACCESS_KEY", show_envvar=True, help="Demand signatures of this key.")
@click.option("--secret-key", envvar=f"{_VARIABLE}SECRET_KEY", show_envvar=True, help="The secret that goes with it.")
@click.option("--session-token", envvar=f"{_VARIABLE}SESSION_TOKEN", show_envvar=True, help="And its session token.")
@click.option("--requests-per-second", type=click.FloatRange(min=0), help="Throttle requests above this quota.")
@click.option(
    "--fault",
    multiple=True,
    metavar="FAULT",
    help="Something that goes wrong, such as status=429,retry_after=2,times=5 or cut=before_answer,probability=0.1 or "
    "latency_seconds=3. Repeatable.",
)
@click.option("--data", type=click.Path(dir_okay=False), help="File that keeps what is received (SQLite, private).")
@click.option("--json", "as_json", is_flag=True, help="Say where it is in a line of JSON, for machines.")
def local(**options: object) -> None:
    """Serve a stand-in of RUM's data plane on this computer, until Ctrl-C.

    It accepts what RUM accepts, refuses what RUM refuses and says why, and lists what RUM would drop without a word.
    Its console shows the sessions and events received. Nothing is sent to AWS, and nothing is kept after the end but in
    the file of --data.

    Set the variables it prints where your application runs, then use the application. AWS's own tools can ask it too:

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
    chosen = _Options(**options)  # type: ignore[arg-type]  # click has checked them
    # A list, since a handler interrupts anything, also itself: whatever takes a lock could wait for it for ever.
    received: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signal_number, _: received.append(signal_number))
    rum = _stand_in(chosen)
    _start(rum, chosen)
    with rum:
        _welcome(rum, chosen)
        while not received:
            time.sleep(0.2)


def _stand_in(chosen: _Options) -> LocalRum:
    try:
        from ...local import Credentials, Fault, LocalRum
    except ImportError as error:
        fail(str(error), MISUSED)
    if (chosen.access_key is None) != (chosen.secret_key is None):
        fail("--access-key and --secret-key go together", MISUSED)
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
            data=chosen.data,
        )
        rum.faults = [Fault.parse(text) for text in chosen.fault]
    except ValueError as error:
        fail(str(error), MISUSED)
    return rum


def _start(rum: LocalRum, chosen: _Options) -> None:
    from ...local import ArchiveError

    try:
        rum.start()
    except ArchiveError as error:
        fail(str(error))
    except OSError as error:
        fail(_why_not_started(error, chosen.host, chosen.port))


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
        )
        for app_monitor_id, _, name in (text.partition("=") for text in chosen.app_monitor or ("",))
    ]


def _welcome(rum: LocalRum, chosen: _Options) -> None:
    given = [monitor.id for monitor in rum.app_monitors]
    place = {
        "url": rum.url,
        "signing": "none" if chosen.access_key is None else "sigv4",
        "app_monitor_id": (given or [_ANY_APP_MONITOR])[0],
    }
    note = "" if chosen.app_monitor else "; the app monitor may be any UUID"
    click.echo(json.dumps(place) if chosen.as_json else _WELCOME.format(**place, note=note))


def _why_not_started(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; stop the program that uses it, or choose another with --port"
    return f"cannot listen on port {port} of {host}: {error.strerror}"
