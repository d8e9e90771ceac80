"""An account of spans that knows nothing of the exporter: what a test gave to it, and what the stand-in took."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from otel_rum_exporter.ledger import DropReason, LedgerSnapshot
from otel_rum_exporter.local import LocalRum
from tests.spans import make_span

PATIENCE_SECONDS = 60.0
"""How long a test waits for what must happen; only a failure takes so long."""

MOST_EVENTS = 200_000
"""What the stand-in keeps, so that it forgets nothing of a test."""


def session_id() -> str:
    """Return the id of a session that nobody else has."""
    return str(uuid.uuid4())


class Account:
    """The numbers of the spans given, and of those taken."""

    def __init__(self, rum: LocalRum) -> None:
        self._rum = rum
        self.given: set[int] = set()

    def span(
        self, session: str = "one", attributes: Mapping[str, Any] | None = None, name: str = "work"
    ) -> ReadableSpan:
        """Make a span of the next number."""
        number = len(self.given)
        self.given.add(number)
        return make_span(name, {"n": number, "session.id": session, **(attributes or {})})

    def spans(self, count: int, session: str = "one") -> list[ReadableSpan]:
        """Make spans of one session."""
        return [self.span(session) for _ in range(count)]

    def taken(self) -> dict[int, list[str]]:
        """Return the ids of the events that were taken, by the numbers of their spans."""
        return taken(self._rum)

    def wait_until_all_are_taken(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until the stand-in has taken everything; fails when it never does."""
        wait_until_taken(self._rum, self.given, seconds)

    def assert_balanced(self, ledger: LedgerSnapshot, dropped: Mapping[DropReason, int] | None = None) -> None:
        """Compare with the exporter's own ledger: what was given is delivered or counted, and nothing is stored."""
        counted = {reason: count for reason, count in ledger.dropped.items() if count}
        assert counted == (dropped or {}), ledger
        assert (ledger.accepted, ledger.stored) == (len(self.given), 0), ledger
        taken = self.taken()
        assert len(taken) == ledger.delivered == len(self.given) - sum(counted.values()), ledger
        assert_same_ids(taken)


def taken(rum: LocalRum) -> dict[int, list[str]]:
    """Return the ids of the events that a stand-in took, by the numbers of their spans."""
    found: dict[int, list[str]] = {}
    for event in rum.events:
        number = event.details.get("attributes", {}).get("n")
        if number is not None:
            found.setdefault(number, []).append(event.id)
    return found


def wait_until_taken(rum: LocalRum, numbers: set[int], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until a stand-in has taken the spans of these numbers."""
    deadline = time.monotonic() + seconds
    while missing := numbers - taken(rum).keys():
        assert time.monotonic() < deadline, f"{len(missing)} of {len(numbers)} spans are lost: {sorted(missing)[:20]}"
        time.sleep(0.02)


def assert_same_ids(taken: Mapping[int, list[str]]) -> None:
    """Assert that a span which is sent again is the same event."""
    assert all(len(set(ids)) == 1 for ids in taken.values())
    assert len({ids[0] for ids in taken.values()}) == len(taken)
