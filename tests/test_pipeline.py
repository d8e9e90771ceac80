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


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_signal_handler_or_finalizer_may_end_spans_at_any_moment(*, is_stored: bool, tmp_path: Path) -> None:
    """Python runs them between any two steps, also in the midst of ours; another thread is at work meanwhile."""
    settings = {"spool_directory": str(tmp_path)} if is_stored else {}
    pipeline = Pipeline(make_config(max_requests_per_second=0, **settings), Client())
    pipeline.start()
    calls, given, failures = 0, 0, []
    is_over = threading.Event()

    def export() -> None:
        nonlocal given
        given += 1
        pipeline.export_spans([make_span(attributes={"session.id": str(given % 10)})])

    def interrupt(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        if event == "call" and frame.f_code.co_filename.startswith(HOUSE):
            calls += 1
            if calls % 499 == 0:
                export()

    def interrupted() -> None:
        sys.setprofile(interrupt)
        try:
            for _ in range(400):
                export()
        except RuntimeError as error:
            failures.append(error)
        finally:
            sys.setprofile(None)
            is_over.set()

    def beside() -> None:
        while not is_over.is_set():
            pipeline.export_spans([make_span(attributes={"session.id": "beside"})])

    threads = [threading.Thread(target=target, daemon=True) for target in (interrupted, beside)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_SECONDS)
        assert not thread.is_alive()
    pipeline.close(LONG_SECONDS)
    assert (failures, pipeline.ledger.stored, pipeline.ledger.dropped) == ([], 0, {})
    assert pipeline.ledger.delivered > given > 400
