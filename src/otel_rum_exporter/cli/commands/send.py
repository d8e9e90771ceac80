"""`otel-rum send`: send files of the Collector to RUM."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from ..._config_fields import amount
from .. import FAILED, INTERRUPTED, LOST, fail
from ..options import CommandWithSettings, Value, read_config, takes_settings
from ..output import print_json, print_table, report

if TYPE_CHECKING:
    from ..checkpoint import Checkpoint
    from ..files import Content
    from ..replay import FileAccount, Replay

_FINAL_FLUSH_SECONDS = 5.0


def _state_directory() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "otel-rum"


@click.command(cls=CommandWithSettings, short_help="Send files with spans and log records to RUM.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option("--again", "is_again", is_flag=True, help="Send each file from its start, even if it was sent before.")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=_state_directory,
    show_default="~/.local/state/otel-rum",
    help="Directory that stores how much of each file is sent.",
)
@click.option(
    "--patience",
    type=Value(amount),
    default=60.0,
    show_default=True,
    help="Stop after this many seconds without progress.",
)
@click.option("--dry-run", "is_dry", is_flag=True, help="Send nothing; print the events by type and their list price.")
@click.option("--json", "is_json", is_flag=True, help="Print the ledger as one JSON object, for scripts.")
@takes_settings
def send(
    files: tuple[str, ...],
    given: dict[str, object],
    *,
    is_again: bool,
    state_dir: Path,
    patience: float,
    is_dry: bool,
    is_json: bool,
) -> None:
    """Send the spans and log records in each FILE to RUM, and print a ledger.

    FILE is OTLP in JSON or protobuf: a file of the Collector's file exporter, or the body of an export request. It may
    be compressed with gzip, and the Collector's protobuf files also with zstd. `-` reads standard input.

    The command stores how much of each file is sent. Run it again to resume after an interruption, or to send what was
    added to a file. An event that is sent twice has the same id.

    The exit code is 1 if the same command can send the rest, and 3 if something was dropped or could not be read.

    \b
    Examples:
      otel-rum send --dry-run traces.json
      otel-rum send traces.json logs.json.gz
      otel-rum send --app-monitor-id 12345678-... --region eu-west-1 traces.json
      otel-rum send --endpoint http://127.0.0.1:8787 --signing none traces.json
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    from ..replay import Replay, StalledError

    if is_dry:
        _dry_run(files, given, is_json=is_json)
        return
    config = read_config(given, os.environ)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run = _Run(state_dir, f"{config.app_monitor_id} {config.endpoint or config.region}", is_again=is_again)
    replay = Replay(config, patience_seconds=patience, on_delivered=run.save_checkpoint)
    code = 0
    try:
        for file in files:
            run.send(file, replay, is_quiet=is_json or not sys.stderr.isatty())
        replay.finish()
    except StalledError as stalled:
        run.problems.append(str(stalled))
    except KeyboardInterrupt:
        run.problems.append("interrupted")
        code = INTERRUPTED
        replay.final_flush(_FINAL_FLUSH_SECONDS)
    _report(run, replay, is_json=is_json)
    if replay.unsent:
        code = code or FAILED
    elif run.problems or sum(replay.ledger.dropped.values()) or any(account.unread for account in run.accounts):
        code = code or LOST
    raise SystemExit(code)


def _dry_run(files: tuple[str, ...], given: dict[str, object], *, is_json: bool) -> None:
    from ...config import variable
    from ...mapping.explain import PLACEHOLDER_APP_MONITOR_ID, counted
    from ...rum.price import PRICE_DATE, PRICE_PAGE, price_in_words, usd
    from ..dry_run import DryRun
    from ..files import READ_ERRORS, opened, why_unread

    if not (given.get("app_monitor_id") or os.environ.get(variable("app_monitor_id"), "").strip()):
        given = {**given, "app_monitor_id": PLACEHOLDER_APP_MONITOR_ID}
    run = DryRun(read_config(given, os.environ))
    for file in files:
        try:
            with opened(file) as content:
                run.read(content.stream)
        except READ_ERRORS as error:
            fail(why_unread(file, error), LOST)
    run.finish()
    total = run.events.total()
    if is_json:
        output = {"events": dict(run.events), "left_out": run.left_out, "unread": run.unread, "usd": usd(total)}
        print_json(output)
    else:
        rows = [(f"{count:>8}", f"{price_in_words(count):>12}", kind) for kind, count in run.events.most_common()]
        print_table(("Events", "List price", "Type"), rows)
        left_out = counted(run.left_out, "record")
        click.echo(f"{counted(total, 'event')}, {left_out} left out, {run.unread} not read")
        click.echo(f"{price_in_words(total)} at list price ({PRICE_DATE}, {PRICE_PAGE}); nothing was sent")
    if run.unread:
        raise SystemExit(LOST)


class _Run:
    """The files of one run, their counts and their checkpoints."""

    def __init__(self, state_dir: Path, destination: str, *, is_again: bool) -> None:
        self._state_dir = state_dir
        self._destination = destination
        self._is_again = is_again
        self._checkpoints: dict[str, Checkpoint] = {}
        self.accounts: list[FileAccount] = []
        self.problems: list[str] = []

    def send(self, file: str, replay: Replay, *, is_quiet: bool) -> None:
        """Send a file. If it cannot be read, add a problem and continue with the next file."""
        from ..files import READ_ERRORS, opened, why_unread
        from ..replay import FileAccount

        try:
            with opened(file) as content:
                begin = self._begin(file, content.stream)
                account = FileAccount(file, begin, begin)
                self.accounts.append(account)
                with _progress(file, content, is_quiet=is_quiet) as show_progress:
                    for _ in replay.send(account, content.stream):
                        show_progress()
        except READ_ERRORS as error:
            self.problems.append(why_unread(file, error))

    def save_checkpoint(self, account: FileAccount) -> None:
        """Store how much of a file is delivered."""
        try:
            if account.name in self._checkpoints:
                self._checkpoints[account.name].save(account.delivered_up_to)
        except OSError as error:
            account.note(f"cannot write to {self._state_dir}: {error.strerror}; the next run sends this file again")

    def _begin(self, file: str, stream: BinaryIO) -> int:
        from ..checkpoint import Checkpoint

        if file == "-":
            return 0
        checkpoint = Checkpoint(self._state_dir, Path(file), stream, self._destination)
        self._checkpoints[file] = checkpoint
        return 0 if self._is_again else checkpoint.offset


@contextmanager
def _progress(file: str, content: Content, *, is_quiet: bool) -> Iterator[Callable[[], None]]:
    """Show a progress bar on stderr; yield a function that updates it."""
    if is_quiet:
        yield lambda: None
        return
    with click.progressbar(length=content.raw_bytes, label=file, file=sys.stderr) as bar:
        yield lambda: bar.update(content.raw.tell() - bar.pos)


def _report(run: _Run, replay: Replay, *, is_json: bool) -> None:
    from ...mapping.explain import counted

    ledger = _ledger(run, replay)
    if is_json:
        print_json(ledger)
    else:
        for account in run.accounts:
            start = f", starting at byte {account.begin}" if account.begin else ""
            records, requests = counted(account.records, "record"), counted(account.bodies, "request")
            click.echo(f"{account.name}: {records} in {requests}{start}")
            for note in account.notes:
                click.echo(f"  note: {note}")
        click.echo(
            f"events: {ledger['delivered']} delivered, {sum(ledger['dropped'].values())} dropped, "
            f"{ledger['unsent']} unsent; records: {ledger['left_out']} left out, {ledger['unread']} not read"
        )
        for reason, count in ledger["dropped"].items():
            click.echo(f"{count:>8}  {reason}")
    for problem in run.problems:
        report(problem)
    if replay.unsent:
        report("run the same command again to send the rest")


def _ledger(run: _Run, replay: Replay) -> dict[str, Any]:
    return {
        "files": [
            {
                "file": account.name,
                "begin": account.begin,
                "delivered_up_to": account.delivered_up_to,
                "requests": account.bodies,
                "records": account.records,
                "notes": account.notes,
            }
            for account in run.accounts
        ],
        "delivered": replay.ledger.delivered,
        "dropped": {reason.value: count for reason, count in replay.ledger.dropped.items() if count},
        "unsent": replay.unsent,
        "left_out": replay.ledger.filtered,
        "unread": sum(account.unread for account in run.accounts),
        "problems": run.problems,
    }
