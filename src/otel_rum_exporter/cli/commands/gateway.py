"""`otel-rum gateway`: run the OTLP receiver until a signal stops it."""

from __future__ import annotations

import json
import os
from functools import partial

import click

from ...config import ConfigError
from ...gateway.settings import GatewaySettings, table
from .. import MISUSED, fail, not_installed
from ..addresses import why_not_listening
from ..options import Command, option_of, takes_settings

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@click.command(cls=Command, short_help="Receive OTLP over HTTP and gRPC, and send it to RUM.")
@partial(takes_settings, settings=table())
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one line of JSON, for scripts.")
def gateway(given: dict[str, object], *, as_json: bool) -> None:
    """Receive OTLP over HTTP and gRPC, and send it to RUM, until Ctrl-C or SIGTERM.

    Its clients are Collectors, services in any language, and web pages. Each option is also a variable,
    OTEL_RUM_GATEWAY_ and its name. The token has only the variable OTEL_RUM_GATEWAY_TOKEN, because other users of this
    computer can see the options of a command. The variables OTEL_EXPORTER_AWS_RUM_... set the destination and the way
    of sending.

    \b
    Examples:
      otel-rum gateway
      otel-rum gateway --allowed-origins https://shop.example --keep-user-agent true
      OTEL_EXPORTER_AWS_RUM_SPOOL_DIRECTORY=/var/lib/rum otel-rum gateway --host 0.0.0.0 --workers 2
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    try:
        from ...gateway.server import serve

        serve(GatewaySettings.read(given, os.environ, option_of), os.environ, partial(_announce, as_json=as_json))
    except ModuleNotFoundError as error:
        fail(not_installed(error.name, "gateway"), MISUSED)
    except ConfigError as error:
        fail(str(error), MISUSED)
    except OSError as error:
        fail(why_not_listening(error, "--http-port or --grpc-port"))


def _announce(bound: GatewaySettings, *, as_json: bool) -> None:
    url, target = f"http://{bound.host}:{bound.http_port}", f"{bound.host}:{bound.grpc_port}" if bound.grpc else None
    if as_json:
        click.echo(json.dumps({"http": url, "grpc": target}))
    else:
        click.echo(f"OTLP over HTTP on {url}" + (f"\nOTLP over gRPC on {target}" if target else ""))
    if bound.token is None and bound.host not in _LOOPBACK:
        click.echo(f"warning: every client that reaches {bound.host} can send telemetry. To fix: set a token", err=True)
