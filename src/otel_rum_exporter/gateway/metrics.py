"""The gateway's counters and the exporter's ledger in the Prometheus text format.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

from ..ledger import DropReason, LedgerSnapshot
from ..otlp import Signal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


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
        *_family("gateway_requests_total", "counter", "OTLP requests by response.", requests),
        *_family("gateway_records_total", "counter", "Spans and log records received.", _by_signal(counts.records)),
        *_family(
            "gateway_rejected_records_total", "counter", "Spans and log records rejected.", _by_signal(counts.rejected)
        ),
        *_family("gateway_in_flight_bytes", "gauge", "Bytes of requests in flight.", {"": reserved_bytes}),
        *_family("events_accepted_total", "counter", "RUM events accepted.", {"": ledger.accepted}),
        *_family("events_delivered_total", "counter", "RUM events delivered.", {"": ledger.delivered}),
        *_family(
            "events_stored", "gauge", "RUM events accepted, neither delivered nor dropped yet.", {"": ledger.stored}
        ),
        *_family(
            "records_waiting", "gauge", "Spans and log records that wait for their parents.", {"": ledger.pending}
        ),
        *_family(
            "records_filtered_total", "counter", "Spans and log records that become no event.", {"": ledger.filtered}
        ),
        *_family(
            "events_dropped_total",
            "counter",
            "RUM events dropped, by reason.",
            {f'reason="{reason.name.lower()}"': ledger.dropped[reason] for reason in DropReason},
        ),
    ]
    return "\n".join(lines) + "\n"


def _by_signal(counts: Counter[Signal]) -> dict[str, int]:
    return {f'signal="{signal.value}"': counts[signal] for signal in Signal}


def _family(name: str, kind: str, help_text: str, values: dict[str, int]) -> Iterator[str]:
    name = f"otel_rum_{name}"
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in values.items():
        yield f"{name}{{{labels}}} {value}" if labels else f"{name} {value}"
