"""All commands, in the order in which a newcomer needs them."""

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
from .commands.send import send


class _InOrder(click.Group):
    """A group whose help shows its commands in their order."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return list(self.commands)


_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code}  {meaning}" for code, meaning in EXIT_CODES.items())


@click.group(cls=_InOrder, epilog=_EPILOG)
@click.version_option(VERSION, prog_name="otel-rum")
def otel_rum() -> None:
    """Send OpenTelemetry spans to Amazon CloudWatch RUM.

    Start with `otel-rum local`: it takes what an application would send to AWS, checks it as AWS would, and shows it
    in the browser. No AWS account is needed; `otel-rum demo` adds an application to watch.

    \b
    What becomes of my spans?           otel-rum explain traces.json
    Send files of the Collector         otel-rum send traces.json
    Receive from any language           otel-rum gateway
    Nothing arrives. Why?               otel-rum doctor
    Which settings apply?               otel-rum config
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped


for _command in (demo, local, explain, send, doctor, gateway, config):
    otel_rum.add_command(_command)
