"""Receipts: a source learns when the last event of its records is delivered, or dropped and counted."""

from __future__ import annotations

from collections.abc import Callable

from ._locks import DeferringLock, call_unlocked
from .ledger import DropReason


class Receipt:
    """Counts what holds it: its source, pending records and queued events. Thread-safe.

    `on_settled` is called once, when the last has released it, by the thread that did so and without locks. The source
    itself holds a new receipt, and releases it after it has handed over all records; if it never does, because they
    were not accepted, the receipt never settles. `dropped` has the reasons why queued events were lost.
    """

    __slots__ = ("_holders", "_lock", "_on_settled", "dropped")

    def __init__(self, on_settled: Callable[[], None]) -> None:
        self._lock = DeferringLock()
        self._holders = 1
        self._on_settled = on_settled
        self.dropped: set[DropReason] = set()

    def hold(self) -> None:
        """Keep the receipt open until one more release."""
        with self._lock:
            self._holders += 1

    def release(self, dropped: DropReason | None = None) -> None:
        """End one hold; `dropped` is why its events were lost."""
        with self._lock:
            if dropped is not None:
                self.dropped.add(dropped)
            self._holders -= 1
            is_settled = self._holders == 0
        if is_settled:
            call_unlocked(self._on_settled)
