"""The examples in docs/scale.md, computed by the model of `otel-rum plan`, which `make docs` writes."""

from collections.abc import Sequence
from typing import NamedTuple

from otel_rum_exporter.cli.plan import report
from otel_rum_exporter.cli.plan.figures import Figures
from otel_rum_exporter.cli.plan.model import (
    CPU_SECONDS_PER_REQUEST,
    CPU_SECONDS_PER_SPAN,
    PARTITIONS_PER_CONSUMER,
    QUOTA_MARGIN,
    USED_SHARE,
    Load,
    Plan,
    plan,
)


class Example(NamedTuple):
    """A load, as `otel-rum plan` gets it."""

    name: str
    sessions: float
    requests: float
    processes: int | None


EXAMPLES = (
    Example("a shop on one machine", 2_000, 20_000, 1),
    Example("50 pods", 200_000, 3_000_000, 50),
    Example("a hundred million sessions a day", 100_000_000, 500_000_000, None),
)


def examples() -> str:
    """Return what each example costs and needs."""
    plans = [
        plan(
            Figures(requests=one.requests / one.sessions).profile(),
            Load(sessions_per_day=one.sessions, processes=one.processes),
        )
        for one in EXAMPLES
    ]
    facts = [_rates(one) | dict(report.fact_rows(one)) for one in plans]
    names = max((list(one) for one in facts), key=len)
    rows = [
        ("sessions a day", *(f"{one.sessions:,.0f}" for one in EXAMPLES)),
        ("requests a day", *(f"{one.requests:,.0f}" for one in EXAMPLES)),
        *((name.strip(), *(_cell(one.get(name, "")) for one in facts)) for name in names),
    ]
    return _table(("", *(one.name for one in EXAMPLES)), rows)


def constants() -> str:
    """Return the constants of the model, with their sources."""
    performance = "[performance](performance.md)"
    rows = (
        ("spans/s of a core", f"{1 / CPU_SECONDS_PER_SPAN:,.0f}", "[consumers of Kafka](#consumers-of-kafka), rounded"),
        ("CPU of a request", f"{CPU_SECONDS_PER_REQUEST * 1e6:.0f} µs", f"{performance}: single requests, rounded"),
        ("used part of a core", f"{USED_SHARE:.0%}", "a choice: the rest is for the time after an outage"),
        ("partitions of a consumer", str(PARTITIONS_PER_CONSUMER), "a choice: consumers can be added"),
        ("quota above the peak", f"{QUOTA_MARGIN - 1:.0%}", "a choice: a second has more than its minute"),
    )
    return _table(("constant", "value", "source"), rows)


def _rates(one: Plan) -> dict[str, str]:
    return {f"events/s {name}": report.number(getattr(one, key)) for name, key in RATES}


RATES = (("on average", "events_per_second"), ("at the peak", "peak_events_per_second"))


def _cell(text: str) -> str:
    return text.partition(" at list price")[0].replace("OTEL_EXPORTER_AWS_RUM_", "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))
