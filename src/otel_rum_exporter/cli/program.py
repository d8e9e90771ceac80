"""The group of all `otel-rum` commands, in the order in which a new user needs them, and how they end."""

from __future__ import annotations

import difflib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click
from click.shell_completion import get_completion_class

from .._secrets import without_secrets
from .._version import VERSION
from . import EXIT_CODES, FAILED, INTERRUPTED, MISUSED, PIPE_CLOSED, completion, fail, not_installed
from .commands.config import config
from .commands.demo import demo
from .commands.doctor import doctor
from .commands.explain import explain
from .commands.gateway import gateway
from .commands.kafka import kafka
from .commands.local import local
from .commands.plan import plan
from .commands.probe import probe
from .commands.record import record
from .commands.send import send
from .options import Context
from .output import color

COMPLETION_VARIABLE = "_OTEL_RUM_COMPLETE"
TRACEBACK_VARIABLE = "OTEL_RUM_TRACEBACK"


class _Group(click.Group):
    """A group whose help lists the commands in the order in which they were added."""

    context_class = Context

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in self.commands or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        near = difflib.get_close_matches(name, self.commands, n=1)
        hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(self.commands)}"
        raise click.UsageError(f"{name!r} is not a command; {hint}", ctx)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _quiet_if_pipe_is_closed():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _quiet_if_pipe_is_closed():
            return super().invoke(ctx)


_EPILOG = (
    "\b\nExit codes:\n"
    + "\n".join(f"  {code:<3}  {meaning}" for code, meaning in EXIT_CODES.items())
    + "\n\n\b\nCompletion for bash; also zsh and fish:\n"
    '  eval "$(_OTEL_RUM_COMPLETE=bash_source otel-rum)"'
)


@click.group(cls=_Group, epilog=_EPILOG, no_args_is_help=False, invoke_without_command=True)
@click.version_option(VERSION, prog_name="otel-rum")
@click.pass_context
def otel_rum(ctx: click.Context) -> None:
    """Send OpenTelemetry spans to Amazon CloudWatch RUM.

    Start with `otel-rum local`. It accepts the requests that your application would send to AWS, checks them as AWS
    does, and shows them in the browser. You need no AWS account. `otel-rum demo` adds an application to watch.

    \b
    Record the spans of a program         otel-rum record -- python app.py
    See the events made from your spans   otel-rum explain spans.jsonl
    Plan quota, price and machines        otel-rum plan spans.jsonl
    Send files of the Collector           otel-rum send traces.json
    Receive OTLP from any language        otel-rum gateway
    Consume OTLP from Kafka               otel-rum kafka
    Find out why nothing arrives          otel-rum doctor
    See which settings apply              otel-rum config
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(MISUSED)


for _command in (demo, local, record, explain, plan, send, doctor, probe, gateway, kafka, config):
    otel_rum.add_command(_command)


def run() -> None:
    """Run the command of the process's arguments, and exit. Each error is one line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    shell = os.environ.get(COMPLETION_VARIABLE, "").partition("_")[0]
    completion.register()
    if shell and get_completion_class(shell) is None:
        fail(f"{COMPLETION_VARIABLE}: there is no completion for {shell}; use bash, zsh or fish", MISUSED)
    try:
        code = otel_rum.main(prog_name="otel-rum", standalone_mode=False, color=color())
    except (click.Abort, KeyboardInterrupt):
        raise SystemExit(INTERRUPTED) from None
    except click.ClickException as error:
        fail(_in_words(error), error.exit_code)
    except ModuleNotFoundError as error:
        fail(not_installed(error.name), MISUSED)
    except OSError as error:
        _discard_output()
        fail(f"cannot use {error.filename or 'the output'}: {error.strerror or error}")
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        cause = without_secrets(f"{type(error).__name__}: {error}")
        fail(f"unexpected {cause}. To fix: report it with the output of {TRACEBACK_VARIABLE}=1 otel-rum ...", FAILED)
    raise SystemExit(code)


def _in_words(error: click.ClickException) -> str:
    """Return click's error in the style of all others."""
    param = error.param if type(error) is click.BadParameter else None
    message = error.format_message() if param is None else error.message
    message = message[:1].lower() + message[1:].rstrip(".")
    if param is not None:
        message = f"{max(param.opts, key=len)}: {message}"
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return message
    end = "" if message.endswith(("?", "?)")) else "."
    return f"{message}{end} To fix: see {error.ctx.command_path} --help"


@contextmanager
def _quiet_if_pipe_is_closed() -> Iterator[None]:
    """End without an error if the reader of the output has ended."""
    try:
        yield
    except BrokenPipeError:
        _discard_output()
        raise SystemExit(PIPE_CLOSED) from None


def _discard_output() -> None:
    """Discard what was not written, because it would fail again when Python closes stdout."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
