"""The consumer's counters and the exporter's ledger in the Prometheus text format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..exporter.exposition import family, of_ledger
from ..ledger import LedgerSnapshot


class PartitionState(NamedTuple):
    """A partition at one moment. `lag` is the number of messages after the offset to commit; None if unknown."""

    topic: str
    number: int
    lag: int | None
    unsettled: int
    is_paused: bool

    @property
    def labels(self) -> str:
        """The labels of its metrics."""
        return f'topic="{self.topic}",partition="{self.number}"'


@dataclass(slots=True)
class Counts:
    """The counts of the consumer. One thread changes it; `partitions` is replaced as a whole."""

    messages: int = 0
    records: int = 0
    rejected: int = 0
    undecodable: int = 0
    dead_letters: int = 0
    rebalances: int = 0
    requests_per_second: float = 0.0
    events_per_second: float = 0.0
    partitions: Sequence[PartitionState] = ()


def exposition(counts: Counts, ledger: LedgerSnapshot) -> str:
    """Return all metrics."""
    states = counts.partitions
    lag = {state.labels: state.lag for state in states if state.lag is not None}
    unsettled = {state.labels: state.unsettled for state in states}
    paused = {state.labels: int(state.is_paused) for state in states}
    lines = [
        *family("kafka_messages_total", "counter", "Messages consumed.", {"": counts.messages}),
        *family("kafka_records_total", "counter", "Spans and log records consumed.", {"": counts.records}),
        *family("kafka_rejected_records_total", "counter", "Records that cannot be read.", {"": counts.rejected}),
        *family("kafka_undecodable_total", "counter", "Messages that are not OTLP.", {"": counts.undecodable}),
        *family("kafka_dead_letters_total", "counter", "Messages in the dead-letter topic.", {"": counts.dead_letters}),
        *family("kafka_rebalances_total", "counter", "Changes of the assigned partitions.", {"": counts.rebalances}),
        *family(
            "kafka_requests_per_second_limit",
            "gauge",
            "This consumer's share of the request rate; 0 means no limit.",
            {"": counts.requests_per_second},
        ),
        *family(
            "kafka_events_per_second_limit",
            "gauge",
            "This consumer's share of the budget of events; 0 means no budget.",
            {"": counts.events_per_second},
        ),
        *family("kafka_lag", "gauge", "Messages that are not settled yet, by partition.", lag),
        *family("kafka_unsettled", "gauge", "Messages in flight, by partition.", unsettled),
        *family("kafka_paused", "gauge", "Whether a partition is paused.", paused),
        *of_ledger(ledger),
    ]
    return "\n".join(lines) + "\n"
