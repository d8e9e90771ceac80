"""`otel-rum demo`: the shop of the examples, which the package brings along."""

from __future__ import annotations

import os
import runpy
from importlib import metadata, resources
from pathlib import Path

import click

from .. import MISUSED, fail

NEEDS = ("flask", "requests", "opentelemetry-distro", "opentelemetry-instrumentation-flask")
"""Some of the packages of the extra `demo`, by which the others are there too."""


@click.command(short_help="Watch a real shop appear in a local RUM.")
@click.option("--once", "is_once", is_flag=True, help="Print what arrived and end, in place of staying open.")
def demo(*, is_once: bool) -> None:
    """Watch a real shop appear in a local RUM, within a minute and without an AWS account.

    It runs a Flask shop under opentelemetry-instrument, switched on by environment variables alone, lets three
    visitors shop there, and prints what RUM received. Then shop and RUM stay open for you, until Ctrl-C.

    \b
    Examples:
      otel-rum demo
      otel-rum demo --once
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    missing = next((package for package in NEEDS if not _is_installed(package)), None)
    if missing:
        fail(f"{missing} is not installed: pip install 'otel-rum-exporter[demo]'", MISUSED)
    if is_once:
        os.environ["DEMO_ONCE"] = "1"
    with resources.as_file(resources.files("otel_rum_exporter") / "shop") as shop:
        if not (Path(shop) / "demo.py").is_file():
            fail("an editable installation brings no shop along; run: python examples/shop/demo.py", MISUSED)
        runpy.run_path(str(shop / "demo.py"), run_name="__main__")


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
