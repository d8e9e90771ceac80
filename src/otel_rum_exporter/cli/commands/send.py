"""`otel-rum send`: files of the Collector to RUM."""

from __future__ import annotations

import gzip
import io
import os
import signal
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import click

from .. import FAILED, LOST, MISUSED, fail
from ..options import CommandWithSettings, takes_settings

if TYPE_CHECKING:
    from ..checkpoint import Checkpoint
    from ..replay import FileAccount, Replay

_GZIP = b"\x1f\x8b"
_FAREWELL_SECONDS = 5.0


def _state_directory() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "otel-rum"


@click.command(cls=CommandWithSettings, short_help="Send files of spans and log records to RUM.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--again", "is_again", is_flag=True, help="Send from the start, also what was sent before.")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=_state_directory,
    show_default="~/.local/state/otel-rum",
    help="Where it is remembered how far each file was sent.",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds without any progress after which to give up.",
)
@click.option("--json", "is_json", is_flag=True, help="Print the ledger as one JSON object, for machines.")
@takes_settings
def send(
    files: tuple[str, ...],
    given: dict[str, object],
    *,
    is_again: bool,
    state_dir: Path,
    patience: float,
    is_json: bool,
) -> None:
    """Send the spans and log records in each FILE to RUM, and print what became of them.

    FILE is OTLP in JSON or protobuf, as the Collector's file exporter writes it, or the body of an export request;
    compressed by gzip or zstd or not; `-` reads standard input.

    What was sent is remembered, so that the same command goes on where it stopped, also in a file that has grown. What
    is sent twice all the same has the same ids.

    The exit code is 1 when something was not sent, and can be sent by the same command; 3 when something was dropped.

    \b
    Examples:
      otel-rum send traces.json logs.json.gz
      otel-rum send --app-monitor-id 12345678-... --region eu-west-1 traces.json
      otel-rum send --endpoint http://127.0.0.1:8787 --signing none traces.json
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    from ...config import Config, ConfigError
    from ..replay import Replay, StalledError

    try:
        config = Config.read(given, os.environ)
    except ConfigError as error:
        fail("\n".join(error.faults), MISUSED)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    reading = _Reading(state_dir, f"{config.app_monitor_id} {config.endpoint or config.region}", is_again=is_again)
    replay = Replay(config, patience_seconds=patience, delivered=reading.delivered)
    try:
        for file in files:
            reading.read(file, replay, is_quiet=is_json or not sys.stderr.isatty())
        replay.finish()
    except StalledError as stalled:
        reading.problems.append(str(stalled))
    except KeyboardInterrupt:
        reading.problems.append("interrupted")
        replay.hurry(_FAREWELL_SECONDS)
    _report(reading, replay, is_json=is_json)
    if reading.problems or replay.unsent:
        raise SystemExit(FAILED)
    if sum(replay.ledger.dropped.values()) or any(account.unread for account in reading.accounts):
        raise SystemExit(LOST)


class _Reading:
    """The files of one run: what was read of them, and how far they are delivered."""

    def __init__(self, state_dir: Path, destination: str, *, is_again: bool) -> None:
        self._state_dir = state_dir
        self._destination = destination
        self._is_again = is_again
        self._checkpoints: dict[str, Checkpoint] = {}
        self.accounts: list[FileAccount] = []
        self.problems: list[str] = []

    def read(self, file: str, replay: Replay, *, is_quiet: bool) -> None:
        """Send a file; what cannot be read is a problem, and costs no other file."""
        from ...otlp import OtlpError
        from ..replay import FileAccount

        try:
            with _opened(file) as content:
                begin = self._begin(file, content.stream)
                account = FileAccount(file, begin, begin)
                self.accounts.append(account)
                with _progress(file, content, is_quiet=is_quiet) as moved:
                    for _ in replay.send(account, content.stream):
                        moved()
        except OtlpError as error:
            self.problems.append(f"{file} is no OTLP: {error}")
        except (OSError, EOFError, zlib.error) as error:
            self.problems.append(f"cannot read {file}: {getattr(error, 'strerror', None) or error}")

    def delivered(self, account: FileAccount) -> None:
        """Remember how far a file is delivered."""
        try:
            if account.name in self._checkpoints:
                self._checkpoints[account.name].save(account.delivered_up_to)
        except OSError as error:
            account.note(f"it cannot be remembered in {self._state_dir} how far it was sent: {error.strerror}")

    def _begin(self, file: str, stream: BinaryIO) -> int:
        from ..checkpoint import Checkpoint

        if file == "-":
            return 0
        checkpoint = Checkpoint(self._state_dir, Path(file), stream, self._destination)
        self._checkpoints[file] = checkpoint
        return 0 if self._is_again else checkpoint.offset


class _Content(NamedTuple):
    stream: BinaryIO
    """Uncompressed."""
    raw: BinaryIO
    raw_bytes: int


@contextmanager
def _opened(file: str) -> Iterator[_Content]:
    with io.BytesIO(sys.stdin.buffer.read()) if file == "-" else Path(file).open("rb") as raw:
        size = raw.seek(0, os.SEEK_END)
        raw.seek(0)
        is_compressed = raw.read(len(_GZIP)) == _GZIP
        raw.seek(0)
        if not is_compressed:
            yield _Content(raw, raw, size)
            return
        with gzip.GzipFile(fileobj=raw) as stream:
            yield _Content(stream, raw, size)  # type: ignore[arg-type] # it reads and seeks


@contextmanager
def _progress(file: str, content: _Content, *, is_quiet: bool) -> Iterator[Callable[[], None]]:
    """Show on a terminal how far a file is read."""
    if is_quiet:
        yield lambda: None
        return
    with click.progressbar(length=content.raw_bytes, label=file, file=sys.stderr) as bar:
        yield lambda: bar.update(content.raw.tell() - bar.pos)


def _report(reading: _Reading, replay: Replay, *, is_json: bool) -> None:
    import orjson

    told = _ledger(reading, replay)
    if is_json:
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    else:
        for account in reading.accounts:
            went_on = f", from byte {account.begin} on" if account.begin else ""
            click.echo(f"{account.name}: {account.records} records in {account.bodies} requests{went_on}")
            for note in account.notes:
                click.echo(f"  note: {note}")
        click.echo(
            f"events: {told['delivered']} delivered, {sum(told['dropped'].values())} dropped, {told['unsent']} unsent; "
            f"records: {told['left_out']} left out on purpose, {told['unread']} not read"
        )
        for reason, count in told["dropped"].items():
            click.echo(f"{count:>8}  {reason}")
    for problem in reading.problems:
        click.echo(f"otel-rum: {problem}", err=True)
    if replay.unsent:
        click.echo("otel-rum: run the same command again to go on", err=True)


def _ledger(reading: _Reading, replay: Replay) -> dict[str, Any]:
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
            for account in reading.accounts
        ],
        "delivered": replay.ledger.delivered,
        "dropped": {reason.value: count for reason, count in replay.ledger.dropped.items() if count},
        "unsent": replay.unsent,
        "left_out": replay.ledger.filtered,
        "unread": sum(account.unread for account in reading.accounts),
        "problems": reading.problems,
    }
