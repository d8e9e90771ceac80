"""The facts of a plan as text."""

from __future__ import annotations

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


def test_shares_and_settings_have_no_exponents() -> None:
    """They are read, or set in an environment."""
    assert facts(30.0)["without it"] == "99.7 % of the sessions at the peak"
    assert facts(6.0)["without it"] == "20 % of the sessions at the peak"
    one_process = facts(12_500.0, 10**9, processes=1)
    assert one_process["  each process"] == "OTEL_EXPORTER_AWS_RUM_MAX_EVENTS_PER_SECOND=12500"
