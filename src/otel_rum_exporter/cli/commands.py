"""All commands, in the order in which a newcomer needs them."""

from __future__ import annotations

import click

from ..version import VERSION
from . import EXIT_CODES
from .config import config
from .doctor import doctor
from .explain import explain
from .gateway import gateway
from .local import local


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
    in the browser. No AWS account is needed. `otel-rum explain` tells what becomes of each span in a file.
    """


for _command in (local, explain, doctor, gateway, config):
    otel_rum.add_command(_command)
