"""A time limit for calls of librdkafka, which wait for brokers that are away for up to `session.timeout.ms`."""

from __future__ import annotations

import threading
from collections.abc import Callable

LAST_CALL = "otel-rum-kafka-last-call"
"""The name of the threads."""


def ends_within(seconds: float, call: Callable[[], None]) -> bool:
    """Call in another thread, and return whether that ended in time. The process does not wait for the rest of it."""
    thread = threading.Thread(target=call, name=LAST_CALL, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
