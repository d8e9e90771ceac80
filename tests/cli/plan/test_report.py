"""The facts of a plan as text."""

from __future__ import annotations

import math

from otel_rum_exporter.cli.plan.figures import Figures
from otel_rum_exporter.cli.plan.model import Load, plan
from otel_rum_exporter.cli.plan.report import fact_rows

PROFILE = Figures(requests=10).profile()


def facts(quota: float, sessions_per_day: float = 100_000, processes: int | None = None) -> dict[str, str]:
    """Return the facts of a load of 30.1 events/s for 100,000 sessions."""
    load = Load(sessions_per_day=sessions_per_day, peak=1.0, quota=quota, processes=processes)
    return dict(fact_rows(plan(PROFILE, load)))


def test_a_quota_with_a_fraction_is_enough_for_a_lower_peak() -> None:
    """No other quota is to ask for."""
    assert facts(34.6)["quota to ask for"] == "none: 34.6 events/s are enough"
    load = Load(sessions_per_day=100_000, peak=1.0, quota=34.6)
    assert plan(PROFILE, load).quota_to_ask == 34.6


def test_consumers_of_kafka_get_the_settings_of_their_group() -> None:
    """They divide them by themselves; other processes get a part each."""
    group = facts(50.0, 10**8)
    assert group["  each process"].endswith("_MAX_EVENTS_PER_SECOND=50, which they divide among them")
    assert group["processes that send"].endswith("_MAX_REQUESTS_PER_SECOND=11575, which they divide among them")
    consumers = int(group["consumers of Kafka"].partition(",")[0])
    others = facts(50.0, 10**8, processes=consumers)
    assert others["  each process"].endswith(f"_MAX_EVENTS_PER_SECOND={50 / consumers:.3g}")
    assert others["processes that send"].endswith(f"_MAX_REQUESTS_PER_SECOND={math.ceil(11574.1 / consumers)}")


def test_a_backlog_that_the_quota_cannot_deliver_says_so() -> None:
    """The peak is exactly the quota."""
    load = Load(sessions_per_day=86_400, peak=1.0, quota=PROFILE.total, processes=1)
    assert dict(fact_rows(plan(PROFILE, load)))["  delivered afterwards in"].startswith("no time that ends")


def test_shares_and_settings_have_no_exponents() -> None:
    """They are read, or set in an environment."""
    assert facts(30.0)["without it"] == "99.7 % of the sessions at the peak"
    assert facts(6.0)["without it"] == "20 % of the sessions at the peak"
    one_process = facts(12_500.0, 10**9, processes=1)
    assert one_process["  each process"] == "OTEL_EXPORTER_AWS_RUM_MAX_EVENTS_PER_SECOND=12500"
