"""The group of all `otel-rum` commands, in the order in which a new user needs them."""

from __future__ import annotations

import click

from .._version import VERSION
from . import EXIT_CODES
from .commands.config import config
from .commands.demo import demo
from .commands.doctor import doctor
from .commands.explain import explain
from .commands.gateway import gateway
from .commands.local import local
from .commands.probe import probe
from .commands.record import record
from .commands.send import send


class _OrderedGroup(click.Group):
    """A group whose help lists the commands in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return list(self.commands)


_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code}  {meaning}" for code, meaning in EXIT_CODES.items())


@click.group(cls=_OrderedGroup, epilog=_EPILOG)
@click.version_option(VERSION, prog_name="otel-rum")
def otel_rum() -> None:
    """Send OpenTelemetry spans to Amazon CloudWatch RUM.

    Start with `otel-rum local`. It accepts the requests that your application would send to AWS, checks them as AWS
    does, and shows them in the browser. You need no AWS account. `otel-rum demo` adds an application to watch.

    \b
    Record the spans of a program         otel-rum record -- python app.py
    See the events made from your spans   otel-rum explain spans.jsonl
    Send files of the Collector           otel-rum send traces.json
    Receive OTLP from any language        otel-rum gateway
    Find out why nothing arrives          otel-rum doctor
    See which settings apply              otel-rum config
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped


for _command in (demo, local, record, explain, send, doctor, probe, gateway, config):
    otel_rum.add_command(_command)
