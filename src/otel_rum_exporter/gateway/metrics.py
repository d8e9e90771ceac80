"""The gateway's counters and the exporter's ledger in the Prometheus text format."""

from __future__ import annotations

import threading
from collections import Counter

from ..exporter.exposition import CONTENT_TYPE, family, of_ledger
from ..ledger import LedgerSnapshot
from ..otlp import Signal

__all__ = ["CONTENT_TYPE", "Counts", "exposition"]


class Counts:
    """Requests by transport and response, records by signal. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: Counter[tuple[str, str]] = Counter()
        self.records: Counter[Signal] = Counter()
        self.rejected: Counter[Signal] = Counter()

    def responded(self, transport: str, response: str) -> None:
        """Count a request by its response: the HTTP status or the gRPC code."""
        with self._lock:
            self.requests[transport, response] += 1

    def received(self, signal: Signal, records: int, rejected: int) -> None:
        """Count the records of an accepted request, and how many of them were rejected."""
        with self._lock:
            self.records[signal] += records
            self.rejected[signal] += rejected


def exposition(counts: Counts, ledger: LedgerSnapshot, reserved_bytes: int) -> str:
    """Return all metrics."""
    requests = {f'transport="{transport}",response="{status}"': n for (transport, status), n in counts.requests.items()}
    lines = [
        *family("gateway_requests_total", "counter", "OTLP requests by response.", requests),
        *family("gateway_records_total", "counter", "Spans and log records received.", _by_signal(counts.records)),
        *family(
            "gateway_rejected_records_total", "counter", "Spans and log records rejected.", _by_signal(counts.rejected)
        ),
        *family("gateway_in_flight_bytes", "gauge", "Bytes of requests in flight.", {"": reserved_bytes}),
        *of_ledger(ledger),
    ]
    return "\n".join(lines) + "\n"


def _by_signal(counts: Counter[Signal]) -> dict[str, int]:
    return {f'signal="{signal.value}"': counts[signal] for signal in Signal}
