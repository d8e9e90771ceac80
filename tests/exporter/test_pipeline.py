"""The street as a whole: whatever comes in, from wherever, while it is at work."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from otel_rum_exporter.exporter import stages
from otel_rum_exporter.exporter.pipeline import OutboxFullError, Pipeline
from otel_rum_exporter.ledger import DropReason
from tests.spans import make_config, make_span

LONG_SECONDS = 30.0
HOUSE = str(Path(sys.modules[Pipeline.__module__].__file__ or "").parent)


class Client:
    """Takes everything."""

    def put_rum_events(self, **_: Any) -> dict[str, Any]:
        return {}


class Street:
    """A pipeline, the spans given to it, and a profiler that gives more between its steps."""

    def __init__(self, **settings: Any) -> None:
        self.pipeline = Pipeline(make_config(max_requests_per_second=0, **settings), Client())
        self.pipeline.start()
        self.given = 0
        self._calls = 0

    def export(self) -> None:
        self.given += 1
        self.pipeline.export_spans([make_span(attributes={"session.id": str(self.given % 10)})])

    def interrupt(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(HOUSE):
            self._calls += 1
            if self._calls % 499 == 0:
                self.export()


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_signal_handler_or_finalizer_may_end_spans_at_any_moment(*, is_stored: bool, tmp_path: Path) -> None:
    """Python runs them between any two steps, also in the midst of ours; another thread is at work meanwhile."""
    street = Street(**({"spool_directory": str(tmp_path)} if is_stored else {}))
    failures: list[RuntimeError] = []
    is_over = threading.Event()

    def interrupted() -> None:
        sys.setprofile(street.interrupt)
        try:
            for _ in range(400):
                street.export()
        except RuntimeError as error:
            failures.append(error)
        finally:
            sys.setprofile(None)
            is_over.set()

    def beside() -> None:
        while not is_over.is_set():
            street.pipeline.export_spans([make_span(attributes={"session.id": "beside"})])

    threads = [threading.Thread(target=target, daemon=True) for target in (interrupted, beside)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_SECONDS)
        assert not thread.is_alive()
    street.pipeline.close(LONG_SECONDS)
    assert (failures, street.pipeline.ledger.stored, street.pipeline.ledger.dropped) == ([], 0, {})
    assert street.pipeline.ledger.delivered > street.given > 400


def test_threads_whose_spans_are_the_first_build_one_street(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them are delivered, by the same threads and with the same sessions."""
    built: list[stages.Street] = []

    class Counted(stages.Street):
        def __init__(self, *values: Any, **named: Any) -> None:
            super().__init__(*values, **named)
            built.append(self)

    monkeypatch.setattr(stages, "Street", Counted)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            pipeline, barrier = Pipeline(make_config(max_requests_per_second=0), Client()), threading.Barrier(4)
            threads = [threading.Thread(target=_export_at_once, args=(pipeline, barrier)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            pipeline.close(LONG_SECONDS)
            assert (len(built), pipeline.ledger.delivered) == (1, 4)
            built.clear()
    finally:
        sys.setswitchinterval(interval)


def _export_at_once(pipeline: Pipeline, barrier: threading.Barrier) -> None:
    barrier.wait()
    pipeline.export_spans([make_span(attributes={"session.id": "one"})])


def test_a_pipeline_that_was_closed_before_its_first_span_stays_closed() -> None:
    """A span that comes too late, from a thread that did not know, is counted; who can come again is told to."""
    pipeline = Pipeline(make_config(), Client())
    pipeline.close(1.0)
    pipeline.export_spans([make_span(attributes={"session.id": "one"})])
    assert pipeline.ledger.dropped == {DropReason.SHUTDOWN: 1}
    with pytest.raises(OutboxFullError):
        pipeline.accept_spans([make_span()])
    assert pipeline.ledger.stored == 0


def test_the_ledger_and_the_room_are_true_before_the_first_span_and_after() -> None:
    """Who asked early sees what comes."""
    pipeline = Pipeline(make_config(), Client())
    ledger = pipeline.ledger
    assert pipeline.has_room
    assert pipeline.flush(0.0)
    pipeline.export_spans([make_span(attributes={"session.id": "one"})])
    assert pipeline.flush(LONG_SECONDS)
    assert ledger.delivered == 1
    pipeline.close(LONG_SECONDS)


def test_what_waits_in_a_pipeline_that_is_built_after_its_end_is_counted() -> None:
    """The first export is about to build it as another thread shuts down."""
    pipeline = Pipeline(make_config(), Client())
    pipeline.close(0.0)
    pipeline.export_spans([make_span(parent=make_span())])
    assert pipeline.ledger.waiting == 0
    assert pipeline.ledger.dropped[DropReason.SHUTDOWN] == pipeline.ledger.accepted > 0
