"""Whether an optional package is installed."""

from __future__ import annotations

from importlib import metadata


def is_installed(package: str) -> bool:
    """Return whether a package is installed, by the name of its distribution."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
