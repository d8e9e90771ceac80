"""The optional packages that commands need."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata

from . import MISUSED, fail


def is_installed(package: str) -> bool:
    """Return whether a package is installed, by the name of its distribution."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def require(packages: Iterable[str], extra: str) -> None:
    """End the command with the fix if a package of its extra is not installed."""
    missing = next((package for package in packages if not is_installed(package)), None)
    if missing:
        fail(f"{missing} is not installed: pip install 'otel-rum-exporter[{extra}]'", MISUSED)
