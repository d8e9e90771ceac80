"""The model of `otel-rum plan` beside the real pipeline and a RUM that throttles."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_rum_exporter.cli.plan.figures import CUSTOM, Figures
from otel_rum_exporter.cli.plan.model import CPU_SECONDS_PER_SPAN, DAY_SECONDS, Load, Profile, plan
from otel_rum_exporter.cli.plan.recorded import Recorded
from otel_rum_exporter.exporter.event_budget import EventBudget
from otel_rum_exporter.exporter.pipeline import Pipeline
from otel_rum_exporter.local import Fault, LocalRum
from otel_rum_exporter.mapping.event_types import BUILT_IN
from tests.cli.plan.shop import REQUESTS, SPANS, visits, write
from tests.exporter.session_load import EVENTS, SESSION_SECONDS, SessionLoad
from tests.spans import make_config

SESSIONS = 15
FIGURES = Figures(requests=REQUESTS, pages=0.5, spans=SPANS, own_spans=1)
CLOSE = 0.1
"""What the model promises."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Read the visits from a file, as the command does."""
    path = tmp_path_factory.mktemp("plan") / "shop.jsonl"
    write(path, SESSIONS)
    read = Recorded(make_config(session_start="auto"))
    with path.open("rb") as stream:
        read.read(stream)
    read.finish()
    return read


@pytest.fixture
def throttling() -> Iterator[LocalRum]:
    """Start a RUM that throttles every request."""
    with LocalRum(port=0) as rum:
        rum.faults = [Fault(status=429)]
        yield rum


def pipeline(rum: LocalRum, **settings: object) -> Pipeline:
    """Make a pipeline that sends to a RUM, as fast as that takes it."""
    fast = {"max_requests_per_second": 0, "timeout_millis": 100_000, "session_start": "auto"}
    return Pipeline(make_config(endpoint=rum.url, signing="none", region="eu-west-1", **fast, **settings))


def outage(profile: Profile) -> Load:
    """Return the load that brings the test's sessions during an outage of an hour."""
    return Load(sessions_per_day=SESSIONS * 24, peak=1, outage_seconds=DAY_SECONDS / 24)


def by_type(profile: Profile) -> dict[str, float]:
    """Return the events of a session; custom ones together."""
    found = {kind: count for kind, count in profile.events.items() if kind in BUILT_IN}
    return found | {CUSTOM: profile.total - sum(found.values())}


def test_events_requests_and_memory_are_those_of_the_pipeline(recorded: Recorded, throttling: LocalRum) -> None:
    """All events wait during an outage. Afterwards each session takes as few requests as the model says."""
    made, expected = pipeline(throttling), plan(recorded.profile, outage(recorded.profile))
    for spans in visits(SESSIONS):
        made.add_spans(spans)
    waiting = made.ledger.stored
    stored_bytes = made._delivery.stored_bytes
    throttling.faults = []
    made.close(100.0)
    counts = Counter(event.type for event in throttling.events)
    assert waiting == pytest.approx(expected.outage_events, rel=CLOSE)
    assert stored_bytes == pytest.approx(expected.outage_memory_bytes, rel=CLOSE)
    assert len(throttling.batches) == pytest.approx(expected.outage_requests, rel=CLOSE)
    assert sum(counts.values()) == made.ledger.delivered == waiting
    assert {kind: count / SESSIONS for kind, count in counts.items()} == pytest.approx(
        dict(recorded.profile.events), rel=CLOSE
    )


def test_the_disk_is_that_of_the_spool(recorded: Recorded, throttling: LocalRum, tmp_path: Path) -> None:
    """Its files hold what waits, besides a first block."""
    made = pipeline(throttling, spool_directory=str(tmp_path))
    for spans in visits(SESSIONS):
        made.add_spans(spans)
    written = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    throttling.faults = []
    made.close(100.0)
    assert made.ledger.delivered == made.ledger.accepted
    assert written == pytest.approx(plan(recorded.profile, outage(recorded.profile)).outage_disk_bytes, rel=CLOSE)


def test_figures_are_close_to_a_recording(recorded: Recorded) -> None:
    """Of a shop as the figures describe it."""
    profile, measured = FIGURES.profile(), recorded.profile
    assert by_type(profile) == pytest.approx(by_type(measured), rel=CLOSE)
    assert (profile.spans, profile.exports) == pytest.approx((measured.spans, measured.exports), rel=CLOSE)
    assert profile.memory_bytes == pytest.approx(measured.memory_bytes, rel=CLOSE)
    assert profile.disk_bytes == pytest.approx(measured.disk_bytes, rel=CLOSE)


@pytest.mark.parametrize("sessions_per_second", [10, 40])
def test_the_sample_rate_is_that_of_the_budget(sessions_per_second: int) -> None:
    """With the exporter's own controller and a simulated clock."""
    profile = Profile(events={"work": EVENTS}, spans=EVENTS, exports=EVENTS, memory_bytes=1, disk_bytes=1)
    expected = plan(profile, Load(sessions_per_day=sessions_per_second * DAY_SECONDS, peak=1)).sample_rate
    load, settled = SessionLoad(EventBudget(50, 0.0)), 3 * SESSION_SECONDS
    load.run(settled + 600, sessions_per_second)
    assert sum(load.rates[settled:]) / 600 == pytest.approx(expected, rel=CLOSE)


def test_a_core_takes_what_consumers_were_measured_to_take() -> None:
    """On average of the measurements in the docs: `make bench-kafka`."""
    docs = (Path(__file__).parents[3] / "docs" / "scale.md").read_text("utf-8")
    section = docs.partition("## Consumers of Kafka")[2].partition("\n## ")[0]
    table = re.findall(r"^\| \d \| ([\d,]+) \|", section, re.MULTILINE)
    others = re.findall(r"\d\d,\d{3}", section.partition("Other runs")[2].partition("\n\n")[0])
    measured = [int(figure.replace(",", "")) for figure in table + others]
    assert len(measured) == 9
    assert pytest.approx(sum(measured) / len(measured), rel=CLOSE) == 1 / CPU_SECONDS_PER_SPAN


def test_more_load_needs_more_of_everything() -> None:
    """And nothing needs nothing."""
    plans = [plan(FIGURES.profile(), Load(sessions_per_day=sessions)) for sessions in (0, 10**3, 10**6, 10**9)]
    for name in ("usd_per_month", "quota_to_ask", "cores", "consumers", "partitions", "outage_disk_bytes"):
        values = [getattr(one, name) for one in plans]
        assert values == sorted(values)
    assert (plans[0].usd_per_month, plans[0].sample_rate, plans[0].consumers) == (0.0, 1.0, 1)
    assert plans[1].quota_to_ask == 50
    assert plans[2].quota_to_ask % 50 == 0
    assert plans[2].quota_to_ask > plans[2].peak_events_per_second * 1.2 - 1
    assert plans[3].usd_per_month_sampled == 50 * DAY_SECONDS * 30 / 100_000
