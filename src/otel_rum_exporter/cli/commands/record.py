"""`otel-rum record`: run a program instrumented, and write its spans and log records to a file."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from .. import FAILED, MISUSED, fail
from ..options import Command
from ..output import report
from ..packages import require

NEEDS = ("opentelemetry-distro", "opentelemetry-exporter-otlp-json-file")
"""The packages of the extra `record`."""

_INSTRUMENT = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"

_REMOVED = ("OTEL_CONFIG_FILE", "OTEL_SDK_DISABLED", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG")
"""Variables that would keep spans out of the file."""

_DEFAULTS = {"OTEL_BSP_MAX_QUEUE_SIZE": "65536", "OTEL_BSP_SCHEDULE_DELAY": "500", "OTEL_BLRP_SCHEDULE_DELAY": "500"}
"""With the SDK's own defaults it drops spans above 2,048, and a killed program loses those of its last five seconds."""


@click.command(cls=Command, short_help="Run a program and record its spans in a file.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("spans.jsonl"),
    show_default=True,
    help="File to write. An existing one is replaced.",
)
@click.option("--json", "is_json", is_flag=True, help="Print the counts as a last line of JSON, for scripts.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def record(output: Path, command: tuple[str, ...], *, is_json: bool) -> None:
    """Run COMMAND instrumented, and record its spans and log records in a file. Nothing is sent.

    The program runs under opentelemetry-instrument. The file has one OTLP JSON object on each line; `otel-rum explain`
    and `otel-rum send` read it. An existing file is replaced. Only its owner can read the file, because it contains
    what the program recorded before any privacy rule applies.

    The exit code is that of the program, or 1 if it ends with 0 and no span was recorded.

    \b
    Examples:
      otel-rum record -- python app.py
      otel-rum record --output visit.jsonl -- gunicorn --workers 2 shop:app
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    require(NEEDS, "record")
    if shutil.which(command[0]) is None:
        fail(f"{command[0]} is not a program. To fix: write the command as in a shell, such as python app.py", MISUSED)
    try:
        output.unlink(missing_ok=True)
        os.close(os.open(output, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        fail(f"cannot write {output}: {error.strerror}")
    from ...mapping.explain import counted

    code = _run(command, output.resolve())
    spans, log_records = _counts(output)
    report(f"recorded {counted(spans, 'span')} and {counted(log_records, 'log record')} in {output}")
    if spans or log_records:
        report(f"to see their RUM events: otel-rum explain {output}")
    else:
        hint = "run it in the Python environment of otel-rum, and run opentelemetry-bootstrap -a install there"
        report(f"nothing was recorded. To fix: {hint}")
    if is_json:
        counts = {"file": str(output), "spans": spans, "log_records": log_records, "exit_code": code}
        click.echo(json.dumps(counts))
    raise SystemExit(code or (0 if spans or log_records else FAILED))


def _run(command: tuple[str, ...], output: Path) -> int:
    from ..recording import EXPORTER, FILE_VARIABLE

    environment = {name: value for name, value in os.environ.items() if name not in _REMOVED}
    environment = {
        **_DEFAULTS,
        **environment,
        "OTEL_TRACES_EXPORTER": EXPORTER,
        "OTEL_LOGS_EXPORTER": EXPORTER,
        "OTEL_METRICS_EXPORTER": "none",
        FILE_VARIABLE: str(output),
    }
    with (
        subprocess.Popen(  # noqa: S603 - the user's own command
            [sys.executable, "-c", _INSTRUMENT, *command], env=environment
        ) as process,
        _signals_for(process),
    ):
        code = process.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _signals_for(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave Ctrl-C to the program, which receives it from the terminal as well, and pass SIGTERM on to it."""
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    terminate = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, terminate)


def _counts(file: Path) -> tuple[int, int]:
    """Return the numbers of spans and of log records in a file."""
    from ...otlp import read_bodies

    spans = log_records = 0
    with file.open("rb") as stream:
        for body in read_bodies(stream, 0):
            decoded = body.decode()
            spans += len(decoded.spans)
            log_records += len(decoded.log_records)
    return spans, log_records
