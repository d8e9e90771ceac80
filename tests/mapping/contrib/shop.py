"""The requests of a test to a shop in each web framework."""

from __future__ import annotations

from typing import Any

from tests.mapping.contrib.telemetry import BoomError

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html",
}
PROGRAM = {"User-Agent": "stock-sync/2", "Accept": "application/json"}
REQUESTS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("GET", "/", BROWSER),
    ("GET", "/products/4711?token=SECRET", BROWSER),
    ("GET", "/moved", BROWSER),  # a redirection that the framework raises, if it can
    ("POST", "/orders", BROWSER),
    ("GET", "/api/stock", PROGRAM),
    ("GET", "/gone/7", BROWSER),  # a 404 that the framework raises, if it can
    ("GET", "/nothing?token=SECRET", BROWSER),  # no route
    ("GET", "/boom", BROWSER),
    ("GET", "/healthz", PROGRAM),
)
"""Method, path and headers of each request."""

SHOP = {"/", "/orders", "/api/stock", "/healthz"}
"""Paths whose response is "done"."""

HTML = "text/html"


def boom() -> Any:
    """Fail as an application does."""
    raise BoomError("no")
