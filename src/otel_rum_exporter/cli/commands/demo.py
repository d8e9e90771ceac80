"""`otel-rum demo`: run the example shop that is part of the package."""

from __future__ import annotations

import os
import runpy
from importlib import resources
from pathlib import Path

import click

from .. import MISUSED, fail
from ..options import Command
from ..packages import require

NEEDS = ("flask", "requests", "opentelemetry-distro", "opentelemetry-instrumentation-flask")
"""Packages of the extra `demo` that show whether the extra is installed."""


@click.command(cls=Command, short_help="Watch an example shop in a local RUM.")
@click.option("--once", "is_once", is_flag=True, help="Print the events received, then exit.")
def demo(*, is_once: bool) -> None:
    """Watch an example shop in a local RUM, in a minute and without an AWS account.

    The demo runs a Flask shop under opentelemetry-instrument, and environment variables alone switch the exporter on.
    Three visitors use the shop, and the demo prints the events that RUM received. Then the shop and RUM keep running
    for you until Ctrl-C.

    \b
    Examples:
      otel-rum demo
      otel-rum demo --once
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    require(NEEDS, "demo")
    if is_once:
        os.environ["DEMO_ONCE"] = "1"
    with resources.as_file(resources.files("otel_rum_exporter") / "shop") as shop:
        if not (Path(shop) / "demo.py").is_file():
            fail("an editable installation has no shop; run: python examples/shop/demo.py", MISUSED)
        runpy.run_path(str(shop / "demo.py"), run_name="__main__")
