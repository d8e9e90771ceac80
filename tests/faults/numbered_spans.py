"""Numbered spans: compares what a test exported with what the local RUM received, independent of the exporter."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from otel_rum_exporter.ledger import DropReason, LedgerSnapshot
from otel_rum_exporter.local import LocalRum
from tests.spans import make_span

TIMEOUT_SECONDS = 120.0
"""A timeout that only a failing test reaches."""

MAX_EVENTS = 200_000
"""The number of events that the local RUM keeps: enough for each test."""


def session_id() -> str:
    """Return a new session id."""
    return str(uuid.uuid4())


class NumberedSpans:
    """The numbers of the spans exported, and of those received."""

    def __init__(self, rum: LocalRum) -> None:
        self._rum = rum
        self.exported: set[int] = set()

    def span(
        self, session: str = "one", attributes: Mapping[str, Any] | None = None, name: str = "work"
    ) -> ReadableSpan:
        """Create a span with the next number."""
        number = len(self.exported)
        self.exported.add(number)
        return make_span(name, {"n": number, "session.id": session, **(attributes or {})})

    def spans(self, count: int, session: str = "one") -> list[ReadableSpan]:
        """Create spans of one session."""
        return [self.span(session) for _ in range(count)]

    def received(self) -> dict[int, list[str]]:
        """Return the ids of the received events, by the numbers of their spans."""
        return received(self._rum)

    def wait_until_received(self, seconds: float = TIMEOUT_SECONDS) -> None:
        """Wait until all spans are received; fail after a timeout."""
        wait_until_received(self._rum, self.exported, seconds)

    def assert_counts(self, ledger: LedgerSnapshot, dropped: Mapping[DropReason, int] | None = None) -> None:
        """Assert that the ledger agrees: all exported spans are delivered or counted as dropped."""
        counted = {reason: count for reason, count in ledger.dropped.items() if count}
        assert counted == (dropped or {}), ledger
        assert (ledger.accepted, ledger.stored) == (len(self.exported), 0), ledger
        received = self.received()
        assert len(received) == ledger.delivered == len(self.exported) - sum(counted.values()), ledger
        assert_same_ids(received)


def received(rum: LocalRum) -> dict[int, list[str]]:
    """Return the ids of the events that a local RUM received, by the numbers of their spans."""
    found: dict[int, list[str]] = {}
    for event in rum.events:
        number = event.details.get("attributes", {}).get("n")
        if number is not None:
            found.setdefault(number, []).append(event.id)
    return found


def wait_until_received(rum: LocalRum, numbers: set[int], seconds: float = TIMEOUT_SECONDS) -> None:
    """Wait until a local RUM has received the spans with these numbers."""
    deadline = time.monotonic() + seconds
    while missing := numbers - received(rum).keys():
        assert time.monotonic() < deadline, f"{len(missing)} of {len(numbers)} spans are lost: {sorted(missing)[:20]}"
        time.sleep(0.02)


def assert_same_ids(received: Mapping[int, list[str]]) -> None:
    """Assert that each span is one event, also if it was sent again."""
    assert all(len(set(ids)) == 1 for ids in received.values())
    assert len({ids[0] for ids in received.values()}) == len(received)
