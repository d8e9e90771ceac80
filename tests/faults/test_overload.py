"""A RUM that takes fewer events than arrive: sessions are sampled as a whole, instead of losing the oldest events."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from otel_rum_exporter import DropReason
from otel_rum_exporter.exporter import event_budget
from otel_rum_exporter.exporter.pipeline import Pipeline
from otel_rum_exporter.local import LocalRum
from tests.faults.conftest import LONG
from tests.spans import make_config, make_span

SECONDS, SPANS, SESSION_SECONDS = 25, 3, 4
QUOTA = 5


@LONG
def test_more_sessions_than_rum_takes_are_sampled_as_a_whole(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten times what RUM takes arrives. The queue stops growing, and no session is sent in part."""
    for name, seconds in (("FILLING", 4.0), ("SAMPLE", 1.0), ("BACKLOG", 1.0), ("MEMORY", 4.0)):
        monkeypatch.setattr(event_budget, f"{name}_SECONDS", seconds)
    with LocalRum(port=0, max_requests_per_second=QUOTA) as rum:
        pipeline = Pipeline(
            make_config(endpoint=rum.url, signing="none", region="eu-west-1", max_requests_per_second=QUOTA)
        )
        stored = []
        for second in range(SECONDS):
            for part in range(SPANS):
                started = second - part * SESSION_SECONDS // SPANS
                sessions = [f"{started} {number}" for number in range(QUOTA * 10)] if started >= 0 else []
                pipeline.add_spans([make_span(attributes={"session.id": one}) for one in sessions])
            stored.append(pipeline.ledger.stored)
            time.sleep(1.0)
        dropped = pipeline.ledger.dropped[DropReason.OVER_BUDGET]
        rum.max_requests_per_second = None
        pipeline.flush(60.0)
        pipeline.close(10.0)
        events = Counter(batch.session_id for batch in rum.batches for _ in batch.events)
    assert pipeline.ledger.dropped == {DropReason.OVER_BUDGET: dropped}
    assert pipeline.ledger.accepted == pipeline.ledger.delivered + dropped
    assert dropped > pipeline.ledger.delivered
    assert stored[-1] < max(stored)
    last = {session for session, count in events.items() if count < SPANS}
    assert len(last) <= 2 * QUOTA * 10
    assert any("RUM accepts" in line for line in caplog.messages)
