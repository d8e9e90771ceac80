"""The ledger in the Prometheus text format, for the metrics of the programs that run a pipeline.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..ledger import DropReason, LedgerSnapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def of_ledger(ledger: LedgerSnapshot) -> Iterator[str]:
    """Yield the lines of the ledger's metrics."""
    yield from family("events_accepted_total", "counter", "RUM events accepted.", {"": ledger.accepted})
    yield from family("events_delivered_total", "counter", "RUM events delivered.", {"": ledger.delivered})
    yield from family(
        "events_stored", "gauge", "RUM events accepted, neither delivered nor dropped yet.", {"": ledger.stored}
    )
    yield from family(
        "records_pending", "gauge", "Spans and log records that wait for their parents.", {"": ledger.pending}
    )
    yield from family(
        "records_filtered_total", "counter", "Spans and log records that become no event.", {"": ledger.filtered}
    )
    yield from family(
        "events_dropped_total",
        "counter",
        "RUM events dropped, by reason.",
        {f'reason="{reason.name.lower()}"': ledger.dropped[reason] for reason in DropReason},
    )


def family(name: str, kind: str, help_text: str, values: Mapping[str, float]) -> Iterator[str]:
    """Yield the lines of one metric, whose values are by their labels."""
    name = f"otel_rum_{name}"
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in values.items():
        yield f"{name}{{{labels}}} {value}" if labels else f"{name} {value}"
