"""The street as a whole: whatever comes in, from wherever, while it is at work."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from otel_rum_exporter.pipeline import Pipeline
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
