"""Waits with a deadline: for a condition, a server, and the end of threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import httpx

TIMEOUT_SECONDS = 120.0


def wait_until(condition: Callable[[], bool], timeout_seconds: float = TIMEOUT_SECONDS) -> None:
    """Wait until a condition holds; fail after a time-out."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition does not hold after {timeout_seconds} s"
        time.sleep(0.005)


def join_delivery_threads() -> None:
    """Wait until closed deliveries have no request on its way: RUM may still accept it."""
    for thread in threading.enumerate():
        if thread.name.startswith("otel-rum-delivery"):
            thread.join(TIMEOUT_SECONDS)
            assert not thread.is_alive(), thread.name


def wait_until_reachable(url: str) -> None:
    """Wait until a server responds, with any status."""
    client = httpx.Client(verify=False)  # reading certificates takes longer than a request

    def responds() -> bool:
        try:
            client.get(url)
        except httpx.TransportError:
            return False
        return True

    with client:
        wait_until(responds)
